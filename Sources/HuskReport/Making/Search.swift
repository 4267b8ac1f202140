// SPDX-License-Identifier: MIT
internal import HuskAnalysis
internal import HuskCapture
internal import HuskModel

/// What is looked for in contents.
struct SearchQuery {
    /// The bytes, and how they are called; text in lower case.
    private(set) var patterns: [(bytes: [UInt8], encoding: String)]
    private let ignoresCase: Bool

    static let limit = 256

    /// Nil: it is empty, too long, or no hexadecimal number of bytes.
    init?(_ text: String) {
        if text.hasPrefix("hex:") {
            let digits = text.dropFirst(4).filter { $0 != " " }
            guard !digits.isEmpty, digits.utf8.count % 2 == 0, digits.utf8.count <= 2 * Self.limit,
                digits.utf8.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit })
            else { return nil }
            let characters = Array(digits)
            let bytes = stride(from: 0, to: characters.count, by: 2).compactMap {
                UInt8(String(characters[$0...$0 + 1]), radix: 16)
            }
            patterns = [(bytes, "hex")]
            ignoresCase = false
        } else {
            let bytes = text.utf8.map(Self.lower)
            guard !bytes.isEmpty, bytes.count <= Self.limit else { return nil }
            patterns = [
                (bytes, "text"), (Self.utf16(text), "utf16"),
            ]
            ignoresCase = true
        }
    }

    /// UTF-16LE.
    private static func utf16(_ text: String) -> [UInt8] {
        text.utf16.flatMap { unit in
            let low = UInt8(truncatingIfNeeded: unit)
            let high = UInt8(truncatingIfNeeded: unit >> 8)
            return [lower(low), lower(high)]
        }
    }

    private static func lower(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    /// Where it is in a page, at most so often.
    func places(in page: [UInt8], limit: Int) -> [(offset: Int, length: Int, encoding: String)] {
        let text = ignoresCase ? page.map(Self.lower) : page
        var found: [(offset: Int, length: Int, encoding: String)] = []
        for (pattern, encoding) in patterns where pattern.count <= text.count {
            var offset = 0
            while offset <= text.count - pattern.count, found.count < limit {
                guard
                    let next = text[offset...(text.count - pattern.count)].firstIndex(
                        of: pattern[0])
                else { break }
                if text[next..<next + pattern.count].elementsEqual(pattern) {
                    found.append((next, pattern.count, encoding))
                }
                offset = next + 1
            }
        }
        return found
    }
}

extension CaptureDocuments {
    /// Hits that one answer has.
    private static let hitLimit = 500
    /// Of one page.
    private static let pageHitLimit = 16

    /// Looks into contents from a cursor on, no longer than some time: the answer says where to go
    /// on.
    func search(
        _ query: SearchQuery, from cursor: Int64, patience: Duration = .milliseconds(700)
    ) throws -> SearchDocument {
        let deadline = ContinuousClock.now + patience
        var answer = SearchDocument()
        answer.total = size(file.info.contents)
        var last = cursor
        try file.forEachContent(after: cursor) { content, bytes in
            last = content.rawValue
            for place in query.places(in: bytes, limit: Self.pageHitLimit) {
                guard let snapshot = try file.snapshot(of: content) else { continue }
                answer.hits.append(
                    .init(
                        region: snapshot.region,
                        address: snapshot.page.address.advanced(by: UInt64(place.offset))
                            .hexadecimal,
                        generation: snapshot.page.generation, content: content.rawValue,
                        page: snapshot.page.address.hexadecimal, offset: place.offset,
                        encoding: place.encoding, context: Self.context(of: place, in: bytes)))
            }
            let isEnough = answer.hits.count >= Self.hitLimit || ContinuousClock.now >= deadline
            if isEnough { answer.next = last }
            return !isEnough
        }
        answer.searched = answer.next.map { size($0.magnitude) } ?? answer.total
        return answer
    }

    /// The text around a hit.
    private static func context(
        of place: (offset: Int, length: Int, encoding: String), in bytes: [UInt8]
    ) -> String {
        let first = max(0, place.offset - 24)
        let last = min(bytes.count, place.offset + place.length + 40)
        let part = bytes[first..<last]
        if place.encoding == "hex" { return part.hexadecimal }
        let shown = part.filter { place.encoding == "text" || $0 != 0 }
        return String(
            decoding: shown.map { (0x20..<0x7F).contains($0) ? $0 : UInt8(ascii: ".") },
            as: UTF8.self)
    }
}
