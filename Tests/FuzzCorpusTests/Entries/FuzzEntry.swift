// SPDX-License-Identifier: MIT

/// One kind of input that someone else makes, and all that Husk does with it.
///
/// Takes any bytes. Throws ``BrokenPromise`` if something that must hold for all of them does not;
/// a trap, a hang or a wrong access are for the fuzzer and its sanitizer to see.
public struct FuzzEntry: Sendable {
    /// That of its folder in Fuzz/Corpus.
    public let name: String
    /// Longer inputs find nothing that shorter ones do not, and take longer.
    public let largestInput: Int
    public let run: @Sendable ([UInt8]) throws -> Void

    public static let all = [
        carving, images, code, content, records, maps, text, manifest, database, rows, requests,
    ]

    public static func named(_ name: String) -> FuzzEntry? { all.first { $0.name == name } }
}

/// Something that must hold for all inputs does not.
public struct BrokenPromise: Error, CustomStringConvertible {
    public let description: String
}

func hold(
    _ condition: Bool, _ message: @autoclosure () -> String
) throws(BrokenPromise) {
    if !condition { throw BrokenPromise(description: message()) }
}

/// What reaches a terminal or a log has nothing in it that either would act upon.
func holdPlain(_ text: String, _ what: String) throws(BrokenPromise) {
    for scalar in text.unicodeScalars {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .lineSeparator, .paragraphSeparator:
            throw BrokenPromise(
                description: "\(what) has U+\(String(scalar.value, radix: 16)): \(Array(text.utf8))"
            )
        default: break
        }
    }
}

/// Takes decisions from the front of an input; zeros when it has ended.
struct InputBytes {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isEmpty: Bool { rest.isEmpty }

    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    /// The low byte first.
    mutating func number(_ size: Int) -> UInt64 {
        (0..<size).reduce(0) { $0 | UInt64(byte()) << UInt64($1 * 8) }
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    mutating func all() -> [UInt8] { bytes(rest.count) }
}
