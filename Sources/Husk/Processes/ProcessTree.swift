// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc

/// How processes belong together, as /proc tells it at this moment.
enum ProcessTree {
    /// All processes that are visible here, with their parents.
    private static func parents() -> [Int32: Int32] {
        var parents: [Int32: Int32] = [:]
        for pid in ProcFolder.numbers(in: "/proc") {
            parents[pid] = ProcFolder(process: pid).stat(.parent).flatMap { Int32($0) }
        }
        return parents
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
        for pid in ProcFolder.numbers(in: "/proc") where !roots.contains(pid) && pid != getpid() {
            if roots.contains(where: { husk_processes_share_memory(pid, $0) == 1 }) {
                found.insert(pid)
            }
        }
        return found
    }
}
