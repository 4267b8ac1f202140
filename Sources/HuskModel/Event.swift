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

/// A process of the tree has made another one. It has not run yet.
public struct ProcessStart: Hashable, Sendable {
    /// The thread that made it.
    public var parent: TaskIdentity
    public var time: Timestamp
    /// As Husk sees it.
    public var child: Int32
    /// In the initial PID namespace.
    public var hostChild: Int32
    /// The child uses its parent's memory (CLONE_VM) until it executes a program.
    public var sharesMemory: Bool

    public init(
        parent: TaskIdentity, time: Timestamp, child: Int32, hostChild: Int32, sharesMemory: Bool
    ) {
        self.parent = parent
        self.time = time
        self.child = child
        self.hostChild = hostChild
        self.sharesMemory = sharesMemory
    }
}

/// A process has executed a program. Its executable memory follows, as transitions of the kind
/// ``TransitionKind/execve``.
public struct ProgramExecution: Hashable, Sendable {
    public var task: TaskIdentity
    public var time: Timestamp
    /// The name that execve(2) was given: a path, perhaps of a script.
    public var name: TargetText
    /// The file that was executed: a program, for a script its interpreter.
    public var backing: Backing

    public init(task: TaskIdentity, time: Timestamp, name: TargetText, backing: Backing) {
        self.task = task
        self.time = time
        self.name = name
        self.backing = backing
    }

    /// Why this is a program that is on no disk, or nil: a memfd, a file that has been deleted,
    /// or one in /dev/shm.
    public var fileless: Fileless? {
        switch backing {
        case .memfd: .memfd
        case .file(let file, _) where file.linkCount == 0: .deleted
        case .file(let file, _) where file.path?.isInSharedMemory == true: .sharedMemory
        default: nil
        }
    }

    /// In which way a program is on no disk.
    public enum Fileless: String, Hashable, Sendable {
        case memfd, deleted
        case sharedMemory = "dev-shm"
    }
}

extension TargetText {
    fileprivate var isInSharedMemory: Bool {
        bytes.starts(with: Array("/dev/shm/".utf8)) || bytes.starts(with: Array("/run/shm/".utf8))
    }
}

/// A region of a process, for events that speak of two.
public struct RegionReference: Hashable, Sendable {
    /// As Husk sees it.
    public var pid: Int32
    public var start: Address
    /// In bytes.
    public var length: UInt64
    public var protection: Protection

    public init(pid: Int32, start: Address, length: UInt64, protection: Protection) {
        self.pid = pid
        self.start = start
        self.length = length
        self.protection = protection
    }

    /// The first address behind it.
    public var end: Address { start.advanced(by: length) }
}

/// Two regions, perhaps of two processes, are the same memory: what is written through one is
/// executed through the other.
public struct SharedView: Hashable, Sendable {
    public var time: Timestamp
    /// The region through which it is executed.
    public var executable: RegionReference
    /// The region through which it is written; of the same process or another.
    public var writable: RegionReference
    /// What stands behind both.
    public var backing: Backing

    public init(
        time: Timestamp, executable: RegionReference, writable: RegionReference, backing: Backing
    ) {
        self.time = time
        self.executable = executable
        self.writable = writable
        self.backing = backing
    }
}

/// Executable memory whose bytes can change with no system call at all. It is captured when it
/// becomes executable and looked at again before it goes; what it held in between may not be in
/// the capture. Said once for each region, and not counted as a loss.
public struct BlindSpot: Hashable, Sendable {
    /// How the bytes can change unseen.
    public enum Reason: String, Hashable, Sendable, CaseIterable {
        case writableAndExecutable = "writable-and-executable"
        /// The same memory is mapped writable elsewhere.
        case writableElsewhere = "writable-elsewhere"
        /// A call has written to it, and the writer could not be held until the bytes were read:
        /// what it wrote may have been overwritten by then.
        case writerRanOn = "writer-ran-on"
        /// The process uses io_uring or asynchronous I/O: what it writes so, into whichever of its
        /// code, is not seen as a write.
        case asynchronousWrites = "asynchronous-writes"
    }

    public var task: TaskIdentity
    public var time: Timestamp
    /// The region: page aligned.
    public var start: Address
    /// In bytes.
    public var length: UInt64
    /// Why it is one.
    public var reason: Reason

    public init(
        task: TaskIdentity, time: Timestamp, start: Address, length: UInt64, reason: Reason
    ) {
        self.task = task
        self.time = time
        self.start = start
        self.length = length
        self.reason = reason
    }
}

/// What a region turned out to be, said later than its transition.
public struct LabelledRegion: Hashable, Sendable {
    public var task: TaskIdentity
    public var time: Timestamp
    /// The region: page aligned.
    public var start: Address
    /// In bytes.
    public var length: UInt64
    /// What it has turned out to be.
    public var label: RegionLabel

    public init(
        task: TaskIdentity, time: Timestamp, start: Address, length: UInt64, label: RegionLabel
    ) {
        self.task = task
        self.time = time
        self.start = start
        self.length = length
        self.label = label
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
    case processStart(ProcessStart)
    case programExecution(ProgramExecution)
    case sharedView(SharedView)
    case blindSpot(BlindSpot)
    case label(LabelledRegion)
    case execution(Execution)
}

extension Event {
    /// When it happened.
    public var time: Timestamp {
        switch self {
        case .transition(let transition): transition.time
        case .page(let page): page.time
        case .transitionEnd(let end): end.time
        case .loss(let loss): loss.time
        case .processExit(let exit): exit.time
        case .processStart(let start): start.time
        case .programExecution(let execution): execution.time
        case .sharedView(let view): view.time
        case .blindSpot(let spot): spot.time
        case .label(let region): region.time
        case .execution(let execution): execution.time
        }
    }
}
