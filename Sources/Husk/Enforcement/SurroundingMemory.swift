// SPDX-License-Identifier: MIT
internal import HuskModel

/// Reads what is around code that is about to run for the first time: stack, data, the rest of its
/// region. That makes core files with a call stack, and unpacked programs with their data.
struct SurroundingMemory {
    /// Pages that are read for one execution, and for all of a process.
    private static let limit = 4096
    private static let processLimit = 16_384
    /// Bytes of the stack, from its pointer on.
    private static let stackLimit: UInt64 = 256 << 10

    private var pagesLeft: [Int32: Int] = [:]

    /// Nil: the process has had its share, or is gone.
    mutating func read(
        of pid: Int32, around address: UInt64, stackPointer: UInt64
    ) -> ExecutionMemory? {
        // Processes come and go, and numbers are given again.
        if pagesLeft.count > 4096 { pagesLeft.removeAll() }
        let left = pagesLeft[pid, default: Self.processLimit]
        guard left > 0, let mappings = MemoryMaps.regions(of: pid) else { return nil }
        var budget = min(left, Self.limit)
        let before = budget
        var memory = OutsideMemory(of: pid)
        var pages: [ExecutionMemory.StoredPage] = []
        // The target waits meanwhile, and may have reserved any number of terabytes.
        var reach = Self.reach
        for range in Self.ranges(of: mappings, around: address, stackPointer)
        where budget > 0 && reach > 0 {
            let range = Self.nearest(range, to: address, limit: reach)
            reach -= range.upperBound.rawValue - range.lowerBound.rawValue
            for page in memory.populatedPages(in: range)?.addresses ?? [] where budget > 0 {
                guard case .success(let bytes) = memory.readPage(at: page) else { continue }
                pages.append(
                    ExecutionMemory.StoredPage(
                        address: Address(page), content: PageContent(bytes)))
                budget -= 1
            }
        }
        pagesLeft[pid] = left - (before - budget)
        return ExecutionMemory(
            mappings: mappings, pages: pages.sorted { $0.address < $1.address })
    }

    /// How many bytes of address space are gone through for pages that exist.
    private static let reach: UInt64 = 4 << 30

    /// The part of a range, at most `limit` bytes, that lies nearest to an address.
    private static func nearest(_ range: Range<Address>, to address: UInt64, limit: UInt64)
        -> Range<
            Address
        >
    {
        let start = range.lowerBound.rawValue
        let length = range.upperBound.rawValue - start
        guard length > limit else { return range }
        let middle = min(max(address & ~4095, start), start + length)
        let first = min(max(middle, start + limit / 2) - limit / 2, start + length - limit)
        return Address(first & ~4095)..<Address((first & ~4095) + limit)
    }

    /// The stack first, then what may hold data: the nearest to the code first.
    private static func ranges(
        of mappings: [MappedRegion], around address: UInt64, _ stackPointer: UInt64
    ) -> [Range<Address>] {
        let pointer = Address(stackPointer & ~4095)
        var stack: [Range<Address>] = []
        var others: [MappedRegion] = []
        for mapping in mappings {
            if mapping.start <= pointer, pointer < mapping.end {
                let end = min(
                    mapping.end.rawValue - pointer.rawValue, Self.stackLimit)
                stack = [pointer..<pointer.advanced(by: end)]
            } else if mapping.holdsData {
                others.append(mapping)
            }
        }
        func distance(_ mapping: MappedRegion) -> UInt64 {
            address < mapping.start.rawValue
                ? mapping.start.rawValue - address
                : address < mapping.end.rawValue ? 0 : address - mapping.end.rawValue
        }
        return stack + others.sorted { distance($0) < distance($1) }.map { $0.start..<$0.end }
    }
}

extension MappedRegion {
    /// It may hold bytes that are in no file: private and written to, or without a file.
    fileprivate var holdsData: Bool {
        guard protection.contains(.read), !isShared else { return false }
        switch backing {
        case .anonymous, .heap, .stack: return true
        case .file: return protection.contains(.write)
        case .none, .unknown, .special, .memfd, .sharedMemory: return false
        }
    }
}
