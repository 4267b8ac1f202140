// SPDX-License-Identifier: MIT
import HuskModel
import ModelSamples
import Testing

@Suite("Address spaces")
struct AddressSpaceTests {
    private func region(_ start: UInt64, _ end: UInt64, offset: UInt64 = 0) -> MappedRegion {
        MappedRegion(
            start: Address(start), end: Address(end), protection: [.read, .execute],
            backing: .memfd(Self.file, offset: offset), isShared: true)
    }

    private static let file = FileIdentity(
        deviceMajor: 0, deviceMinor: 1, inode: 7, linkCount: 0, name: TargetText("memfd:x"))

    @Test("what is put in the middle of a region splits it, and offsets follow")
    func splitting() {
        var space = AddressSpace()
        space.insert(region(0x1000, 0x5000, offset: 0x10000))
        space.remove(Address(0x2000)..<Address(0x3000))
        let regions = Array(space.pieces)
        #expect(regions.map(\.start.rawValue) == [0x1000, 0x3000])
        #expect(regions.map(\.end.rawValue) == [0x2000, 0x5000])
        #expect(regions.map(\.backing.fileOffset) == [0x10000, 0x12000])
    }

    @Test("behaves as a table of single pages does, whatever comes")
    func randomly() {
        // The reference: each page on its own.
        var pages: [UInt64: UInt64] = [:]
        var space = AddressSpace()
        var generator = Generator(state: 42)
        for step in 0..<4000 {
            let start = UInt64.random(in: 0..<2000, using: &generator)
            let count = UInt64.random(in: 1..<8, using: &generator)
            let range = Address(start * 4096)..<Address((start + count) * 4096)
            if step % 3 == 0 {
                space.remove(range)
                for page in start..<(start + count) { pages[page] = nil }
            } else {
                let offset = UInt64(step) << 20
                space.insert(
                    region(range.lowerBound.rawValue, range.upperBound.rawValue, offset: offset))
                for page in start..<(start + count) { pages[page] = offset + (page - start) * 4096 }
            }
        }
        var seen: [UInt64: UInt64] = [:]
        var last: UInt64 = 0
        for region in space.pieces {
            #expect(region.start.rawValue >= last)
            last = region.end.rawValue
            for (index, page) in stride(
                from: region.start.rawValue / 4096, to: region.end.rawValue / 4096, by: 1
            ).enumerated() {
                seen[page] = (region.backing.fileOffset ?? 0) + UInt64(index) * 4096
            }
        }
        #expect(seen == pages)
        for page in pages.keys.prefix(200) {
            #expect(space.piece(at: Address(page * 4096)) != nil)
        }
    }

    /// The same numbers in each run.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }

    @Test("a write to a file is found in every process that shows it, and only there")
    func views() {
        var timeline = Timeline()
        timeline.note(region(0x10000, 0x14000, offset: 0x4000), of: 1)
        timeline.note(region(0x20000, 0x21000, offset: 0), of: 2)
        timeline.fork(parent: 1, child: 3)
        let key = Timeline.FileKey(Self.file)
        let found = timeline.views(of: key, offsets: 0x5000..<0x5010)
        #expect(found.map(\.pid) == [1, 3])
        #expect(found.map(\.region.start.rawValue) == [0x11000, 0x11000])
        #expect(found.map(\.region.end.rawValue) == [0x11010, 0x11010])
        timeline.clear(1)
        #expect(timeline.views(of: key, offsets: 0..<UInt64.max).map(\.pid) == [2, 3])
    }

    @Test("processes that share memory have one address space, until the last of them is gone")
    func sharing() {
        var timeline = Timeline()
        timeline.note(region(0x10000, 0x11000), of: 1)
        timeline.fork(parent: 1, child: 2, sharing: true)
        timeline.note(region(0x20000, 0x21000, offset: 0x8000), of: 2)
        let whole = Address(0)..<Address(.max)
        #expect(timeline.executableRegions(of: 1, in: whole).count == 2)
        // The lender ends first: its memory lives on in the borrower.
        timeline.clear(1)
        #expect(timeline.executableRegions(of: 1, in: whole).isEmpty)
        #expect(timeline.executableRegions(of: 2, in: whole).count == 2)
        let key = Timeline.FileKey(Self.file)
        #expect(timeline.views(of: key, offsets: 0..<UInt64.max).map(\.pid) == [2, 2])
        #expect(timeline.views(of: key, offsets: 0..<UInt64.max, limit: 1).count == 1)
        timeline.clear(2)
        #expect(timeline.views(of: key, offsets: 0..<UInt64.max).isEmpty)
    }

    @Test("numbers at the end of what 64 bits hold do not trap")
    func extremes() {
        var timeline = Timeline()
        timeline.note(region(0x1000, .max, offset: .max - 4096), of: 1)
        _ = timeline.views(of: Timeline.FileKey(Self.file), offsets: 0..<UInt64.max)
        #expect(timeline.region(of: 1, at: Address(.max)) == nil)
        var transition = Sample.transition(1, start: Address(.max - 4095), length: 8192)
        transition.backing = .anonymous
        timeline.apply(transition)
    }
}
