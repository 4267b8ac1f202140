// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc
internal import HuskModel

/// What /proc/PID/stat and /proc/PID/status tell of a process.
struct ProcessFacts {
    var isKernelThread: Bool
    var processID: Int32

    private static let kernelThreadFlag: UInt64 = 0x0020_0000  // PF_KTHREAD, linux/sched.h

    init?(of pid: Int32) {
        guard let stat = readFile("/proc/\(pid)/stat"),
            // The name stands in parentheses and may hold anything, parentheses too.
            let close = stat.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = String(decoding: stat[(close + 1)...], as: UTF8.self)
            .split(separator: " ")
        guard fields.count > 6, let flags = UInt64(fields[6])
        else { return nil }
        isKernelThread = flags & Self.kernelThreadFlag != 0
        processID = pid
        if let status = readFile("/proc/\(pid)/status") {
            for line in String(decoding: status, as: UTF8.self).split(separator: "\n")
            where line.hasPrefix("Tgid:") {
                processID = Int32(line.dropFirst(5).drop { $0 == "\t" || $0 == " " }) ?? pid
            }
        }
    }
}

extension ProcessFacts {
    /// Whether a thread runs, or could, at this moment: it does not wait in the kernel.
    static func isRunning(_ tid: Int32, of pid: Int32) -> Bool {
        guard let stat = readFile("/proc/\(pid)/task/\(tid)/stat", limit: 4096),
            let close = stat.lastIndex(of: UInt8(ascii: ")")), close + 2 < stat.count
        else { return false }
        return stat[close + 2] == UInt8(ascii: "R")
    }

    /// Who traces a process with ptrace(2); nil: no one.
    static func tracer(of pid: Int32) -> Int32? {
        guard let status = readFile("/proc/\(pid)/status") else { return nil }
        for line in String(decoding: status, as: UTF8.self).split(separator: "\n")
        where line.hasPrefix("TracerPid:") {
            let number = Int32(line.dropFirst(10).drop { $0 == "\t" || $0 == " " })
            return number == 0 ? nil : number
        }
        return nil
    }

    /// The threads that a process has at this moment.
    static func threads(of pid: Int32) -> [Int32] {
        guard let folder = opendir("/proc/\(pid)/task") else { return [] }
        defer { closedir(folder) }
        var found: [Int32] = []
        while let entry = readdir(folder) {
            // Safe: d_name is a C string within the entry, which stays until the next readdir.
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let number = Int32(name) { found.append(number) }
        }
        return found
    }

    /// The first thread's name (/proc/PID/comm); empty if the process has ended.
    static func name(of pid: Int32) -> TargetText {
        let bytes = readFile("/proc/\(pid)/comm", limit: 64) ?? []
        return TargetText(bytes: bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes)
    }
}

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
