// SPDX-License-Identifier: MIT
public import HuskModel

extension Tracer {
    /// How to trace. The defaults fit most targets.
    public struct Configuration: Sendable {
        /// Bytes of the ring buffer between the kernel and Husk: a power of two from 64 KiB
        /// to 1 GiB.
        public var ringSize = 64 << 20
        /// How pages are copied; nil: the best way that this kernel takes.
        public var copyMethod: CopyMethod?
        /// Where system calls are seen; nil: the way that costs others least.
        public var probeKind: ProbeKind?
        /// Hold no thread for anything but copying its pages: what finds no room in the ring is
        /// lost at once, and recorded as such; a write to code by a call may be followed by
        /// another one before its bytes are read.
        public var neverStalls = false
        /// Capture this many pages with content at most. The others are losses with the cause
        /// ``/HuskModel/Loss/Cause/budget``. 0 captures none: only what happens is told. Nil: all.
        public var pageBudget: UInt64?
        /// How long a thread may be held until the ring has room. Then the rest of its pages is
        /// lost, and recorded as such. Only with
        /// ``CopyMethod/taskWork``.
        public var stallLimit: Duration = .seconds(10)
        /// The same for a ring from which nothing is read at all: Husk hangs or is dead.
        public var stallSilence: Duration = .milliseconds(500)
        /// How long one call may hold its thread altogether, copying included: for targets
        /// that make terabytes executable. The rest is lost, and recorded as such.
        public var walkLimit: Duration = .seconds(20)
        /// Trace the children of the targets too, from their first instruction, and theirs.
        public var followsChildren = true
        /// Trace the descendants that the targets have already.
        public var includesDescendants = false
        /// Capture what is executable already when the trace starts, read from outside: as
        /// transitions of the kind ``/HuskModel/TransitionKind/present``.
        public var capturesPresent = false
        /// Name the pages of files that are unchanged from disk instead of capturing them
        /// (``/HuskModel/Transition/reference``): a capture without every byte of every library.
        public var referencesFiles = false
        /// How memory that can change without a call is followed.
        public var rwx = RWXMode.observe
        /// The most that ``RWXMode/trap`` keeps from targets by guards: to try on one kernel what
        /// there is on others.
        package var guardLimit = GuardReach.allPages
        /// CPU samples per second that find such memory running; 0: none are taken.
        public var sampleRate = 99
        /// How often such memory is looked at from outside while it is being written; the
        /// interval grows while nothing changes. 0: never.
        public var lookInterval: Duration = .seconds(1)
        /// The threads of the trace give up the capabilities (capabilities(7)) that they do not need
        /// once the probes are attached. ``onEvent`` is called on one of them. The calling thread
        /// keeps what it has.
        public var givesUpCapabilities = false
        /// Keep pages for ``Tracer/stop()``. Each snapshot costs some 200 bytes, each
        /// different content 4 KiB.
        public var retainsPages = true
        /// How many events wait for the reader of ``Tracer/events``. What comes after them is
        /// dropped, and counted in an event of its own. 0: there is no reader.
        public var eventBufferLimit = 65_536
        /// Called with each event, on the thread that reads the ring: nothing is dropped
        /// here, but while it runs, nothing is read.
        public var onEvent: (@Sendable (Event) -> Void)?
        /// Called once, on the same thread, after the last event: the tracer has been stopped
        /// or all its targets have ended.
        public var onEnd: (@Sendable () -> Void)?

        public init() {}

        func validate() throws(HuskError) {
            guard (0...10_000).contains(sampleRate) else {
                throw HuskError(
                    .invalidConfiguration, "\(sampleRate) samples per second are not possible",
                    hint: "from 0 (none) to 10000")
            }
            guard ringSize >= 1 << 16, ringSize <= 1 << 30, ringSize & (ringSize - 1) == 0 else {
                throw HuskError(
                    .invalidConfiguration, "a ring of \(ringSize) bytes is not possible",
                    hint: "a power of two from 64 KiB to 1 GiB")
            }
        }
    }
}

/// How executable memory is followed that can change without a system call, because it is
/// writable at the same time, or through another view.
public enum RWXMode: String, Hashable, Sendable, CaseIterable {
    /// It is looked at when something says that it matters: code in it makes a system call, a
    /// CPU sample finds it running, it is about to go, time has passed. The target is never
    /// stopped.
    case observe
    /// W^X is enforced with ptrace(2): every generation is captured before its first
    /// instruction runs. The target sees that it is traced.
    case trap
}

extension Duration {
    /// Whole nanoseconds; 0 for negative ones, a century for longer ones: the kernel side
    /// adds it to the time of day since boot.
    var nanosecondsClamped: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let century: UInt64 = 3_155_760_000_000_000_000
        return overflow ? century : min(product &+ UInt64(attoseconds / 1_000_000_000), century)
    }
}
