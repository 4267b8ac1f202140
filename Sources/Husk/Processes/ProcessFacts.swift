// SPDX-License-Identifier: MIT
internal import HuskModel

/// What kind of process or thread a number is at this moment.
struct ProcessFacts {
    var isKernelThread: Bool
    /// Of the process, if the number asked for is that of a thread.
    var processID: Int32

    private static let kernelThreadFlag: UInt64 = 0x0020_0000  // PF_KTHREAD, linux/sched.h

    init?(of pid: Int32) {
        let folder = ProcFolder(process: pid)
        guard let flags = folder.stat(.flags).flatMap({ UInt64($0) }) else { return nil }
        isKernelThread = flags & Self.kernelThreadFlag != 0
        processID = folder.statusNumber("Tgid") ?? pid
    }

    /// Whether a thread runs, or could, at this moment: it does not wait in the kernel.
    static func isRunning(_ tid: Int32, of pid: Int32) -> Bool {
        ProcFolder(thread: tid, of: pid).stat(.state) == "R"
    }

    /// A thread that has a process's memory: the first one, which /proc/PID stands for, unless that
    /// has ended before the others (pthread_exit(3) in main).
    static func memoryHolder(of pid: Int32) -> Int32 {
        guard isZombie(pid, of: pid) else { return pid }
        return threads(of: pid).first { $0 != pid && !isZombie($0, of: pid) } ?? pid
    }

    /// Whether a thread has ended, and someone has to take note of it.
    static func isZombie(_ tid: Int32, of pid: Int32) -> Bool {
        let state = ProcFolder(thread: tid, of: pid).stat(.state)
        return state == nil || state == "Z" || state == "X"
    }

    /// Whether a process is stopped as a whole (SIGSTOP), or has ended: no thread of it runs.
    static func isStopped(_ pid: Int32) -> Bool {
        threads(of: pid).allSatisfy { tid in
            switch ProcFolder(thread: tid, of: pid).stat(.state) {
            case "T", "t", "Z", "X", nil: true
            default: false
            }
        }
    }

    /// Who traces a process with ptrace(2); nil: no one.
    static func tracer(of pid: Int32) -> Int32? {
        ProcFolder(process: pid).statusNumber("TracerPid").flatMap { $0 == 0 ? nil : $0 }
    }

    /// The threads that a process has at this moment.
    static func threads(of pid: Int32) -> [Int32] {
        ProcFolder.numbers(in: "/proc/\(pid)/task")
    }

    /// The first thread's name (/proc/PID/comm); empty if the process has ended.
    static func name(of pid: Int32) -> TargetText {
        let bytes = readFile("/proc/\(pid)/comm", limit: 64) ?? []
        return TargetText(bytes: bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes)
    }
}
