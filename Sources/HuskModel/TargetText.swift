// SPDX-License-Identifier: MIT

/// Text that a target controls: a file name, a process name.
///
/// Kernel names are bytes, not characters. They are kept as they came; only
/// ``escaped`` is meant to be shown.
public struct TargetText: Hashable, Sendable {
    public let bytes: [UInt8]

    public init(bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes)
    }

    public init(_ string: String) {
        self.bytes = Array(string.utf8)
    }

    public var isEmpty: Bool {
        bytes.isEmpty
    }

    /// Safe on a terminal and in a log, and unambiguous: printable characters stand for
    /// themselves, a backslash is doubled, everything else (control characters, invalid
    /// UTF-8, characters that change the direction of text or take no room) is written
    /// as `\xNN` per byte.
    public var escaped: String {
        // Nearly all of it is so.
        if bytes.allSatisfy({ (0x20..<0x7F).contains($0) && $0 != UInt8(ascii: "\\") }) {
            return String(decoding: bytes, as: UTF8.self)
        }
        var result = ""
        var rest = bytes[...]
        while let first = rest.first {
            let length = Self.sequenceLength(first)
            let candidate = rest.prefix(length)
            if candidate.count == length,
                let scalar = String(validating: candidate, as: UTF8.self)?.unicodeScalars.first,
                Self.isPrintable(scalar)
            {
                result += scalar == "\\" ? "\\\\" : String(Character(scalar))
                rest = rest.dropFirst(length)
            } else {
                result += "\\x" + first.hexadecimal
                rest = rest.dropFirst()
            }
        }
        return result
    }

    private static func sequenceLength(_ first: UInt8) -> Int {
        switch first {
        case 0xC2...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF4: 4
        default: 1
        }
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
            .paragraphSeparator, .nonspacingMark, .enclosingMark, .spacingMark:
            false
        case .spaceSeparator:
            scalar == " "
        default:
            true
        }
    }
}

extension TargetText: CustomStringConvertible {
    public var description: String { escaped }
}

extension TargetText {
    /// Takes back what ``escaped`` gives. A backslash that escapes nothing stands for itself.
    public init(escaped text: String) {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        let backslash = UInt8(ascii: "\\")
        while let first = rest.popFirst() {
            guard first == backslash else {
                bytes.append(first)
                continue
            }
            if rest.first == backslash {
                rest.removeFirst()
                bytes.append(backslash)
            } else if rest.first == UInt8(ascii: "x"), rest.count >= 3,
                let byte = UInt8(
                    String(decoding: rest.dropFirst().prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(byte)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(backslash)
            }
        }
        self.init(bytes: bytes)
    }
}
