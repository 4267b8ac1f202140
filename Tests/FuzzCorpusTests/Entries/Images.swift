// SPDX-License-Identifier: MIT
import HuskAnalysis
import HuskModel

extension FuzzEntry {
    /// A process's memory: ELF headers in it, and files made of it.
    ///
    /// Three bytes say how it lies there, the rest is what it holds.
    static let images = FuzzEntry(name: "images", largestInput: 16_384) { bytes in
        try checkHeaders(bytes)
        var input = InputBytes(bytes)
        let memory = FuzzedMemory(&input)
        let finder = ImageFinder(memory.image, contents: memory)
        // What is wrong with an image is told as an error.
        guard let findings = try? finder.findings() else { return }
        try hold(
            findings.images.count <= 2 * ImageFinder.largestCount, "\(findings.images.count) images"
        )
        for rejected in findings.rejected { try holdPlain(rejected.reason.message, "a reason") }
        for found in findings.images.prefix(4) {
            try hold(found.parts.count <= ImageFinder.largestParts, "\(found.parts.count) parts")
            for addresses in [RebuiltImage.Addresses.linked, .captured] {
                guard
                    let rebuilt = try? RebuiltImage(
                        found, in: memory.image, contents: memory, addresses: addresses)
                else { continue }
                try check(rebuilt)
            }
        }
        if let core = try? CoreFile(memory.image, contents: memory) {
            try check(core)
        }
    }

    private static func checkHeaders(_ bytes: [UInt8]) throws {
        guard let image = try? ELFImage(bytes) else { return }
        try hold(
            image.header.tableEnd <= UInt64(bytes.count),
            "the table ends at \(image.header.tableEnd)"
        )
        guard (try? image.checkSegments()) != nil else { return }
        var end: UInt64 = 0
        for load in image.loads {
            try hold(
                load.address >= end && load.end >= load.address && load.fileSize <= load.memorySize,
                "\(load) makes no sense")
            end = load.end
        }
    }

    /// Larger ones are mostly zeros.
    private static let writtenSize: UInt64 = 4 << 20

    private static func check(_ rebuilt: RebuiltImage) throws {
        try hold(
            rebuilt.size <= RebuiltImage.largestContent + RebuiltImage.largestOverhead,
            "\(rebuilt.size) bytes")
        for remark in rebuilt.remarks { try holdPlain(remark, "a remark") }
        guard rebuilt.size <= writtenSize else { return }
        let file = try rebuilt.bytes()
        try hold(UInt64(file.count) == rebuilt.size, "\(file.count) of \(rebuilt.size) bytes")
        let read = try ELFImage(file)
        try hold(read.segments == rebuilt.segments, "segments are read as \(read.segments)")
        try hold(read.header.entry == rebuilt.entry, "the entry is read as \(read.header.entry)")
    }

    private static func check(_ core: CoreFile) throws {
        guard core.summary.size <= writtenSize else { return }
        var file: [UInt8] = []
        try core.write { file += $0 }
        try hold(UInt64(file.count) == core.summary.size, "a core of \(file.count) bytes")
        let read = try ELFImage(file)
        try hold(
            read.segments.count == core.summary.segments + 1, "\(read.segments.count) segments")
    }
}

/// A process image out of an input.
private struct FuzzedMemory: ContentSource {
    var image: ProcessImage
    private var pages: [[UInt8]] = []

    init(_ input: inout InputBytes) {
        let layout = input.byte()
        let protections = input.byte()
        let holes = input.byte()
        image = ProcessImage(
            pid: 4242, parentPID: 1, time: Timestamp(monotonic: 5, wall: 5),
            name: TargetText("sample"), is32Bit: layout & 0x80 != 0, regions: [])
        var start: UInt64 =
            [0x40_0000, 0x5555_5555_4000, 0, 0xFFFF_FFFF_FFFF_0000][Int(layout & 3)]
        let split = Int(layout >> 2 & 3)
        let rest = input.all()
        let count = (rest.count + 4095) / 4096
        var first = 0
        for (index, share) in [split, count].enumerated() {
            let end = min(count, share)
            guard first < end else { continue }
            let size = UInt64(end - first) * 4096
            var region = ProcessImage.Region(
                MappedRegion(
                    start: Address(start), end: Address(start &+ size),
                    protection: Protection(rawValue: UInt32(protections >> (index * 4) & 7)),
                    backing: .anonymous, isShared: protections >> (index * 4) & 8 != 0))
            for page in first..<end where holes >> (page & 7) & 1 == 0 {
                var bytes = Array(rest[(page * 4096)..<min(rest.count, (page + 1) * 4096)])
                bytes += [UInt8](repeating: 0, count: 4096 - bytes.count)
                region.pages.append(
                    ProcessImage.StoredPage(
                        address: Address(start &+ UInt64(page - first) * 4096), size: 4096,
                        content: ContentReference(rawValue: Int64(pages.count)), time: image.time,
                        generation: 0))
                pages.append(bytes)
            }
            image.regions.append(region)
            // Beside the one before, or some way off.
            start &+=
                size &+ (layout & 0x10 == 0 ? 0 : 0x1000) &+ (layout & 0x20 == 0 ? 0 : 0x20_0000)
            first = end
        }
    }

    func bytes(of content: ContentReference) throws -> [UInt8] { pages[Int(content.rawValue)] }
}
