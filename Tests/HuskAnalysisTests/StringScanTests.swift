// SPDX-License-Identifier: MIT
import HuskAnalysis
import HuskModel
import Testing

@Suite("Strings in memory")
struct StringScanTests {
    private func wide(_ text: String) -> [UInt8] { text.utf8.flatMap { [$0, 0] } }

    private func texts(_ strings: [FoundString]) -> [String] { strings.map(\.text.escaped) }

    @Test("ASCII strings of at least four characters are found with their addresses")
    func ascii() {
        let bytes = [0, 1] + Array("abc\0hello, world\0\u{7F}tab\tin\n1234".utf8)
        let found = StringScan.strings(in: bytes[...], at: 0x7000)
        #expect(texts(found) == ["hello, world", "tab\\x09in", "1234"])
        #expect(found.map(\.address) == [0x7006, 0x7014, 0x701B])
        #expect(found.map(\.length) == [12, 6, 4])
        #expect(found.allSatisfy { $0.encoding == .ascii })
        #expect(texts(StringScan.strings(in: bytes[...], at: 0, minimum: 7)) == ["hello, world"])
        #expect(StringScan.strings(in: bytes[...], at: 0, limit: 1).count == 1)
        #expect(StringScan.strings(in: bytes[...], at: 0, limit: -1).isEmpty)
    }

    @Test("UTF-16LE strings are found at even and at odd addresses, also side by side")
    func utf16() {
        let bytes = wide("even") + [0xFF, 0xFF, 0xFF] + wide("odd one") + [0xFF, 0xFF]
        let found = StringScan.strings(in: bytes[...], at: 0x1000)
        #expect(texts(found) == ["even", "odd one"])
        #expect(found.map(\.address) == [0x1000, 0x100B])
        #expect(found.map(\.length) == [8, 14])
        #expect(found.allSatisfy { $0.encoding == .utf16LittleEndian })
        #expect(StringScan.strings(in: bytes[...], at: 0, encodings: [.ascii]).isEmpty)
    }

    @Test("a string across chunks is found once, one across a gap is two")
    func chunks() {
        let text = Array("a string that crosses".utf8)
        for cut in 0...text.count {
            var scan = StringScan()
            var found = scan.take(text[..<cut], at: 0x1000)
            found += scan.take(text[cut...], at: Address(0x1000 + UInt64(cut)))
            found += scan.finish()
            #expect(texts(found) == ["a string that crosses"])
            #expect(found.first?.address == 0x1000)
        }
        var scan = StringScan()
        var found = scan.take(text[..<8], at: 0x1000)
        found += scan.take(text[8...], at: 0x2000)
        found += scan.finish()
        #expect(texts(found) == ["a string", " that crosses"])
        #expect(found.map(\.address) == [0x1000, 0x2000])

        let utf16 = wide("crossing")
        for cut in 0...utf16.count {
            var scan = StringScan()
            var found = scan.take(utf16[..<cut], at: 0x1000)
            found += scan.take(utf16[cut...], at: Address(0x1000 + UInt64(cut)))
            #expect(texts(found + scan.finish()) == ["crossing"])
        }
    }

    @Test("UTF-8 is found if it is asked for; broken sequences end a string")
    func utf8() {
        let bytes = Array("\0grüße 世界\0plain".utf8) + [0xC3, 0x28, 0x41, 0x42, 0x43, 0xE4, 0x41]
        let found = StringScan.strings(in: bytes[...], at: 0, encodings: [.ascii, .utf8])
        #expect(texts(found) == ["grüße 世界", "plain", "(ABC"])
        #expect(found.map(\.encoding) == [.utf8, .ascii, .ascii])
        #expect(found[0].length == UInt64("grüße 世界".utf8.count))
    }

    @Test("of an endless string the beginning is kept and the rest is counted")
    func endless() {
        let found = StringScan.strings(in: [UInt8](repeating: 0x41, count: 100_000)[...], at: 0)
        #expect(found.count == 1)
        #expect(found.first?.length == 100_000)
        #expect(found.first?.text.bytes.count == StringScan.textLimit)
        #expect(found.first?.isCut == true)
    }

    @Test("finds what strings(1) finds in a real library")
    func asStrings() throws {
        let bytes = try Bytes.sharedObject()
        let found = StringScan.strings(in: bytes[...], at: 0, encodings: [.ascii])
        let expected = try Bytes.inFolder { folder in
            try bytes.withUnsafeBytes { try Bytes.write($0, to: folder + "/p.so") }
            try Bytes.run(["sh", "-c", "strings -a -n 4 '\(folder)/p.so' > '\(folder)/out'"])
            return try Bytes.file(folder + "/out")
        }
        let lines = expected.split(separator: 0x0A).map(Array.init)
        #expect(lines.count > 20)
        #expect(found.map(\.text.bytes) == lines)
    }

    @Test("addresses at the end of the address space wrap")
    func wraps() {
        let found = StringScan.strings(in: Array("wrap around".utf8)[...], at: Address(.max - 3))
        #expect(found.count == 1)
    }
}
