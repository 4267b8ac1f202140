// SPDX-License-Identifier: MIT
import Glibc
import Husk
import HuskCapture
import Synchronization

/// Where lines go: a descriptor, one write(2) for each line, so that lines of several
/// processes do not mix and nothing waits in a buffer when Husk ends.
final class LineOutput: Sendable {
    static let standardOutput = LineOutput(descriptor: STDOUT_FILENO)
    static let standardError = LineOutput(descriptor: STDERR_FILENO)

    private let descriptor: Int32
    private let ownsDescriptor: Bool
    private let failure = Atomic<Int32>(0)
    /// Held while a line is written.
    private let turn = Mutex<Void>(())
    /// When to give up on a reader who does not read; 0: never. CLOCK_MONOTONIC, ns.
    private let deadline = Atomic<UInt64>(0)

    private init(descriptor: Int32) {
        self.descriptor = descriptor
        ownsDescriptor = false
    }

    /// A file, made or emptied.
    init(path: String) throws(OutputError) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw OutputError(cannot: "open", path, errno: errno)
        }
        ownsDescriptor = true
    }

    deinit {
        if ownsDescriptor { close(descriptor) }
    }

    /// The errno of the first write that failed; 0 if none has. EPIPE: the reader has gone.
    var error: Int32 { failure.load(ordering: .relaxed) }

    /// False, now and from then on, if it cannot be written.
    @discardableResult
    func write(_ line: [UInt8]) -> Bool {
        turn.withLock { _ in writeAll(line) }
    }

    /// Nil: a line is being written.
    func betweenLines(_ body: () -> Bool) -> Bool? {
        turn.withLockIfAvailable { _ in body() }
    }

    private func writeAll(_ line: [UInt8]) -> Bool {
        guard error == 0 else { return false }
        var rest = line[...]
        while !rest.isEmpty {
            guard waitForRoom() else { return false }
            // A pipe that poll(2) calls writable takes this much without blocking.
            let size = rest.prefix(Int(PIPE_BUF)).withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if size > 0 {
                rest = rest.dropFirst(size)
            } else if errno != EINTR, errno != EAGAIN {
                failure.store(errno, ordering: .relaxed)
                return false
            }
        }
        return true
    }

    /// From now on a reader who does not read (a pager, a stopped terminal) is waited for no
    /// longer than this in all: Husk must be able to end.
    func giveUp(after patience: Duration) {
        let nanoseconds = UInt64(max(0, patience / .nanoseconds(1)))
        deadline.store(SystemClock.monotonic + nanoseconds, ordering: .relaxed)
    }

    private func waitForRoom() -> Bool {
        while true {
            var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            if poll(&ready, 1, 100) != 0 { return true }
            let limit = deadline.load(ordering: .relaxed)
            if limit != 0, SystemClock.monotonic > limit {
                failure.store(EPIPE, ordering: .relaxed)
                return false
            }
        }
    }

    /// For poll(2): a pipe without a reader shows as POLLERR.
    var pollDescriptor: pollfd { pollfd(fd: descriptor, events: 0, revents: 0) }

    var isTerminal: Bool { isatty(descriptor) == 1 }

    /// Whether colour is wanted: a terminal, and the user has not said otherwise
    /// (no-color.org).
    var takesColour: Bool {
        guard isTerminal, getenv("NO_COLOR").map({ $0.pointee == 0 }) ?? true else { return false }
        return getenv("TERM").map { String(cString: $0) != "dumb" } ?? false
    }
}
