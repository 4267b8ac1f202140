// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc

/// Reads another process's memory from outside, while that process runs.
enum MemoryReader {
    /// The whole page at `address`, or the errno. Faults pages in on the target's behalf.
    static func readPage(of pid: Int32, at address: UInt64, size: Int) -> Result<[UInt8], Errno> {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            // Safe: at most `size` bytes are written to our own buffer; the remote address
            // is only a number to this process.
            let result = husk_process_read(pid, address, buffer.baseAddress, size)
            count = result == size ? size : 0
            failure = result < 0 ? Int32(-result) : EFAULT
        }
        return bytes.isEmpty ? .failure(Errno(rawValue: failure)) : .success(bytes)
    }

    /// The page at `address` through /proc/PID/mem, which passes over protection (FOLL_FORCE);
    /// nil if no page exists there.
    static func readProtectedPage(
        of pid: Int32, at address: UInt64, size: Int
    ) -> Result<[UInt8]?, Errno> {
        if isPopulated(pid, address) == false { return .success(nil) }
        let number = open("/proc/\(pid)/mem", O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return .failure(Errno(rawValue: errno)) }
        let memory = OwnedDescriptor(number)
        guard let offset = Int(exactly: address) else { return .failure(Errno(rawValue: EFAULT)) }
        var page = [UInt8](repeating: 0, count: size)
        // Safe: pread writes at most `size` bytes to our own array.
        let count = retryingInterrupted { pread(memory.number, &page, size, offset) }
        return count == size
            ? .success(page) : .failure(Errno(rawValue: count < 0 ? Int32(-count) : EFAULT))
    }

    /// Whether a page is in memory or swapped out, by /proc/PID/pagemap (proc_pid_pagemap(5):
    /// bits 63 and 62); nil if that cannot be told.
    static func isPopulated(_ pid: Int32, _ address: UInt64) -> Bool? {
        let number = open("/proc/\(pid)/pagemap", O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return nil }
        let pagemap = OwnedDescriptor(number)
        var entry: UInt64 = 0
        let offset = Int(address / 4096 * 8)
        // Safe: eight bytes into an integer of eight.
        guard retryingInterrupted({ pread(pagemap.number, &entry, 8, offset) }) == 8 else {
            return nil
        }
        return entry >> 62 != 0
    }

    struct Errno: Error {
        var rawValue: Int32
    }
}
