// SPDX-License-Identifier: MIT
internal import Glibc

enum PIDNamespace {
    /// PROC_PID_INIT_INO, include/linux/proc_ns.h: the initial namespace's fixed number.
    private static let initial: UInt64 = 0xEFFF_FFFC

    /// The inode of this process's PID namespace; 0 for the initial one (and where /proc
    /// does not tell).
    static func inodeUnlessInitial() -> UInt32 {
        var status = stat()
        guard stat("/proc/self/ns/pid", &status) == 0, status.st_ino != initial else { return 0 }
        return UInt32(truncatingIfNeeded: status.st_ino)
    }
}

enum HiddenPages {
    /// Whether an anonymous page that is not resident may have content nevertheless: it is
    /// swapped out, or kept from the CPU for a moment by NUMA balancing.
    static var arePossible: Bool {
        let balancing = readFile("/proc/sys/kernel/numa_balancing", limit: 16) ?? []
        return isSwapInUse || (balancing.first.map { $0 != UInt8(ascii: "0") } ?? false)
    }

    static var isSwapInUse: Bool {
        guard let text = readFile("/proc/swaps", limit: 1 << 16) else { return true }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").count > 1
    }
}
