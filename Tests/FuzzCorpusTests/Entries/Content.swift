// SPDX-License-Identifier: MIT
import HuskAnalysis
import HuskModel

extension FuzzEntry {
    /// What a page holds: strings, entropy, what it looks like.
    static let content = FuzzEntry(name: "content", largestInput: 8192) { bytes in
        var input = InputBytes(bytes)
        let choice = input.byte()
        let content = input.all()
        let base = Address(choice & 1 == 0 ? 0x7000 : .max - 40)
        let kinds = FoundString.Encoding.allCases.enumerated()
            .filter { choice >> (1 + $0.offset) & 1 == 1 }.map(\.element)
        let minimum = 1 + Int(choice >> 4 & 7)
        var scan = StringScan(minimum: minimum, encodings: Set(kinds))
        let whole = scan.take(content[...], at: base) + scan.finish()
        var pieces: [FoundString] = []
        var address = base
        let size = 1 + content.count / 7
        for start in stride(from: 0, to: content.count, by: size) {
            let piece = content[start..<min(content.count, start + size)]
            pieces += scan.take(piece, at: address)
            address = address.advanced(by: UInt64(piece.count))
        }
        try hold(pieces + scan.finish() == whole, "pieces of \(size) bytes have other strings")
        try hold(whole.count <= 2 * content.count, "\(whole.count) strings")
        for string in whole {
            try holdPlain(string.text.escaped, "a string")
            try hold(
                string.length <= UInt64(content.count) && string.text.bytes.count >= minimum,
                "\(string)")
            try hold(string.text.bytes.count <= 4 * StringScan.textLimit, "a string is too long")
        }
        let appearance = Appearance(of: content[...])
        try hold(!appearance.reasons.isEmpty, "it looks like something for no reason")
        try hold((0...8).contains(appearance.entropy), "an entropy of \(appearance.entropy)")
        for reason in appearance.reasons { try holdPlain(reason, "a reason") }
        try hold((0...8).contains(Entropy.bitsPerByte(content)), "an entropy")
    }
}
