// SPDX-License-Identifier: MIT
import Foundation
import GRDB
import HuskModel
import Testing

@testable import HuskCapture

/// What decodes parts of a capture file, given a million things that it should not be given.
@Suite("decoding what a capture file holds")
struct CaptureDecodingTests {
    @Test("text is given back as it was escaped, whatever it was")
    func escaping() {
        var generator = SplitMix(state: 1)
        for _ in 0..<200_000 {
            let bytes = (0..<Int(generator.next() % 12)).map { _ -> UInt8 in
                let choices: [UInt8] = [
                    UInt8(ascii: "\\"), UInt8(ascii: "x"), UInt8(ascii: "5"), 0xC3, 0xA9, 0x1B,
                    UInt8(truncatingIfNeeded: generator.next()),
                ]
                return choices[Int(generator.next() % UInt64(choices.count))]
            }
            let text = TargetText(bytes: bytes)
            #expect(TargetText(escaped: text.escaped) == text)
        }
    }

    @Test("zstd frames that lie give nothing, or as many bytes as were asked for")
    func frames() {
        let compressor = ContentCompressor()
        var generator = SplitMix(state: 2)
        let contents: [[UInt8]] = [
            [UInt8](repeating: 0, count: 4096), (0..<4096).map { UInt8($0 & 0xFF) },
            (0..<4096).map { UInt8($0 >> 4 & 0xFF) },
        ]
        let corpus = contents.compactMap { compressor.compress($0[...]) }
        #expect(corpus.count == 3)
        for (content, frame) in zip(contents, corpus) {
            #expect(ContentExpansion.expand(frame, size: 4096) == content)
        }
        for _ in 0..<600_000 {
            var frame = corpus[Int(generator.next() % 3)]
            for _ in 0...(generator.next() % 3) {
                frame[Int(generator.next() % UInt64(frame.count))] =
                    UInt8(truncatingIfNeeded: generator.next())
            }
            if generator.next() % 4 == 0 { frame.removeLast(Int(generator.next() % 8)) }
            let size = generator.next() % 8 == 0 ? Int(generator.next() % 8192) : 4096
            if let bytes = ContentExpansion.expand(frame, size: size) {
                #expect(bytes.count == size)
            }
        }
    }

    @Test("columns of any kind are values or failures")
    func columns() throws {
        var generator = SplitMix(state: 3)
        let queue = try DatabaseQueue()
        func value() -> DatabaseValue {
            switch generator.next() % 8 {
            case 0: .null
            case 1: Int64.min.databaseValue
            case 2: Int64(bitPattern: generator.next()).databaseValue
            case 3: (generator.next() % 4097).databaseValue
            case 4: "rwx".databaseValue
            case 5:
                ["file", "jit", "mmap", "r--", "\\x1b", "bpf-nofault"].randomElement(
                    using: &generator)?.databaseValue ?? .null
            case 6: Double.nan.databaseValue
            default: Data((0..<(generator.next() % 40)).map { UInt8($0) }).databaseValue
            }
        }
        try queue.write { db in
            let statement = try db.makeStatement(sql: "SELECT ?, ?, ?, ?, ?, ?, ?, ?")
            for _ in 0..<50_000 {
                let arguments = StatementArguments((0..<8).map { _ in value() })
                let row = try #require(try Row.fetchOne(statement, arguments: arguments))
                var fields = RowFields(row)
                _ = try? fields.size()
                _ = try? fields.protection()
                _ = try? fields.word(TransitionKind.self)
                _ = try? fields.label()
                _ = try? fields.optionalDigest()
                _ = try? fields.number(Int32.self)
                _ = try? fields.count()
                fields = RowFields(row)
                for _ in 0..<9 { _ = try? fields.targetText() }
                fields = RowFields(row)
                for _ in 0..<9 { _ = try? fields.optionalNumber(UInt8.self) }
            }
        }
    }
}
