// SPDX-License-Identifier: MIT
import HuskAnalysis
import HuskModel
import Testing

/// SplitMix64: the same numbers from the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

    /// Numbers that break things more often than others do.
    private static let boundaries: [UInt64] = [
        0, 1, 2, 7, 8, 0xFF, 0xFFF, 0x1000, 0xFFFF, 0x1_0000, 0x40_0000, 0x7FFF_FFFF, 0x8000_0000,
        0xFFFF_FFFF, 0x1_0000_0000, 0x7FFF_FFFF_F000, 0x7FFF_FFFF_FFFF_FFFF, 1 << 63,
        0xFFFF_FFFF_FFFF_F000, .max,
    ]

    /// Changes a few fields or bytes, in place.
    mutating func mutate(_ bytes: inout [UInt8]) {
        for _ in 0...below(4) {
            let number = next()
            let width = [1, 2, 4, 8][below(4)]
            // Fields lie at multiples of their size.
            let place = below(bytes.count / width) * width
            let value =
                switch number % 4 {
                case 0: Self.boundaries[below(Self.boundaries.count)]
                case 1: next()
                case 2: UInt64(bytes[place]) &+ 1
                default: UInt64(bytes[place]) ^ (1 << UInt64(below(8)))
                }
            for index in 0..<width {
                bytes[place + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))
            }
        }
    }
}

@Suite("ELF headers that lie")
struct ELFPropertyTests {
    static let headerSeeds: [UInt64] = [1, 2, 3, 4]
    static let headersPerSeed = 250_000

    @Test("are read or refused, a million of them", arguments: headerSeeds)
    func headers(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let corpus = [
            ELFCorpus.staticExecutable, ELFCorpus.narrowShared,
            Array(ELFCorpus.staticShared.prefix(64 + 56 * 4)),
        ]
        var read = 0
        var sensible = 0
        for round in 0..<Self.headersPerSeed {
            var bytes = corpus[generator.below(corpus.count)]
            generator.mutate(&bytes)
            if generator.below(16) == 0 { bytes.removeLast(generator.below(bytes.count)) }
            guard let image = try? ELFImage(bytes) else { continue }
            read += 1
            let count = image.segments.count
            if count > bytes.count / 32 || image.header.tableEnd > UInt64(bytes.count) {
                Issue.record("seed \(seed), round \(round): \(count) program headers")
            }
            guard (try? image.checkSegments()) != nil else { continue }
            sensible += 1
            var end: UInt64 = 0
            for load in image.loads {
                if load.address < end || load.end < load.address
                    || load.fileSize > load.memorySize
                {
                    Issue.record("seed \(seed), round \(round): \(load)")
                }
                end = load.end
            }
        }
        // Neither is all refused, nor all taken: the changes reach what they are meant for.
        #expect(read > Self.headersPerSeed / 10 && read < Self.headersPerSeed * 9 / 10)
        #expect(sensible > Self.headersPerSeed / 50 && sensible < read)
    }

    /// Memory with an image of which some bytes are changed, and maybe a hole or a moved region.
    static func memory(_ generator: inout SeededGenerator) -> SampleMemory {
        var memory = SampleMemory()
        let base: UInt64 = [0x40_0000, 0x5555_5555_4000, 0, 0xFFFF_FFFF_FFFF_0000][
            generator.below(4)]
        if generator.below(3) == 0 {
            var header = ELFCorpus.staticExecutable
            generator.mutate(&header)
            memory.add(base, size: 0x1000, .read, header)
            memory.add(base + 0x1000, size: 0x1000, [.read, .execute], [0x90, 0xC3])
            memory.add(base + 0x2000, size: 0x1000, [.read, .write], [5])
        } else {
            var header = ELFCorpus.dynamicShared
            // The headers, or the tables behind them.
            var part = Array(generator.below(2) == 0 ? header[..<792] : header[792...])
            if generator.below(3) > 0 { generator.mutate(&part) }
            if part.count == 792 {
                header.replaceSubrange(..<792, with: part)
            } else {
                header.replaceSubrange(792..., with: part)
            }
            var data = Array(repeating: 0 as UInt8, count: 0xE00) + ELFCorpus.dynamicData
            var tail = Array(data[0xE10...])
            generator.mutate(&tail)
            data.replaceSubrange(0xE10..., with: tail)
            memory.add(base, size: 0x1000, .read, header)
            memory.add(base + 0x1000, size: 0x1000, [.read, .execute], [0x90, 0xC3])
            memory.add(base + 0x2000, size: 0x1000, .read, [1, 2, 3])
            memory.add(
                base + 0x3000, size: 0x2000, [.read, .write],
                data + Array(repeating: 0, count: 0x1000))
        }
        switch generator.below(8) {
        case 0:
            memory.image.regions[generator.below(memory.image.regions.count)].pages = []
        case 1:
            memory.image.regions.remove(at: generator.below(memory.image.regions.count))
        case 2:
            // Regions that overlap, end before they start, or are out of order.
            let index = generator.below(memory.image.regions.count)
            memory.image.regions[index].mapping.end = Address(generator.next())
        case 3:
            let index = generator.below(memory.image.regions.count)
            memory.image.regions[index].mapping.protection = [.read, .write, .execute]
        default: break
        }
        return memory
    }

    static let imageSeeds: [UInt64] = [11, 12]
    static let imagesPerSeed = 10_000

    @Test("lead to bounded files that name nothing outside of the image", arguments: imageSeeds)
    func images(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var rebuilt = 0
        var complete = 0
        for round in 0..<Self.imagesPerSeed {
            let memory = Self.memory(&generator)
            let findings = try memory.finder.findings()
            for found in findings.images {
                for part in found.parts {
                    let isInside = memory.image.regions.contains {
                        $0.mapping.start <= part.start && part.end <= $0.mapping.end
                    }
                    if !isInside || part.start >= part.end {
                        Issue.record("seed \(seed), round \(round): \(part) is not in the image")
                    }
                }
                let addresses: RebuiltImage.Addresses =
                    generator.below(4) == 0 ? .captured : .linked
                guard
                    let file = try? RebuiltImage(
                        found, in: memory.image, contents: memory.contents,
                        addresses: addresses)
                else { continue }
                rebuilt += 1
                if file.sections.contains(where: { $0.name == ".dynsym" }) { complete += 1 }
                let limit = RebuiltImage.largestContent + RebuiltImage.largestOverhead
                var size: UInt64 = 0
                // A file that is mostly a hole takes long, and tells nothing new.
                if file.size < 1 << 20 {
                    try file.write { size += UInt64($0.count) }
                } else {
                    size = file.size
                }
                // The headers of a file in a buffer are its own, and may lie.
                let isRight =
                    file.size <= limit && size == file.size
                    && (found.form == .file
                        || file.segments.allSatisfy {
                            $0.offset &+ $0.fileSize <= file.size
                        }
                            && file.sections.allSatisfy {
                                $0.type == 8 || $0.offset &+ $0.size <= file.size
                            })
                let isMissingInside = file.missing.allSatisfy { range in
                    found.form == .file
                        ? found.range.lowerBound <= range.lowerBound
                            && range.upperBound <= found.range.upperBound
                        : file.segments.contains {
                            let start = $0.address &+ file.bias
                            return $0.isLoaded && start <= range.lowerBound.rawValue
                                && range.upperBound.rawValue <= start &+ $0.memorySize
                        }
                }
                if !isMissingInside {
                    Issue.record("seed \(seed), round \(round): missing \(file.missing)")
                }
                if !isRight { Issue.record("seed \(seed), round \(round): \(file.segments)") }
            }
            // A core goes by regions and pages only: fewer of them tell as much.
            if round % 8 == 0, let core = try? CoreFile(memory.image, contents: memory.contents) {
                var size: UInt64 = 0
                try core.write { size += UInt64($0.count) }
                if size != core.summary.size || size > 1 << 20 {
                    Issue.record("seed \(seed), round \(round): a core of \(size) bytes")
                }
            }
        }
        #expect(rebuilt > Self.imagesPerSeed / 2)
        #expect(complete > Self.imagesPerSeed / 20)
    }
}
