// SPDX-License-Identifier: MIT

/// A region of an address space as it is at one moment of the timeline.
public struct MappedRegion: Hashable, Sendable {
    public var start: Address
    /// One past its last byte.
    public var end: Address
    public var protection: Protection
    /// A file's offset is that of `start`.
    public var backing: Backing
    public var isShared: Bool

    public init(
        start: Address, end: Address, protection: Protection, backing: Backing, isShared: Bool
    ) {
        self.start = start
        self.end = end
        self.protection = protection
        self.backing = backing
        self.isShared = isShared
    }

    /// Executable, and its bytes can change without a system call that says so.
    public var mayChange: Bool {
        guard protection.contains(.execute) else { return false }
        switch backing {
        case .memfd, .sharedMemory: return true
        default: return protection.contains(.write)
        }
    }

    /// The part of it that lies in a range.
    func clipped(to range: Range<Address>) -> MappedRegion {
        var part = self
        part.start = max(start, range.lowerBound)
        part.end = min(end, range.upperBound)
        part.backing = backing.advanced(by: part.start.rawValue &- start.rawValue)
        return part
    }
}

extension Backing {
    /// The same, for a region that begins so many bytes further on.
    public func advanced(by bytes: UInt64) -> Backing {
        switch self {
        case .file(let file, let offset): .file(file, offset: offset &+ bytes)
        case .memfd(let file, let offset): .memfd(file, offset: offset &+ bytes)
        case .sharedMemory(let file, let offset): .sharedMemory(file, offset: offset &+ bytes)
        default: self
        }
    }

    /// Where in its file the region begins.
    public var fileOffset: UInt64? {
        switch self {
        case .file(_, let offset), .memfd(_, let offset), .sharedMemory(_, let offset): offset
        default: nil
        }
    }
}

/// The regions of one process that are executable, or shared and writable: disjoint, by address.
///
/// Kept in blocks of bounded size, so that a process with 70,000 mappings costs as little per
/// change as one with ten.
public struct AddressSpace: Sendable {
    private var blocks: [[MappedRegion]] = []
    private static let blockLimit = 256

    public init() {}

    public var regions: some Sequence<MappedRegion> { blocks.lazy.joined() }

    public var isEmpty: Bool { blocks.isEmpty }

    /// The regions that touch a range, clipped to it.
    public func regions(in range: Range<Address>) -> [MappedRegion] {
        var found: [MappedRegion] = []
        var block = firstBlock(endingBehind: range.lowerBound)
        while block < blocks.count, let first = blocks[block].first, first.start < range.upperBound
        {
            found += blocks[block]
                .filter { $0.start < range.upperBound && range.lowerBound < $0.end }
                .map { $0.clipped(to: range) }
            block += 1
        }
        return found
    }

    public func region(at address: Address) -> MappedRegion? {
        let block = firstBlock(endingBehind: address)
        guard block < blocks.count else { return nil }
        return blocks[block].first { $0.start <= address && address < $0.end }
    }

    /// Forgets what is in a range.
    public mutating func remove(_ range: Range<Address>) {
        var block = firstBlock(endingBehind: range.lowerBound)
        while block < blocks.count, let first = blocks[block].first, first.start < range.upperBound
        {
            let from = firstIndex(in: block, endingBehind: range.lowerBound)
            var to = from
            var rest: [MappedRegion] = []
            while to < blocks[block].count, blocks[block][to].start < range.upperBound {
                let region = blocks[block][to]
                if region.start < range.lowerBound {
                    rest.append(region.clipped(to: region.start..<range.lowerBound))
                }
                if range.upperBound < region.end {
                    rest.append(region.clipped(to: range.upperBound..<region.end))
                }
                to += 1
            }
            blocks[block].replaceSubrange(from..<to, with: rest)
            if blocks[block].isEmpty {
                blocks.remove(at: block)
            } else {
                block += 1
            }
        }
    }

    /// Puts a region where it belongs, in place of what was there.
    public mutating func insert(_ region: MappedRegion) {
        guard region.start < region.end else { return }
        remove(region.start..<region.end)
        guard !blocks.isEmpty else {
            blocks = [[region]]
            return
        }
        let block = min(firstBlock(endingBehind: region.start), blocks.count - 1)
        // Nothing overlaps it any more.
        let index = firstIndex(in: block, endingBehind: region.start)
        blocks[block].insert(region, at: index)
        if blocks[block].count > Self.blockLimit {
            let half = blocks[block].count / 2
            blocks.insert(Array(blocks[block][half...]), at: block + 1)
            blocks[block].removeSubrange(half...)
        }
    }

    /// The first region of a block that ends behind an address.
    private func firstIndex(in block: Int, endingBehind address: Address) -> Int {
        var low = 0
        var high = blocks[block].count
        while low < high {
            let middle = (low + high) / 2
            if blocks[block][middle].end > address { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// The first block whose last region ends behind an address.
    private func firstBlock(endingBehind address: Address) -> Int {
        var low = 0
        var high = blocks.count
        while low < high {
            let middle = (low + high) / 2
            if let last = blocks[middle].last, last.end > address {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low
    }
}
