// SPDX-License-Identifier: MIT
internal import Glibc

/// How far the ring has been written and read: the kernel's own words for it (bpf/ringbuf.c), at
/// the beginnings of the map's first two pages. Reading them is no system call.
final class RingPositions: Sendable {
    /// Unsafe: two pages of the map, read only, mapped from init to deinit. The kernel changes them;
    /// an aligned word is read in one go.
    private nonisolated(unsafe) let pages: UnsafeMutableRawPointer
    private let pageSize: Int
    /// In bytes.
    private let ringSize: UInt64

    /// Nil: they cannot be mapped.
    init?(ring descriptor: Int32, size: Int) {
        pageSize = Int(getpagesize())
        ringSize = UInt64(size)
        guard let mapped = mmap(nil, 2 * pageSize, PROT_READ, MAP_SHARED, descriptor, 0),
            mapped != MAP_FAILED
        else { return nil }
        pages = mapped
    }

    deinit { munmap(pages, 2 * pageSize) }

    var consumer: UInt64 { pages.load(as: UInt64.self) }

    private var producer: UInt64 { pages.load(fromByteOffset: pageSize, as: UInt64.self) }

    /// From 0 to 1.
    var fill: Double {
        // In this order: what is read meanwhile cannot make it negative.
        let read = consumer
        return min(1, Double(producer &- read) / Double(ringSize))
    }
}
