// SPDX-License-Identifier: MIT
import HuskAnalysis
import HuskModel
import Testing

@Suite("ELF headers and memory")
struct ELFReadingTests {
    @Test("are read of both classes")
    func classes() throws {
        let wide = try ELFImage(ELFCorpus.staticExecutable)
        #expect(wide.header.elfClass == .bits64)
        #expect(wide.header.kind == .executable)
        #expect(wide.linkedBase == 0x40_0000)
        #expect(wide.loads.map(\.flags) == [4, 5, 6])
        try wide.checkSegments()
        let narrow = try ELFImage(ELFCorpus.narrowShared)
        #expect(narrow.header.elfClass == .bits32)
        #expect(narrow.header.kind == .shared)
        #expect(narrow.header.entry == 0x1000)
        #expect(narrow.linkedBase == 0)
        try narrow.checkSegments()
    }

    static func changed(_ offset: Int, _ bytes: [UInt8]) -> [UInt8] {
        var copy = ELFCorpus.staticExecutable
        copy.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        return copy
    }

    @Test(
        "tell why they are not read",
        arguments: [
            (0, [0], ELFError.Code.notELF), (4, [3], .malformed), (5, [2], .unsupported),
            (6, [9], .malformed), (18, [0xB7, 0], .unsupported), (18, [3, 0], .unsupported),
            (32, Array(repeating: 0xFF, count: 8), .missing), (32, [0, 0], .malformed),
            (54, [32, 0], .malformed), (56, [0, 0], .malformed), (56, [0xFF, 0xFF], .malformed),
        ] as [(Int, [UInt8], ELFError.Code)])
    func refused(offset: Int, bytes: [UInt8], code: ELFError.Code) {
        let error = #expect(throws: ELFError.self) { try ELFImage(Self.changed(offset, bytes)) }
        #expect(error?.code == code)
        #expect(error.map { !$0.description.isEmpty } ?? false)
    }

    @Test("are refused when they are cut off", arguments: [0, 3, 4, 16, 20, 63, 64, 100])
    func cut(length: Int) {
        #expect(throws: ELFError.self) {
            try ELFImage(Array(ELFCorpus.staticExecutable.prefix(length)))
        }
    }

    @Test(
        "with segments that make no sense are refused",
        arguments: [
            // Offsets in the first PT_LOAD: offset, address, size in the file, size in memory.
            (8, [1]), (16, [1]), (32, [0xFF, 0xFF, 0xFF]),
            (40, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
            (40, [0, 0, 0xFF]), (23, [0xFF]),
        ] as [(Int, [UInt8])])
    func segments(offset: Int, bytes: [UInt8]) throws {
        let image = try ELFImage(Self.changed(64 + offset, bytes))
        #expect(throws: ELFError.self) { try image.checkSegments() }
    }

    @Test("of memory name what is known")
    func memory() throws {
        var memory = SampleMemory()
        memory.add(
            0x1000, size: 0x4000, .read, (0..<0x3000).map { UInt8($0 >> 8) }, missingPages: [1])
        memory.add(0x5000, size: 0x1000, .read, [9])
        let reader = MemoryReader(memory.image, contents: memory.contents, cachedPages: 1)
        let bytes = try reader.read(0xFFF..<0x5001)
        #expect(bytes.known == [0x1000..<0x2000, 0x3000..<0x4000, 0x5000..<0x5001])
        #expect(!bytes.isComplete)
        #expect(bytes.bytes.count == 0x4002)
        #expect(bytes.bytes[0] == 0)
        #expect(bytes.bytes[0x101] == 1)
        #expect(bytes.bytes[0x1001] == 0)
        #expect(bytes.bytes[0x2001] == 0x20)
        #expect(bytes.bytes[0x4001] == 9)
        #expect(reader.missing(in: 0x1800..<0x3800) == [0x2000..<0x3000])
        #expect(try reader.knownPrefix(at: 0x1FF0, limit: 100).count == 16)
        #expect(try reader.knownPrefix(at: 0x2000, limit: 100).isEmpty)
        #expect(throws: ELFError.self) { try reader.read(0..<Address(UInt64.max)) }
    }

    @Test("of memory are refused when a content is not as long as its page")
    func damaged() throws {
        var memory = SampleMemory()
        memory.add(0x1000, size: 0x1000, .read, [1])
        memory.contents.pages[0].removeLast()
        let reader = MemoryReader(memory.image, contents: memory.contents)
        let error = #expect(throws: ELFError.self) { try reader.read(0x1000..<0x1001) }
        #expect(error?.code == .badContent)
    }
}

@Suite("Images in memory")
struct ELFImageFinderTests {
    @Test("are found by header, by layout and by address, and lying headers are told")
    func found() throws {
        var memory = SampleMemory()
        let header = ELFCorpus.staticExecutable
        memory.add(0x40_0000, size: 0x1000, .read, header)
        memory.add(0x40_1000, size: 0x1000, [.read, .execute], [0x90])
        memory.add(0x40_2000, size: 0x1000, [.read, .write], [1])
        var lying = header
        lying[64 + 16] = 1
        memory.add(0x50_0000, size: 0x1000, .read, lying)
        memory.add(0x60_0000, size: 0x1000, [.read, .write], [1])
        memory.add(0x60_1000, size: 0x1000, [.read, .write, .execute], [0xC3])
        memory.add(0x60_3000, size: 0x1000, [.read], [1])
        memory.add(0x70_0000, size: 0x1000, [.read, .write], [1])
        memory.add(0x7000_0000, size: 0x1000, [.read, .write, .execute], [0xC3], backing: .stack)
        let findings = try memory.finder.findings()
        #expect(findings.images.map(\.base) == [0x40_0000, 0x60_0000])
        #expect(findings.images.map(\.evidence) == [.header, .layout])
        #expect(findings.images[0].range == 0x40_0000..<0x40_2004)
        #expect(findings.images[0].isExecutable)
        #expect(!findings.images[0].isMappedFromFile)
        #expect(findings.images[1].range == 0x60_0000..<0x60_4000)
        #expect(findings.rejected.map(\.address) == [0x50_0000])
        #expect(findings.rejected[0].reason.code == .malformed)
        let named = try memory.finder.image(at: 0x70_0000)
        #expect(named.evidence == .address)
        #expect(named.headers == nil)
        #expect(try memory.finder.image(at: 0x40_0000).evidence == .header)
    }

    @Test("with too many headers are counted")
    func many() throws {
        var memory = SampleMemory()
        memory.add(0x1000_0000, size: 0x1000, .read, ELFCorpus.narrowShared)
        let page = memory.image.regions[0].pages[0]
        memory.image.regions[0].mapping.end = 0x1000_0000 + 1500 * 4096
        memory.image.regions[0].pages = (0..<1500).map { (index: UInt64) in
            var copy = page
            copy.address = page.address.advanced(by: index * 4096)
            return copy
        }
        let findings = try memory.finder.findings()
        #expect(findings.images.count + findings.rejected.count == ImageFinder.largestCount)
        #expect(findings.uncounted == 500)
    }
}

extension Address {
    static func + (left: Address, right: UInt64) -> Address { left.advanced(by: right) }
}
