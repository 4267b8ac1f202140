// SPDX-License-Identifier: MIT
internal import HuskModel

/// Which memory a core file has, in which program headers.
///
/// One segment per run of known pages of one protection. If those are too many, what costs least
/// goes first, always in the same order:
/// 1. runs that touch become one, with the rights of both: no byte is invented;
/// 2. the smallest holes, of ``largestHole`` at most, are filled with zeros, the lower first;
/// 3. the shortest runs are left out, the higher first.
/// What that has changed is counted.
struct CoreSegments {
    struct Segment: Hashable {
        var range: Range<Address>
        var protection: Protection
    }

    /// Bytes of the longest hole that is filled.
    static let largestHole: UInt64 = 1 << 20

    private(set) var segments: [Segment] = []
    private(set) var filledPages: UInt64 = 0
    private(set) var droppedPages: UInt64 = 0
    private(set) var mergedRuns = 0
    private(set) var capturedBytes: UInt64 = 0

    init(_ image: ProcessImage, reader: MemoryReader, limit: Int) {
        let limit = max(1, limit)
        var position: Address = 0
        for region in image.regions {
            let start = max(region.mapping.start, position)
            guard start < region.mapping.end else { continue }
            position = region.mapping.end
            for range in reader.known(in: start..<region.mapping.end) {
                if let last = segments.last, last.range.upperBound == range.lowerBound,
                    last.protection == region.mapping.protection
                {
                    segments[segments.count - 1].range = last.range.lowerBound..<range.upperBound
                } else {
                    segments.append(
                        Segment(range: range, protection: region.mapping.protection))
                }
            }
        }
        if segments.count > limit { merge(to: limit) }
        if segments.count > limit { drop(to: limit) }
        capturedBytes = segments.reduce(0) { sum, segment in
            sum + reader.known(in: segment.range).reduce(0) { $0 + $1.byteCount }
        }
    }

    private mutating func merge(to limit: Int) {
        let holes = (1..<segments.count)
            .map { (index: $0, size: hole(before: $0)) }
            .filter { $0.size <= Self.largestHole }
            .sorted { ($0.size, $0.index) < ($1.size, $1.index) }
            .prefix(segments.count - limit)
        let joined = Set(holes.map(\.index))
        filledPages = holes.reduce(0) { $0 + $1.size.roundedUp(to: 4096) / 4096 }
        mergedRuns = holes.count
        var result: [Segment] = []
        for (index, segment) in segments.enumerated() {
            if joined.contains(index), let last = result.last {
                result[result.count - 1] = Segment(
                    range: last.range.lowerBound..<segment.range.upperBound,
                    protection: last.protection.union(segment.protection))
            } else {
                result.append(segment)
            }
        }
        segments = result
    }

    private func hole(before index: Int) -> UInt64 {
        segments[index].range.lowerBound.rawValue - segments[index - 1].range.upperBound.rawValue
    }

    private mutating func drop(to limit: Int) {
        let dropped = segments.enumerated()
            .sorted {
                ($0.element.range.byteCount, $1.offset) < ($1.element.range.byteCount, $0.offset)
            }
            .prefix(segments.count - limit)
        droppedPages = dropped.reduce(0) {
            $0 + $1.element.range.byteCount.roundedUp(to: 4096) / 4096
        }
        let indices = Set(dropped.map(\.offset))
        segments = segments.enumerated().filter { !indices.contains($0.offset) }.map(\.element)
    }
}
