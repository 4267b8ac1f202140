// SPDX-License-Identifier: MIT
import Glibc
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
        guard error == 0 else { return false }
        var rest = line[...]
        while !rest.isEmpty {
            let size = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if size > 0 {
                rest = rest.dropFirst(size)
            } else if errno == EAGAIN {
                // Someone else has made this descriptor non-blocking.
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&ready, 1, 1000)
            } else if errno != EINTR {
                failure.store(errno, ordering: .relaxed)
                return false
            }
        }
        return true
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
