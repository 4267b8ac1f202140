// SPDX-License-Identifier: MIT
internal import HuskModel

/// `page/CONTENT-ADDRESS` of docs/view-data.md: the bytes of a page, and what they say as code.
struct PageDocument: Encodable {
    /// `[offset, length, "mov eax, 0x2a"]`.
    struct Line: Encodable {
        var offset: Int
        var length: Int
        var text: String

        func encode(to encoder: any Encoder) throws {
            var list = encoder.unkeyedContainer()
            try list.encode(offset)
            try list.encode(length)
            try list.encode(text)
        }
    }

    /// Base64.
    var bytes: String
    var bits: Int
    var lines: [Line]
}

/// The name of such a document.
struct PageName: Hashable, LosslessStringConvertible {
    var content: Int64
    var address: Address

    init(content: Int64, address: Address) {
        self.content = content
        self.address = address
    }

    init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let content = Int64(parts[0]), content > 0,
            parts[1].utf8.count <= 16, parts[1].utf8.allSatisfy({ $0 != UInt8(ascii: "+") }),
            let address = UInt64(parts[1], radix: 16)
        else { return nil }
        self.init(content: content, address: Address(address))
    }

    var description: String { "\(content)-\(address.hexadecimal)" }
}
