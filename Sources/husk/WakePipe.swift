// SPDX-License-Identifier: MIT
import Glibc
import Husk
import Synchronization

/// Wakes the main thread's poll(2) from another thread, and says why.
final class WakePipe: Sendable {
    struct Reason: OptionSet {
        let rawValue: UInt8
        static let traceEnded = Reason(rawValue: 1)
        /// Whoever read the lines has closed the pipe, or they cannot be written.
        static let readerLeft = Reason(rawValue: 2)
    }

    private let reading: Int32
    private let writing: Int32
    private let reasons = Atomic<UInt8>(0)

    init() throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw HuskError(.system, "cannot make a pipe", errno: errno)
        }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        (reading, writing) = (ends[0], ends[1])
    }

    deinit {
        close(reading)
        close(writing)
    }

    var descriptor: Int32 { reading }

    func tell(_ reason: Reason) {
        reasons.bitwiseOr(reason.rawValue, ordering: .releasing)
        var byte: UInt8 = 0
        // A full pipe wakes as well as one more byte would.
        _ = Glibc.write(writing, &byte, 1)
    }

    func has(_ reason: Reason) -> Bool {
        Reason(rawValue: reasons.load(ordering: .acquiring)).contains(reason)
    }

    /// Takes the bytes off, so that poll(2) waits again.
    func read() {
        var bytes = [UInt8](repeating: 0, count: 64)
        while Glibc.read(reading, &bytes, bytes.count) > 0 {}
    }
}
