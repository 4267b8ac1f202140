// SPDX-License-Identifier: MIT

/// A process that was traced has ended.
public struct ProcessExit: Hashable, Sendable {
    public var task: TaskIdentity
    public var time: Timestamp
    /// As wait(2) tells it: `status >> 8` is the exit code, `status & 127` the signal.
    public var status: UInt32

    public init(task: TaskIdentity, time: Timestamp, status: UInt32) {
        self.task = task
        self.time = time
        self.status = status
    }
}

/// What a tracer tells, in the order in which the kernel side told it.
///
/// One thread's events are in order, and a transition comes before its pages and its end.
/// Those of different threads may be interleaved.
public enum Event: Hashable, Sendable {
    case transition(Transition)
    case page(Page)
    case transitionEnd(TransitionEnd)
    case loss(Loss)
    case processExit(ProcessExit)
}
