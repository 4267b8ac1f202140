// SPDX-License-Identifier: MIT
import CZlib
import Foundation
import Testing

/// A report, read as a browser reads it, with parsers of its own.
struct ReportFile {
    let html: String
    /// Documents by their names.
    let documents: [String: Any]

    init(_ html: String) throws {
        self.html = html
        let index = try #require(Self.elements("script", of: html).first { $0.id == "husk-index" })
        let told = try JSONSerialization.jsonObject(with: Data(index.text.utf8))
        let blocks = try #require((told as? [String: Any])?["documents"] as? [String: Int])
        var documents: [String: Any] = [:]
        for element in Self.elements("script", of: html) where element.id.hasPrefix("husk-block-") {
            let compressed = try #require(Data(base64Encoded: element.text))
            let expanded = try Self.inflate(compressed)
            let block = try #require(
                try JSONSerialization.jsonObject(with: expanded) as? [String: Any])
            for (name, document) in block {
                #expect("husk-block-\(blocks[name] ?? -1)" == element.id)
                documents[name] = document
            }
        }
        #expect(Set(documents.keys) == Set(blocks.keys))
        self.documents = documents
    }

    func document(_ name: String) throws -> [String: Any] {
        try #require(documents[name] as? [String: Any], "no \(name)")
    }

    /// Elements of a kind, by where the next end tag is: so does a browser with scripts and styles.
    static func elements(_ name: String, of html: String) -> [(id: String, text: String)] {
        var found: [(id: String, text: String)] = []
        var rest = html[...]
        while let begin = rest.range(of: "<\(name)"),
            let open = rest[begin.upperBound...].firstIndex(of: ">"),
            let end = rest[open...].range(of: "</\(name)>")
        {
            let head = rest[begin.upperBound..<open]
            let id = head.range(of: "id=\"").map { head[$0.upperBound...].prefix { $0 != "\"" } }
            found.append((String(id ?? ""), String(rest[rest.index(after: open)..<end.lowerBound])))
            rest = rest[end.upperBound...]
        }
        return found
    }

    static func inflate(_ data: Data) throws -> Data {
        var stream = z_stream()
        try #require(
            inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK)
        defer { inflateEnd(&stream) }
        var input = Array(data)
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        var result = Z_OK
        input.withUnsafeMutableBufferPointer { input in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            while result == Z_OK {
                let written = chunk.withUnsafeMutableBufferPointer { chunk in
                    stream.next_out = chunk.baseAddress
                    stream.avail_out = UInt32(chunk.count)
                    result = CZlib.inflate(&stream, Z_NO_FLUSH)
                    return chunk.count - Int(stream.avail_out)
                }
                output += chunk.prefix(written)
            }
        }
        try #require(result == Z_STREAM_END)
        return Data(output)
    }
}
