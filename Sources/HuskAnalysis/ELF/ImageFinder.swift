// SPDX-License-Identifier: MIT
public import HuskModel

/// Finds programs and libraries in the memory of a process.
///
/// By an ELF header at the start of a page; where code without a file has none, by its layout;
/// or at an address that someone names.
public struct ImageFinder {
    /// More headers are only counted: a target can fill its memory with them.
    public static let largestCount = 1000
    /// Regions this many bytes apart, at most, still are one layout: the padding between segments.
    public static let largestGap: UInt64 = 64 * 1024
    /// An image has no more regions than this.
    public static let largestParts = 1024

    private let image: ProcessImage
    let reader: MemoryReader
    private let regions: [MappedRegion]

    public init(_ image: ProcessImage, contents: any ContentSource) {
        self.image = image
        reader = MemoryReader(image, contents: contents)
        var position: Address = 0
        // Where the image disagrees with itself, the lower region is taken.
        regions = image.regions.map(\.mapping).filter { region in
            guard region.start < region.end, region.start >= position else { return false }
            position = region.end
            return true
        }
    }

    /// Everything that looks like an image.
    ///
    /// Reads the first bytes of each page. Throws what the source throws, and ``ELFError`` for a
    /// damaged content.
    public func findings() throws -> ImageFindings {
        var findings = ImageFindings()
        for page in reader.pages {
            var address = page.address.rawValue.roundedUp(to: 4096)
            while address < page.end.rawValue {
                try look(at: Address(address), &findings)
                let (next, overflow) = address.addingReportingOverflow(4096)
                guard !overflow else { break }
                address = next
            }
        }
        findLayouts(&findings)
        findings.images.sort { ($0.base, $0.evidence.order) < ($1.base, $1.evidence.order) }
        return findings
    }

    private func look(at address: Address, _ findings: inout ImageFindings) throws {
        guard try reader.knownPrefix(at: address, limit: 4) == [0x7F, 0x45, 0x4C, 0x46] else {
            return
        }
        guard findings.images.count + findings.rejected.count < Self.largestCount else {
            findings.uncounted += 1
            return
        }
        do {
            findings.images.append(try headedImage(at: address))
        } catch let reason as ELFError where reason.code != .badContent {
            findings.rejected.append(RejectedHeader(address: address, reason: reason))
        }
    }

    /// The image at an address: by its header if it has one that makes sense, else the region that
    /// holds it and those around it.
    ///
    /// Throws ``ELFError`` if nothing is mapped there, and what the source throws.
    public func image(at base: Address) throws -> FoundImage {
        guard let index = regions.firstIndex(where: { $0.start <= base && base < $0.end }) else {
            throw ELFError(
                .missing, "no region of the image holds \(base)",
                hint: "the address must be in a region that is mapped at that time")
        }
        do {
            return try headedImage(at: base)
        } catch let reason as ELFError where reason.code != .badContent {
            let group = layout(around: index, from: 0) { _ in true }
            return FoundImage(
                evidence: .address, form: .loaded, base: base, headers: nil,
                parts: Array(regions[group]))
        }
    }

    private func headedImage(at base: Address) throws -> FoundImage {
        let headers = try ELFImage(at: base, in: reader)
        try headers.checkSegments()
        var found = FoundImage(
            evidence: .header, form: .loaded, base: base, headers: headers, parts: [])
        found.parts = loadedParts(headers, bias: found.bias)
        let runsHere: Bool =
            switch headers.header.kind {
            case .executable: found.bias == 0
            // A file of it in a buffer has its code where nothing is executable.
            default: found.isExecutable
            }
        if !runsHere {
            found.form = .file
            let length = headers.segments.reduce(headers.header.tableEnd) {
                let (end, overflow) = $1.offset.addingReportingOverflow($1.fileSize)
                return max($0, overflow ? 0 : end)
            }
            let (end, overflow) = base.rawValue.addingReportingOverflow(length)
            found.parts = parts(of: base..<Address(overflow ? .max : end))
        }
        guard found.parts.count <= Self.largestParts else {
            throw ELFError(.malformed, "its segments cover too many regions")
        }
        guard !found.parts.isEmpty else {
            throw ELFError(.malformed, "none of its segments is mapped")
        }
        return found
    }

    private func loadedParts(_ headers: ELFImage, bias: UInt64) -> [MappedRegion] {
        var result: [MappedRegion] = []
        for segment in headers.loads {
            let start = segment.address &+ bias
            let (end, overflow) = start.addingReportingOverflow(segment.memorySize)
            guard !overflow, start < end else { continue }
            result += parts(of: Address(start)..<Address(end))
            // That is for the caller to refuse.
            if result.count > Self.largestParts { break }
        }
        // A target's segments may be moved around the end of the address space.
        return result.sorted { $0.start < $1.start }
    }

    /// The regions in a range, clipped to it.
    private func parts(of range: Range<Address>) -> [MappedRegion] {
        var low = 0
        var high = regions.count
        while low < high {
            let middle = (low + high) / 2
            if regions[middle].end > range.lowerBound { high = middle } else { low = middle + 1 }
        }
        let found = regions[low...].prefix(Self.largestParts + 1)
            .prefix { $0.start < range.upperBound }
        return found.map { region in
            var part = region
            part.start = max(region.start, range.lowerBound)
            part.end = min(region.end, range.upperBound)
            part.backing = region.backing.advanced(
                by: part.start.rawValue - region.start.rawValue)
            return part
        }
    }

    private func findLayouts(_ findings: inout ImageFindings) {
        // Ascending, so that one pass over the regions finds what is taken.
        let taken = findings.images.filter { $0.form == .loaded }.flatMap(\.parts)
            .sorted { $0.start < $1.start }
        func isFree(_ region: MappedRegion) -> Bool {
            var low = 0
            var high = taken.count
            while low < high {
                let middle = (low + high) / 2
                if taken[middle].end > region.start { high = middle } else { low = middle + 1 }
            }
            return low == taken.count || taken[low].start >= region.end
        }
        let free = regions.map { Self.isWithoutFile($0) && isFree($0) }
        var index = 0
        var done = 0
        while index < regions.count, findings.images.count < Self.largestCount {
            guard free[index], regions[index].protection.contains(.execute),
                !reader.known(in: regions[index].start..<regions[index].end).isEmpty
            else {
                index += 1
                continue
            }
            let group = layout(around: index, from: done) { free[$0] }
            findings.images.append(
                FoundImage(
                    evidence: .layout, form: .loaded, base: regions[group.lowerBound].start,
                    headers: nil, parts: Array(regions[group])))
            index = group.upperBound
            done = index
        }
    }

    /// Whether unpacked code may be in it: nothing in a folder has these bytes.
    private static func isWithoutFile(_ region: MappedRegion) -> Bool {
        switch region.backing {
        case .anonymous, .heap, .memfd, .sharedMemory, .unknown: true
        case .file(let file, _): file.linkCount == 0
        case .none, .special, .stack: false
        }
    }

    /// The regions that follow each other around one, as far as they are allowed.
    private func layout(
        around index: Int, from first: Int, allowed: (Int) -> Bool
    ) -> Range<Int> {
        var low = index
        var high = index + 1
        while low > first, high - low < Self.largestParts, allowed(low - 1),
            gap(before: low) <= Self.largestGap
        {
            low -= 1
        }
        while high < regions.count, high - low < Self.largestParts, allowed(high),
            gap(before: high) <= Self.largestGap
        {
            high += 1
        }
        return low..<high
    }

    private func gap(before index: Int) -> UInt64 {
        regions[index].start.rawValue - regions[index - 1].end.rawValue
    }
}

extension FoundImage.Evidence {
    fileprivate var order: Int {
        switch self {
        case .header: 0
        case .layout: 1
        case .address: 2
        }
    }
}
