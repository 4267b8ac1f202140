// SPDX-License-Identifier: MIT
internal import Foundation
internal import Glibc
internal import Synchronization

/// A program that runs on a terminal of its own (pty(7)), as the leader of a session, and what that
/// terminal shows.
public final class PseudoTerminal: @unchecked Sendable {
    // Guard: `master` and `pid` do not change; what the reader's thread collects is behind a lock;
    // `status` is used by the test that owns this.
    private let master: Int32
    public let pid: Int32
    private var status: Int32?
    private let shown: Mutex<(screen: VirtualScreen, raw: [UInt8])>
    private let reader = DispatchSemaphore(value: 0)

    /// - Parameter environment: in place of the runner's; nil takes a variable out.
    public init(
        _ program: String, _ arguments: [String] = [], environment: [String: String?] = [:],
        rows: Int = 24, columns: Int = 80
    ) throws {
        shown = Mutex((VirtualScreen(rows: rows, columns: columns), []))
        // posix_openpt(3) and its like are for _XOPEN_SOURCE only.
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var (unlocked, number): (Int32, Int32) = (0, 0)
        guard master >= 0, ioctl(master, UInt(0x4004_5431), &unlocked) == 0,  // TIOCSPTLCK
            ioctl(master, UInt(0x8004_5430), &number) == 0  // TIOCGPTN
        else { throw CocoaError(.fileReadUnknown) }
        let name = "/dev/pts/\(number)"
        Self.setSize(of: master, rows, columns)
        var variables = ProcessInfo.processInfo.environment
        for (name, value) in ["TERM": "xterm-256color", "NO_COLOR": nil, "COLUMNS": nil].merging(
            environment, uniquingKeysWith: { $1 })
        {
            variables[name] = value
        }
        pid = try Self.start(
            program, arguments, variables.map { "\($0.key)=\($0.value)" }, on: name)
        Thread.detachNewThread { [self] in read() }
    }

    private static func setSize(of terminal: Int32, _ rows: Int, _ columns: Int) {
        var size = winsize()
        size.ws_row = UInt16(rows)
        size.ws_col = UInt16(columns)
        _ = ioctl(terminal, UInt(TIOCSWINSZ), &size)
    }

    private static func start(
        _ program: String, _ arguments: [String], _ environment: [String], on terminal: String
    ) throws -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // The first terminal that a session's leader opens is the session's.
        posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, 0, 1)
        posix_spawn_file_actions_adddup2(&actions, 0, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Test runners ignore and block signals, and that is inherited.
        var all = sigset_t()
        sigfillset(&all)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        let newSession: Int32 = 0x80  // POSIX_SPAWN_SETSID, for _GNU_SOURCE only
        posix_spawnattr_setflags(
            &attributes, Int16(Int32(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK) | newSession))
        let words = ([program] + arguments).map { strdup($0) }
        let variables = environment.map { strdup($0) }
        defer { (words + variables).forEach { free($0) } }
        var pid: pid_t = 0
        let result = posix_spawn(
            &pid, program, &actions, &attributes, words + [nil], variables + [nil])
        guard result == 0 else { throw POSIXError(POSIXErrorCode(rawValue: result) ?? .EIO) }
        return pid
    }

    private func read() {
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let size = Glibc.read(master, &buffer, buffer.count)
            if size < 0, errno == EINTR { continue }
            if size <= 0 { break }  // EIO: the last one has closed it
            shown.withLock { shown in
                shown.screen.feed(buffer[..<size])
                shown.raw += buffer[..<size]
            }
        }
        reader.signal()
    }

    public var screen: VirtualScreen { shown.withLock { $0.screen } }

    /// All that was written so far.
    public var written: String { shown.withLock { String(decoding: $0.raw, as: UTF8.self) } }

    /// Types it.
    public func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.write(master, bytes, bytes.count)
    }

    public func resize(rows: Int, columns: Int) {
        shown.withLock { $0.screen.resize(rows: rows, columns: columns) }
        Self.setSize(of: master, rows, columns)
    }

    /// Waits until the screen is as it should be; false after `seconds`.
    public func wait(_ seconds: Double = 20, until condition: (VirtualScreen) -> Bool) -> Bool {
        let deadline = Date(timeIntervalSinceNow: seconds)
        while !condition(screen) {
            if Date() > deadline { return false }
            usleep(10_000)
        }
        return true
    }

    public func signal(_ number: Int32) { kill(pid, number) }

    /// Waits for the end, and for the last word. A program that takes longer is killed. Returns the
    /// exit status, or 128 + N if signal N has ended it.
    @discardableResult
    public func finish(within seconds: Double = 60) -> Int32 {
        if let status { return status }
        let deadline = Date(timeIntervalSinceNow: seconds)
        var result: Int32 = 0
        while waitpid(pid, &result, WNOHANG) == 0 {
            if Date() > deadline { kill(pid, SIGKILL) }
            usleep(5000)
        }
        _ = reader.wait(timeout: .now() + 5)
        let code = result & 0x7F == 0 ? result >> 8 & 0xFF : 128 + result & 0x7F
        status = code
        return code
    }

    deinit {
        if status == nil { kill(pid, SIGKILL) }
        close(master)
    }
}
