// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc
internal import HuskModel

/// A process that can be traced.
enum TargetProcess {
    /// A pidfd: readable once the whole process has ended. A class, because arrays do not
    /// hold types that cannot be copied.
    final class Handle: Sendable {
        let pid: Int32
        private let descriptor: OwnedDescriptor
        var number: Int32 { descriptor.number }

        init(pid: Int32, _ descriptor: consuming OwnedDescriptor) {
            self.pid = pid
            self.descriptor = descriptor
        }

        /// Whether every thread has ended. A process whose first thread has ended looks like a
        /// zombie in /proc while others run.
        var hasEnded: Bool {
            var state = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
            return poll(&state, 1, 0) == 1
        }
    }

    /// Checks with kill(2) that the process exists, and that it is one with memory of its own.
    static func open(pid: Int32) throws(HuskError) -> Handle {
        guard pid > 0 else {
            throw HuskError(
                .invalidPID, "\(pid) is not a process ID",
                hint: "a process ID is a number from 1 on; `ps -e` lists them")
        }
        guard pid != getpid() else {
            throw HuskError(
                .notTraceable, "process \(pid) is Husk itself",
                hint: "Husk would wait for itself; trace another process")
        }
        // EPERM means that it exists and belongs to someone else.
        if kill(pid, 0) != 0, errno == ESRCH {
            throw HuskError(
                .noSuchProcess, "there is no process \(pid)",
                hint: "it may have ended already; `ps -e` lists those that run")
        }
        if let facts = ProcessFacts(of: pid) {
            guard facts.processID == pid else {
                throw HuskError(
                    .notTraceable, "\(pid) is a thread of process \(facts.processID)",
                    hint: "Husk traces whole processes: use \(facts.processID)")
            }
            guard !facts.isKernelThread else {
                throw HuskError(
                    .notTraceable, "process \(pid) is a kernel thread",
                    hint: "kernel threads have no memory of their own")
            }
        }
        let opened = husk_pidfd_open(pid)
        guard opened != -ESRCH else {
            throw HuskError(.noSuchProcess, "process \(pid) has just ended")
        }
        let handle = Handle(
            pid: pid, try OwnedDescriptor(resultOf: opened, "pidfd_open of process \(pid)"))
        guard !handle.hasEnded else {
            throw HuskError(
                .notTraceable, "process \(pid) has ended already (zombie)",
                hint: "its memory is gone; it waits for its parent to take note")
        }
        return handle
    }
}
