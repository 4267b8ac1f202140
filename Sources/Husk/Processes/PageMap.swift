// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc
internal import HuskModel
internal import Synchronization

/// Which pages of a process exist: /proc/PID/pagemap (proc_pid_pagemap(5)).
final class PageMap {
    /// Pages that are in memory or swapped out.
    struct Populated {
        /// Ascending.
        var addresses: [UInt64] = []
        /// Behind it nothing was looked at: a range may be of any size.
        var end: Address
    }

    private let file: OwnedDescriptor

    /// Nil: it cannot be opened.
    init?(of pid: Int32) {
        let number = open("/proc/\(pid)/pagemap", O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return nil }
        file = OwnedDescriptor(number)
    }

    /// The pages of a range that exist; nil: that cannot be told.
    func populatedPages(in range: Range<Address>) -> Populated? {
        if Self.canBeScanned.load(ordering: .relaxed) {
            switch scan(range) {
            case .success(let found): return found
            case .failure(let failure) where failure.rawValue == ENOTTY:
                Self.canBeScanned.store(false, ordering: .relaxed)
            case .failure: return nil
            }
        }
        return read(range)
    }

    private static let pageSize: UInt64 = 4096
    private static let mayBeSwapped = HiddenPages.isSwapInUse

    /// Without swap, what is swapped out and write-protected is the mark of a guard on a page that
    /// does not exist (a PTE marker).
    private static func isThere(isPresent: Bool, isSwapped: Bool, isKept: Bool) -> Bool {
        isPresent || (isSwapped && (!isKept || mayBeSwapped))
    }

    // MARK: Asking for those that exist (Linux 6.7)

    /// Until it is found out that the kernel cannot be asked.
    private static let canBeScanned = Atomic(true)

    private func scan(_ range: Range<Address>) -> Result<Populated, OutsideMemory.Errno> {
        let end = range.upperBound.rawValue & ~(Self.pageSize - 1)
        var start = range.lowerBound.rawValue & ~(Self.pageSize - 1)
        var found = Populated(end: range.upperBound)
        var runs = [husk_page_run](repeating: .init(), count: 512)
        while start < end {
            var next: UInt64 = 0
            // Safe: at most as many runs as there is room for, into our own array.
            let count = husk_scan_pages(file.number, start, end, &runs, runs.count, &next)
            guard count >= 0 else { return .failure(OutsideMemory.Errno(rawValue: -count)) }
            for run in runs.prefix(Int(count)) where Self.isThere(run) {
                found.addresses += stride(from: run.start, to: run.end, by: Int(Self.pageSize))
            }
            guard next > start else { break }
            start = next
        }
        return .success(found)
    }

    private static func isThere(_ run: husk_page_run) -> Bool {
        func has(_ category: Int) -> Bool {
            run.categories & UInt64(category) != 0
        }
        return isThere(
            isPresent: has(HUSK_PAGES_PRESENT), isSwapped: has(HUSK_PAGES_SWAPPED),
            isKept: !has(HUSK_PAGES_WRITTEN))
    }

    // MARK: Looking at each, existing or not

    /// 256 GiB of addresses: a second or so.
    private static let pageLimit: UInt64 = 1 << 26

    private func read(_ range: Range<Address>) -> Populated? {
        var page = range.lowerBound.rawValue / Self.pageSize
        let wanted = range.upperBound.rawValue / Self.pageSize
        let last = min(wanted, page + Self.pageLimit)
        var found = Populated(
            end: last < wanted ? Address(last * Self.pageSize) : range.upperBound)
        var entries = [UInt64](repeating: 0, count: Int(min(8192, max(1, last - min(page, last)))))
        while page < last {
            let count = Int(min(UInt64(entries.count), last - page))
            // Safe: at most `count` entries of eight bytes into our own array.
            let size = retryingInterrupted {
                pread(file.number, &entries, count * 8, Int(page * 8))
            }
            guard size > 0 else { return found.addresses.isEmpty && size < 0 ? nil : found }
            for index in 0..<(size / 8) where entries[index] != 0 && Self.isThere(entries[index]) {
                found.addresses.append((page + UInt64(index)) * Self.pageSize)
            }
            page += UInt64(max(1, size / 8))
        }
        return found
    }

    private static func isThere(_ entry: UInt64) -> Bool {
        isThere(
            isPresent: entry >> 63 & 1 != 0, isSwapped: entry >> 62 & 1 != 0,
            isKept: entry >> 57 & 1 != 0)
    }
}
