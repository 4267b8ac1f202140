// SPDX-License-Identifier: MIT
import HuskAnalysis
import HuskModel
import Testing

@Suite("Hostile bytes", .serialized)
struct MutationTests {
    /// Headers with everything in the first bytes, so that mutations meet what is read.
    private static let seeds: [[UInt8]] = [
        Array(SamplePE.file(wide: true).prefix(0x320)),
        Array(SamplePE.file(wide: false).prefix(0x320)),
        smallELF,
    ]

    /// An ELF64 of 320 bytes: two segments, a dynamic section, three symbols.
    private static let smallELF: [UInt8] = {
        var bytes = [UInt8](repeating: 0, count: 320)
        func put(_ value: UInt64, _ size: Int, _ offset: Int) {
            for index in 0..<size {
                bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(index * 8))
            }
        }
        bytes.replaceSubrange(0..<7, with: [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1])
        for (value, size, offset) in [
            (3, 2, 16), (62, 2, 18), (1, 4, 20), (0x40, 8, 32), (56, 2, 54), (2, 2, 56),
            (1, 4, 64), (0, 8, 72), (0, 8, 80), (320, 8, 96), (320, 8, 104),
            (2, 4, 120), (176, 8, 128), (176, 8, 136), (64, 8, 152), (64, 8, 160),
            (5, 8, 176), (290, 8, 184), (6, 8, 192), (216, 8, 200), (1, 8, 208), (1, 8, 216),
            (1, 4, 240),
        ] as [(UInt64, Int, Int)] {
            put(value, size, offset)
        }
        bytes.replaceSubrange(291..<297, with: Array("calloc".utf8))
        return bytes
    }()

    @Test("the seeds are images")
    func seeds() {
        for seed in Self.seeds { #expect(Carver.images(in: seed[...], at: 0).count == 1) }
    }

    @Test("a million mutated inputs make no crash, no hang and no endless result")
    func mutations() {
        var generator = Bytes.Generator(seed: 20_261_125)
        let odd: [UInt8] = [0, 1, 0x7F, 0x80, 0xFE, 0xFF]
        var carved = 0
        let clock = ContinuousClock()
        let took = clock.measure {
            for round in 0..<450_000 {
                var bytes = Self.seeds[round % 3]
                // A whole field of ones now and then: sums that overflow.
                for _ in 0..<1 + Int(generator.next() % 3) {
                    let random = generator.next()
                    let place = Int(random >> 32) % bytes.count
                    let value =
                        random & 1 == 0
                        ? odd[Int(random >> 8 & 0xFF) % 6] : UInt8(random >> 8 & 0xFF)
                    let length = random & 6 == 0 ? 8 : 1
                    for index in place..<min(bytes.count, place + length) { bytes[index] = value }
                }
                let cut = round % 5 == 0 ? Int(generator.next() % UInt64(bytes.count)) : bytes.count
                let images = Carver.images(
                    in: bytes[..<cut], at: Address(round % 7 == 0 ? .max - 100 : 0x1000))
                carved += images.count
            }
            for round in 0..<550_000 {
                let value = generator.next()
                let bytes = (0..<16).map {
                    UInt8(truncatingIfNeeded: value >> UInt64($0 % 8 * 8)) &>> UInt8(round % 3)
                }
                var scan = StringScan(
                    minimum: round % 5, encodings: Set(FoundString.Encoding.allCases))
                let found = scan.take(bytes[...], at: Address(value)) + scan.finish()
                if found.count > 40 { Issue.record("\(found.count) strings in 16 bytes") }
            }
        }
        #expect(carved > 200_000)
        // Some 20 seconds where nothing else runs; a hang is what this is about.
        #expect(took < .seconds(400), "\(took)")
        print("mutations: \(took), \(carved) images")
    }

    @Test("what mutated code looks like is always told")
    func appearances() throws {
        var generator = Bytes.Generator(seed: 7)
        let code = Array(try Bytes.libcSection(".text").prefix(1024))
        for _ in 0..<3000 {
            var bytes = code
            for _ in 0..<8 {
                bytes[Int(generator.next() % 1024)] = UInt8(truncatingIfNeeded: generator.next())
            }
            let count = Int(generator.next() % 1025)
            let appearance = Appearance(of: bytes[..<count])
            #expect(!appearance.reasons.isEmpty)
        }
    }
}
