// SPDX-License-Identifier: MIT
internal import Glibc

/// What /proc tells of a process or thread at this moment (proc_pid_stat(5), proc_pid_status(5)).
struct ProcFolder {
    let path: String

    init(process pid: Int32) { path = "/proc/\(pid)" }
    init(thread tid: Int32, of pid: Int32) { path = "/proc/\(pid)/task/\(tid)" }

    /// Fields of stat behind the name, by their place.
    enum StatField: Int {
        case state = 0
        case parent = 1
        case flags = 6
    }

    /// Nil: it has ended.
    func stat(_ field: StatField) -> Substring? {
        guard let stat = readFile("\(path)/stat", limit: 4096),
            // The name stands in parentheses and may hold anything, parentheses too.
            let close = stat.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = String(decoding: stat[(close + 1)...], as: UTF8.self).split(separator: " ")
        return field.rawValue < fields.count ? fields[field.rawValue] : nil
    }

    /// A number in status, which names it: `Tgid`, `TracerPid`. Nil: it has ended.
    func statusNumber(_ name: String) -> Int32? {
        statusField(name).flatMap { Int32($0) }
    }

    /// Whether a signal waits for this thread alone.
    func hasPending(_ signal: Int32) -> Bool {
        guard let pending = statusField("SigPnd").flatMap({ UInt64($0, radix: 16) }) else {
            return false
        }
        return pending & 1 << UInt64(signal - 1) != 0
    }

    /// What stands behind a name in status.
    private func statusField(_ name: String) -> Substring? {
        guard let status = readFile("\(path)/status") else { return nil }
        return String(decoding: status, as: UTF8.self).split(separator: "\n")
            .first { $0.hasPrefix(name + ":") }?
            .dropFirst(name.count + 1).drop { $0 == "\t" || $0 == " " }
    }

    /// Of a thread: its number in its own PID namespace.
    var innermostNumber: Int32? {
        statusField("NSpid")?.split(separator: "\t").last.flatMap { Int32($0) }
    }

    /// Of a thread (personality(2)); nil: it has ended.
    var personality: UInt32? {
        readFile("\(path)/personality", limit: 64).flatMap { text in
            let digits = text.prefix { $0 != UInt8(ascii: "\n") }
            return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        }
    }

    /// Whether a thread waits until a guard (userfaultfd(2)) lets it write.
    enum Waiting {
        /// The kernel writes for it, in a call.
        case inCall
        /// After an exception: it writes itself.
        case outsideCalls
        /// It waits for something else.
        case elsewhere
        /// It runs, or that cannot be told.
        case not
    }

    /// From proc_pid_syscall(5), which tells a number, or -1 after an exception; and
    /// proc_pid_wchan(5), a function of the kernel's, or 0.
    var waitingForGuard: Waiting {
        guard let first = readFile("\(path)/syscall", limit: 256)?.first else { return .not }
        let isOutside = first == UInt8(ascii: "-")
        guard isOutside || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first),
            let place = readFile("\(path)/wchan", limit: 64),
            !place.isEmpty, place != [UInt8(ascii: "0")]
        else { return .not }
        guard place.starts(with: "handle_userfault".utf8) else { return .elsewhere }
        return isOutside ? .outsideCalls : .inCall
    }

    /// How long a thread has run on a processor, in ns, a few milliseconds late at most; 0: that
    /// cannot be told (Documentation/scheduler/sched-stats.rst of Linux).
    var runTime: UInt64 {
        guard let text = readFile("\(path)/schedstat", limit: 128) else { return 0 }
        return UInt64(String(decoding: text.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)) ?? 0
    }

    /// The entries of a folder that are numbers: processes, threads.
    static func numbers(in folder: String) -> [Int32] {
        guard let folder = opendir(folder) else { return [] }
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
}
