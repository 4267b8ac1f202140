// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc
internal import Synchronization

/// Ends of children that an enforcer has taken note of although they are someone else's to wait
/// for: a process has two that may wait for it, its parent and its tracer, and if both are threads
/// of Husk only one of them is told.
enum ReapedChildren {
    private static let statuses = Mutex<[Int32: Int32]>([:])

    /// For the tracer.
    static func reap(_ tid: Int32) {
        statuses.withLock { known in
            var status: Int32 = 0
            if husk_trace_reap(tid, &status) == 0 { known[tid] = status }
        }
    }

    /// For the parent: the status as waitpid(2) gives it; nil: it still runs, or -1: unknown.
    static func status(of pid: Int32) -> Int32? {
        statuses.withLock { known in
            if let status = known.removeValue(forKey: pid) { return status }
            switch husk_child_has_ended(pid) {
            case 0: return nil
            case 1:
                var status: Int32 = 0
                return waitpid(pid, &status, WNOHANG) == pid ? status : nil
            default: return -1
            }
        }
    }
}
