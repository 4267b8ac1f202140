// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc
internal import HuskPrivileges

/// Tells the probes that Husk lives, five times a second, on a thread of its own: the one that reads
/// the ring may be busy with one record for longer than a target's thread should wait for a dead
/// consumer. A process that has been stopped, or has died, does not beat.
final class Heartbeat: Sendable {
    private let end: OwnedDescriptor
    private let thread: NamedThread

    /// Two in the half second that a thread waits without a sign of life, by default.
    private static let milliseconds: Int32 = 200

    /// - Parameters:
    ///   - kept: the capabilities that its thread keeps; nil: all.
    ///   - beat: called with 1, 2, 3 ...
    init(
        keeping kept: CapabilitySet?, _ beat: @escaping @Sendable (UInt64) -> Void
    ) throws(HuskError) {
        let end = try OwnedDescriptor(resultOf: husk_eventfd_open(), "eventfd")
        let number = end.number
        self.end = end
        thread = try NamedThread("husk-heartbeat", goingFirst: true, keeping: kept) {
            var count: UInt64 = 0
            var wish = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
            while wish.revents == 0 {
                count += 1
                beat(count)
                poll(&wish, 1, Self.milliseconds)
            }
        }
    }

    /// Returns when the last beat has been made. To be called once.
    func stop() {
        var one: UInt64 = 1
        _ = retryingInterrupted { write(end.number, &one, MemoryLayout<UInt64>.size) }
        thread.join()
    }
}
