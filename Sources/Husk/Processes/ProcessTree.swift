// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc

/// How processes belong together, as /proc tells it at this moment.
enum ProcessTree {
    /// All processes that are visible here, with their parents.
    private static func parents() -> [Int32: Int32] {
        var parents: [Int32: Int32] = [:]
        for pid in allProcesses() {
            guard let stat = readFile("/proc/\(pid)/stat", limit: 4096),
                // The name stands in parentheses and may hold anything, parentheses too.
                let close = stat.lastIndex(of: UInt8(ascii: ")"))
            else { continue }
            let fields = String(decoding: stat[(close + 1)...], as: UTF8.self)
                .split(separator: " ")
            if fields.count > 1, let parent = Int32(fields[1]) { parents[pid] = parent }
        }
        return parents
    }

    private static func allProcesses() -> [Int32] {
        guard let folder = opendir("/proc") else { return [] }
        defer { closedir(folder) }
        var found: [Int32] = []
        while let entry = readdir(folder) {
            // Safe: d_name is a zero-terminated string within the entry.
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let pid = Int32(name) { found.append(pid) }
        }
        return found
    }

    /// The children of these processes, their children, and so on. Those whose parent has ended
    /// belong to no one any more (but to init or a subreaper), and are not found.
    static func descendants(of roots: [Int32]) -> Set<Int32> {
        var children: [Int32: [Int32]] = [:]
        for (child, parent) in parents() { children[parent, default: []].append(child) }
        var found: Set<Int32> = []
        var rest = roots
        while let next = rest.popLast() {
            for child in children[next] ?? [] where found.insert(child).inserted {
                rest.append(child)
            }
        }
        return found.subtracting(roots)
    }

    /// Processes that share their memory with one of these (CLONE_VM without CLONE_THREAD), by
    /// kcmp(2).
    static func sharers(ofMemoryOf roots: [Int32]) -> Set<Int32> {
        var found: Set<Int32> = []
        for pid in allProcesses() where !roots.contains(pid) && pid != getpid() {
            if roots.contains(where: { husk_processes_share_memory(pid, $0) == 1 }) {
                found.insert(pid)
            }
        }
        return found
    }
}
