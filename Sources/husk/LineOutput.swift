// SPDX-License-Identifier: MIT
import Glibc
import Husk
import HuskCapture
import Synchronization

/// Where lines go: a descriptor, a line at a time, so that nothing waits in a buffer when Husk ends.
/// A line of up to PIPE_BUF bytes is one write(2), and does not mix with those of other processes;
/// into a longer one the command's output may come, if it goes to the same place.
final class LineOutput: Sendable {
    static let standardOutput = LineOutput(descriptor: STDOUT_FILENO)
    static let standardError = LineOutput(descriptor: STDERR_FILENO)

    private let descriptor: Int32
    private let ownsDescriptor: Bool
    /// What is written to: the file of `descriptor`, in a way that does not wait for a reader.
    private let sink: Sink
    private let failure = Atomic<Int32>(0)
    /// Held while a line is written.
    private let turn = Mutex<Void>(())
    /// Since when Husk wants to end; 0: it does not. CLOCK_MONOTONIC, ns.
    private static let endingSince = Atomic<UInt64>(0)
    /// How long a reader who takes nothing may keep Husk from ending then, and a slow one. In ns.
    private static let patience: UInt64 = 2_000_000_000
    private static let longestPatience: UInt64 = 10_000_000_000
    /// Since when a signal that asks Husk to end has been waiting; 0: none does.
    private static let signalSince = Atomic<UInt64>(0)
    private static let signalPatience: UInt64 = 200_000_000

    private init(descriptor: Int32) {
        self.descriptor = descriptor
        ownsDescriptor = false
        sink = Sink(for: descriptor)
    }

    /// A file, made or emptied.
    init(path: String) throws(OutputError) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw OutputError(cannot: "open", path, errno: errno)
        }
        ownsDescriptor = true
        sink = Sink(ownFile: descriptor)
    }

    deinit {
        if ownsDescriptor { close(descriptor) }
    }

    /// Opens what lines go to, while Husk may still open files.
    static func prepare() {
        _ = standardOutput
        _ = standardError
    }

    /// The errno of the first write that failed; 0 if none has. EPIPE: the reader has gone.
    /// ETIMEDOUT: Husk was to end, and the reader took nothing any more.
    var error: Int32 { failure.load(ordering: .relaxed) }

    /// Husk was asked to end: a reader who takes nothing (a pager, a stopped terminal) is waited
    /// for no longer than two seconds from now on, a slow one ten. Without this call one is waited
    /// for as long as it takes. In both cases another signal that asks Husk to end puts an end to it.
    static func endSoon() {
        endingSince.store(SystemClock.monotonic, ordering: .relaxed)
    }

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
        var lastTaken = SystemClock.monotonic
        while !rest.isEmpty {
            if Self.mustEnd(lastTaken: lastTaken) { return fail(ETIMEDOUT) }
            var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&ready, 1, 100) != 0 else { continue }
            // A pipe that poll(2) calls writable takes this much as a whole, unless another
            // process (the command that is traced has the same one) was faster.
            let size = sink.write(rest.prefix(Int(PIPE_BUF)))
            if size > 0 {
                rest = rest.dropFirst(size)
                lastTaken = SystemClock.monotonic
            } else if errno == EAGAIN || errno == EINTR {
                usleep(1_000)
            } else {
                return fail(errno)
            }
        }
        return true
    }

    private func fail(_ error: Int32) -> Bool {
        failure.store(error, ordering: .relaxed)
        return false
    }

    /// Whether the reader has been waited for long enough.
    private static func mustEnd(lastTaken: UInt64) -> Bool {
        let now = SystemClock.monotonic
        let ending = endingSince.load(ordering: .relaxed)
        if ending != 0,
            now > ending + longestPatience || now > max(ending, lastTaken) + patience
        {
            return true
        }
        // The main thread takes signals at once, unless it waits for these lines itself.
        guard SignalWatch.endingSignalWaits else {
            signalSince.store(0, ordering: .relaxed)
            return false
        }
        let since = signalSince.load(ordering: .relaxed)
        if since == 0 { signalSince.store(now, ordering: .relaxed) }
        return since != 0 && now > since + signalPatience
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

/// Where the bytes of a descriptor that others have as well are written to without waiting.
///
/// poll(2) says that there is room, and another process may take it before write(2) does, which
/// would then wait for a reader who may never come. O_NONBLOCK belongs to an open file, thus to
/// every process that has inherited it: it is not ours to set. A pipe and a terminal are opened
/// once more instead, and a socket is asked call by call.
private struct Sink: Sendable {
    private let descriptor: Int32
    private let isSocket: Bool

    /// One that others have as well. What is opened stays so for as long as the process.
    init(for descriptor: Int32) {
        var type: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        isSocket = getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0
        let isPipe = !isSocket && lseek(descriptor, 0, SEEK_CUR) < 0 && errno == ESPIPE
        var number: Int32 = 0
        // (The master of a terminal would be another one's when it is opened again.)
        let isTerminal =
            isatty(descriptor) == 1 && ioctl(descriptor, Self.terminalNumber, &number) != 0
        let again =
            isPipe || isTerminal
            ? open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
            : -1
        // Another user's pipe or terminal may refuse: then a write may wait.
        self.descriptor = again >= 0 ? again : descriptor
    }

    private static let terminalNumber: UInt = 0x8004_5430  // TIOCGPTN: of a master only

    /// One that no other process has.
    init(ownFile descriptor: Int32) {
        self.descriptor = descriptor
        isSocket = false
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }

    /// As write(2): -1 and `errno` if it failed, EAGAIN where there is no room.
    func write(_ bytes: ArraySlice<UInt8>) -> Int {
        // Safe: the pointer is used only within the call.
        bytes.withUnsafeBytes {
            isSocket
                ? send(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
                : Glibc.write(descriptor, $0.baseAddress, $0.count)
        }
    }
}
