// SPDX-License-Identifier: MIT

/// Something that is known to have happened and is not in the capture.
public struct Loss: Hashable, Sendable {
    /// Why it is not in the capture.
    public enum Cause: String, Hashable, Sendable, CaseIterable {
        /// No room in the ring buffer, and waiting for some was over.
        case ringFull = "ring-full"
        /// Records of a process that found no room in the ring, so that not even what they were
        /// about is known, but for the addresses that it lies between.
        case untold
        /// The region was gone before it could be looked at.
        case vanished
        /// The address-space lock stayed taken for too long.
        case locked
        /// The kernel had no memory for the thread's state.
        case noState = "no-state"
        /// The end of a call was not seen, so neither was what it has changed.
        case noResult = "no-result"
        /// A probe was not run although it was hit, because it was running already on that CPU:
        /// something was not seen.
        case probeMissed = "probe-missed"
        /// A record number that never arrived, without a word about why.
        case missingRecord = "missing-record"
        /// A record that did not have the form it must have.
        case malformedRecord = "malformed-record"
        /// More pages than could be gone over in the time a thread may be held, or than are
        /// told one by one.
        case tooLarge = "too-large"
        /// The capture's budget was used up (`Tracer.Configuration.pageBudget`).
        case budget
        /// It was captured and could not be written to where the capture is kept: a full disk.
        case notStored = "not-stored"
        /// The ring buffer could not be opened for reading: nothing is known.
        case ringUnreadable = "ring-unreadable"
        /// The trace was stopped while the page was on its way.
        case traceEnded = "trace-ended"
        /// The consumer of `Tracer.events` was too slow; the kernel side lost nothing.
        case consumerTooSlow = "consumer-too-slow"
    }

    public var cause: Cause
    /// When it was lost; of a missing record, when that was noticed.
    public var time: Timestamp
    /// Nil: not known (a missing record).
    public var task: TaskIdentity?
    /// The transition whose pages are lost, if it is one's.
    public var transition: Transition.ID?
    /// The range that is not captured; nil if not even that is known.
    public var start: Address?
    /// In bytes.
    public var length: UInt64
    /// How many records or events it stands for.
    public var count: UInt64

    public init(
        cause: Cause, time: Timestamp, task: TaskIdentity? = nil,
        transition: Transition.ID? = nil, start: Address? = nil, length: UInt64 = 0,
        count: UInt64 = 1
    ) {
        self.cause = cause
        self.time = time
        self.task = task
        self.transition = transition
        self.start = start
        self.length = length
        self.count = count
    }
}
