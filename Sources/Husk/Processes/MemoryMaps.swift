// SPDX-License-Identifier: MIT
internal import Glibc
internal import HuskModel

/// The regions of a process as /proc/PID/maps tells them (proc_pid_maps(5)).
enum MemoryMaps {
    /// Nil: the process has ended, or may not be looked at.
    static func regions(of pid: Int32) -> [MappedRegion]? {
        var text = readFile("/proc/\(pid)/maps") ?? []
        if text.isEmpty {
            let holder = ProcessFacts.memoryHolder(of: pid)
            if holder != pid { text = readFile("/proc/\(holder)/maps") ?? [] }
        }
        guard !text.isEmpty else { return nil }
        return text.split(separator: UInt8(ascii: "\n")).compactMap { region(from: $0) }
    }

    /// One line: `start-end perms offset major:minor inode   path`. The path may hold anything;
    /// a newline in it is written as `\012`.
    static func region(from line: some Collection<UInt8>) -> MappedRegion? {
        let fields = line.split(
            separator: UInt8(ascii: " "), maxSplits: 5, omittingEmptySubsequences: true)
        guard fields.count >= 5 else { return nil }
        let numbers = [fields[0], fields[3]].map { field in
            field.split { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ":") }
                .map { UInt64(String(decoding: $0, as: UTF8.self), radix: 16) }
        }
        let permissions = Array(fields[1])
        // [vsyscall] is listed, lies in the kernel's half and is not the process's.
        guard numbers.allSatisfy({ $0.count == 2 }), permissions.count == 4,
            let start = numbers[0][0], let end = numbers[0][1], start < end, end <= 1 << 63,
            let major = numbers[1][0], let minor = numbers[1][1],
            let offset = UInt64(String(decoding: fields[2], as: UTF8.self), radix: 16),
            let inode = UInt64(String(decoding: fields[4], as: UTF8.self))
        else { return nil }
        var protection: Protection = []
        if permissions[0] == UInt8(ascii: "r") { protection.insert(.read) }
        if permissions[1] == UInt8(ascii: "w") { protection.insert(.write) }
        if permissions[2] == UInt8(ascii: "x") { protection.insert(.execute) }
        let path = fields.count > 5 ? Array(fields[5].drop { $0 == UInt8(ascii: " ") }) : []
        return MappedRegion(
            start: Address(start), end: Address(end), protection: protection,
            backing: backing(
                path, inode: inode,
                device: (UInt32(truncatingIfNeeded: major), UInt32(truncatingIfNeeded: minor)),
                offset: offset),
            isShared: permissions[3] == UInt8(ascii: "s"))
    }

    private static func backing(
        _ path: [UInt8], inode: UInt64, device: (major: UInt32, minor: UInt32), offset: UInt64
    ) -> Backing {
        guard inode != 0 else {
            switch String(decoding: path, as: UTF8.self) {
            case "[heap]": return .heap
            case "[stack]": return .stack
            case "[vdso]", "[vvar]", "[vvar_vclock]", "[vsyscall]", "[uprobes]": return .special
            default: return .anonymous
            }
        }
        let deleted = Array(" (deleted)".utf8)
        let isDeleted = path.suffix(deleted.count).elementsEqual(deleted)
        let bytes = unescaped(isDeleted ? Array(path.dropLast(deleted.count)) : path)
        let isPathless =
            isDeleted
            && ["/memfd:", "/SYSV", "/dev/zero"].contains { bytes.starts(with: Array($0.utf8)) }
        let name = bytes.split(separator: UInt8(ascii: "/")).last.map(Array.init) ?? []
        let file = FileIdentity(
            deviceMajor: device.major, deviceMinor: device.minor, inode: inode,
            linkCount: isDeleted ? 0 : 1,
            name: TargetText(bytes: isPathless ? Array(bytes.dropFirst()) : name),
            path: isPathless ? nil : TargetText(bytes: bytes))
        return isPathless
            ? Backing(pathless: file, offset: offset) : .file(file, offset: offset)
    }

    /// The kernel writes a newline as `\012` (seq_path(), fs/seq_file.c), and nothing else so.
    private static func unescaped(_ path: [UInt8]) -> [UInt8] {
        let newline = Array("\\012".utf8)
        var result: [UInt8] = []
        var rest = path[...]
        while let first = rest.first {
            if first == newline[0], rest.prefix(4).elementsEqual(newline) {
                result.append(UInt8(ascii: "\n"))
                rest = rest.dropFirst(4)
            } else {
                result.append(first)
                rest = rest.dropFirst()
            }
        }
        return result
    }
}
