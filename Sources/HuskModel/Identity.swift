// SPDX-License-Identifier: MIT

/// The thread that an event belongs to.
///
/// Numbers are given twice, because Husk may run inside a PID namespace (a container).
public struct TaskIdentity: Hashable, Sendable {
    /// Process ID (thread group ID) as Husk sees it; 0 if it is not visible from there.
    public var pid: Int32
    /// Thread ID as Husk sees it; 0 if it is not visible from there.
    public var tid: Int32
    /// Process ID in the initial PID namespace.
    public var hostPID: Int32
    /// Thread ID in the initial PID namespace.
    public var hostTID: Int32

    public init(pid: Int32, tid: Int32, hostPID: Int32, hostTID: Int32) {
        self.pid = pid
        self.tid = tid
        self.hostPID = hostPID
        self.hostTID = hostTID
    }
}

/// A record's own number. Each CPU counts from 0; a number that never arrives is a loss.
public struct RecordNumber: Hashable, Sendable {
    /// The CPU that has given it.
    public var cpu: UInt32
    /// Counts from 0.
    public var sequence: UInt64

    public init(cpu: UInt32, sequence: UInt64) {
        self.cpu = cpu
        self.sequence = sequence
    }
}

/// A moment, as the kernel took it.
public struct Timestamp: Hashable, Comparable, Sendable {
    /// Nanoseconds of CLOCK_MONOTONIC.
    public var monotonic: UInt64
    /// Nanoseconds since 1970-01-01 00:00 UTC, derived from `monotonic` by one offset that
    /// was measured at the start of the trace: a clock that is set meanwhile does not
    /// reorder events.
    public var wall: UInt64

    public init(monotonic: UInt64, wall: UInt64) {
        self.monotonic = monotonic
        self.wall = wall
    }

    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.monotonic < right.monotonic
    }
}
