// SPDX-License-Identifier: MIT
import HuskAnalysis
import HuskModel
import Testing

@Suite("Carving of images")
struct CarverTests {
    @Test("a shared object in the middle of other bytes is found, with imports and exact size")
    func elf() throws {
        let file = try Bytes.sharedObject()
        let buffer = Bytes.random(5000) + file + Bytes.random(3000, seed: 2)
        let image = try #require(Carver.images(in: buffer[...], at: 0x10_0000).first)
        #expect(image.format == .elf)
        #expect(image.layout == .file)
        #expect(image.offset == 5000)
        #expect(image.address == 0x10_1388)
        #expect(image.is64Bit)
        #expect(image.machineName == "x86-64")
        #expect(image.type == "shared-object")
        #expect(image.claimedSize == UInt64(file.count))
        #expect(image.availableSize == image.claimedSize)
        #expect(image.contradictions.isEmpty)
        #expect(image.libraries.contains(TargetText("libc.so.6")))
        #expect(image.imports.contains(TargetText("calloc")))
        #expect(!image.imports.contains(TargetText("insert")))
        #expect(image.importHash?.kind == .elfImports)
        #expect(image.importHash?.value.count == 64)
    }

    @Test("an ELF as the loader spreads it is told from one as in its file")
    func elfInMemory() throws {
        // Segments moved by a page each: what ld does with -z separate-code and a large page.
        let file = try Bytes.sharedObject(["-Wl,-z,max-page-size=65536"])
        let spread = ELFSpread.memory(of: file)
        let image = try #require(Carver.images(in: spread[...], at: 0x7F00_0000_0000).first)
        #expect(image.layout == .memory)
        #expect(image.imports.contains(TargetText("calloc")))
        let fromFile = try #require(Carver.images(in: file[...], at: 0).first)
        #expect(fromFile.layout == .file)
        #expect(image.importHash == fromFile.importHash)
        #expect(image.claimedSize > fromFile.claimedSize)
    }

    @Test("a cut image says what it claims and what is there")
    func cut() throws {
        let file = try Bytes.sharedObject()
        let image = try #require(Carver.images(in: file[..<4096], at: 0).first)
        #expect(image.availableSize == 4096)
        #expect(image.claimedSize == UInt64(file.count))
        #expect(image.summary.contains("4096 of \(file.count) bytes"))
    }

    @Test(
        "a PE has pefile's imphash, in both word sizes and both layouts", arguments: [true, false])
    func pe(wide: Bool) throws {
        for (bytes, layout) in [
            (SamplePE.file(wide: wide), CarvedImage.Layout.file),
            (SamplePE.memory(wide: wide), .memory),
        ] {
            let image = try #require(Carver.images(in: ([9, 9] + bytes)[...], at: 0x40).first)
            #expect(image.format == .pe)
            #expect(image.layout == layout)
            #expect(image.offset == 2)
            #expect(image.is64Bit == wide)
            #expect(image.machineName == (wide ? "x86-64" : "x86"))
            #expect(image.entry == 0x1000)
            #expect(image.claimedSize == (layout == .file ? 0x400 : 0x2000))
            #expect(image.libraries == [TargetText("KERNEL32.dll"), TargetText("WS2_32.dll")])
            #expect(
                image.imports.map(\.escaped) == [
                    "KERNEL32.dll!VirtualAlloc", "KERNEL32.dll!CreateThread",
                    "KERNEL32.dll!LoadLibraryA", "WS2_32.dll!ord115", "WS2_32.dll!WSASocketA",
                    "WS2_32.dll!ord4",
                ])
            #expect(
                image.importHash == ImportHash(kind: .imphash, value: SamplePE.imphash))
            #expect(image.contradictions.isEmpty)
        }
    }

    @Test("headers that lie are said to, and cost nothing")
    func lies() throws {
        var pe = SamplePE.file(wide: true)
        pe[0x46] = 0xFF  // sections
        pe[0x47] = 0xFF
        let image = try #require(Carver.images(in: pe[...], at: 0).first)
        #expect(image.contradictions.contains("65535 sections"))

        var elf = try Bytes.sharedObject()
        elf.replaceSubrange(32..<40, with: [UInt8](repeating: 0xFF, count: 8))  // e_phoff
        let lying = try #require(Carver.images(in: elf[...], at: 0).first)
        #expect(lying.contradictions.contains("program headers lie outside"))
    }

    @Test("magic numbers without headers are no images, a million of them in no time")
    func magic() {
        let clock = ContinuousClock()
        let took = clock.measure {
            let elves = [UInt8]((0..<200_000).flatMap { _ in [0x7F, 0x45, 0x4C, 0x46] as [UInt8] })
            #expect(Carver.images(in: elves[...], at: 0).isEmpty)
            let dos = [UInt8]((0..<400_000).flatMap { _ in [0x4D, 0x5A] as [UInt8] })
            #expect(Carver.images(in: dos[...], at: 0).isEmpty)
        }
        #expect(took < .seconds(20))
    }

    @Test("many images are bounded")
    func many() {
        let one = SamplePE.file(wide: true)
        let all = (0..<400).flatMap { _ in one }
        #expect(Carver.images(in: all[...], at: 0).count == Carver.imageLimit)
    }
}

/// Lays an ELF64 out as its program headers say.
enum ELFSpread {
    static func memory(of file: [UInt8]) -> [UInt8] {
        func number(_ offset: Int, _ size: Int) -> Int {
            (0..<size).reversed().reduce(0) { $0 << 8 | Int(file[offset + $1]) }
        }
        let table = number(32, 8)
        var memory: [UInt8] = []
        for index in 0..<number(56, 2) {
            let header = table + index * 56
            guard number(header, 4) == 1 else { continue }
            let (offset, address) = (number(header + 8, 8), number(header + 16, 8))
            let (inFile, inMemory) = (number(header + 32, 8), number(header + 40, 8))
            let missing = address + inMemory - memory.count
            if missing > 0 { memory += [UInt8](repeating: 0, count: missing) }
            memory.replaceSubrange(address..<address + inFile, with: file[offset..<offset + inFile])
        }
        return memory
    }
}
