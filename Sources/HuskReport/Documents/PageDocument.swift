// SPDX-License-Identifier: MIT
internal import HuskModel

/// `page/CONTENT-ADDRESS` of docs/view-data.md: the bytes of a page, and what they say as code.
struct PageDocument {
    struct Line {
        var offset: Int
        var length: Int
        /// `mov eax, 0x2a`
        var text: String
    }

    /// Base64.
    var bytes: String
    var bits: Int
    var lines: [Line]

    /// Written here: a report has thousands of pages with thousands of lines, and Foundation's encoder
    /// takes most of its time for them.
    var json: [UInt8] {
        var json: [UInt8] = []
        json.reserveCapacity(bytes.utf8.count + 40 * lines.count + 64)
        json += "{\"bytes\":\"".utf8
        json += bytes.utf8
        json += "\",\"bits\":".utf8
        json += bits.description.utf8
        json += ",\"lines\":[".utf8
        for (index, line) in lines.enumerated() {
            json += (index == 0 ? "[" : ",[").utf8
            json += line.offset.description.utf8
            json.append(UInt8(ascii: ","))
            json += line.length.description.utf8
            json += ",\"".utf8
            // Names and numbers of instructions; nothing of it is a target's own text.
            for byte in line.text.utf8 where byte >= 0x20 && byte < 0x7F {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                    json.append(UInt8(ascii: "\\"))
                }
                json.append(byte)
            }
            json += "\"]".utf8
        }
        json += "]}".utf8
        return json
    }
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
