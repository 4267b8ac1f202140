// SPDX-License-Identifier: MIT

/// What has happened to a region, or was the occasion to look at it.
public enum TransitionKind: String, Hashable, Sendable, CaseIterable {
    case mmap
    case mprotect
    case munmap
    case pkeyMprotect = "pkey_mprotect"
    case mremap
    case shmat
    case shmdt
    case brk
    case remapFilePages = "remap_file_pages"
    case archPrctl = "arch_prctl"
    /// A program was executed: its segments, its interpreter's, an executable stack, the vdso.
    case execve
    /// No change of protection: the bytes were written past it, or through what stands behind
    /// them (``Transition/call`` and ``Transition/writer`` tell how and by whom).
    case write
    /// No change: executable memory that can be written without a call was looked at again, and
    /// something in it was not as it was seen last. ``Transition/trigger`` tells why then.
    case look
    /// It was executable already when Husk came.
    case present
}

/// A system call, whichever of the machine's ways was used to make it.
public enum SystemCall: String, Hashable, Sendable, CaseIterable {
    case mmap, mprotect, munmap, mremap, shmat, shmdt, brk, execve, madvise
    case pkeyMprotect = "pkey_mprotect"
    case remapFilePages = "remap_file_pages"
    /// exit_group(2), the last thread's exit, or a signal.
    case exit
    case write, pwrite64, writev, pwritev, pwritev2, sendfile, ftruncate, fallocate, splice, ptrace
    case copyFileRange = "copy_file_range"
    case processVMWritev = "process_vm_writev"
    /// ioctl(2) on a userfaultfd: UFFDIO_COPY and its like.
    case userfaultfd
    /// ARCH_MAP_VDSO_*.
    case archPrctl = "arch_prctl"
}

/// Why memory that can change without a call was looked at.
public enum LookTrigger: String, Hashable, Sendable, CaseIterable {
    /// ``Transition/call`` was about to take it away, or its X.
    case call
    /// Code in it made a system call, itself or through others (``Transition/callNumber``).
    case ownCall = "own-call"
    /// A CPU sample found it running.
    case sample
    /// Time had passed.
    case timer
    /// The trace was ended, and the process lived on.
    case traceEnd = "trace-end"
    /// Code in it was about to be executed (W^X is enforced): see ``Execution``.
    case execution
}

/// How a system call was made.
public enum CallABI: String, Hashable, Sendable, CaseIterable {
    case native64 = "64-bit"
    /// int 0x80 or sysenter: by an ELF32 program, or by 64-bit code that takes this door.
    case compat32 = "32-bit"
    case x32
}

/// Whose code has asked for a change.
public struct CallSite: Hashable, Sendable {
    /// In the code that called the C library, or the instruction after the call itself.
    public var address: Address
    /// What stands behind that code.
    public var backing: Backing

    public init(address: Address, backing: Backing) {
        self.address = address
        self.backing = backing
    }
}

/// Who has written, if it was not the process itself.
public struct Writer: Hashable, Sendable {
    public var task: TaskIdentity
    /// Its name (comm).
    public var threadName: TargetText

    public init(task: TaskIdentity, threadName: TargetText) {
        self.task = task
        self.threadName = threadName
    }
}

/// One region, at one moment: what was asked for, what it was before and what it is now.
///
/// A call over several regions makes several transitions. Reported are regions that are
/// executable after the call or were before it, calls that asked for execution and failed
/// (``failure`` is set then; see ``isAttempt``), and shared mappings that may write
/// (``isView``), because the same memory may be executable elsewhere.
public struct Transition: Hashable, Sendable {
    /// Identifies the transition within one capture; its pages carry it too.
    public struct ID: RawRepresentable, Hashable, Sendable {
        public var rawValue: UInt64

        public init(rawValue: UInt64) {
            self.rawValue = rawValue
        }
    }

    /// The arguments as the target passed them, unrounded and unchecked.
    public struct Arguments: Hashable, Sendable {
        public var address: Address
        public var length: UInt64
        /// Flags of mmap, mremap, shmat; madvise's advice; 0 for other calls.
        public var flags: UInt64

        public init(address: Address, length: UInt64, flags: UInt64) {
            self.address = address
            self.length = length
            self.flags = flags
        }
    }

    public var id: ID
    /// Its record's own number.
    public var number: RecordNumber
    /// What has happened.
    public var kind: TransitionKind
    /// The system call behind it; nil: none (``TransitionKind/present``, and a look because the
    /// trace is ended).
    public var call: SystemCall?
    /// How the call was made.
    public var abi: CallABI
    /// When the call returned.
    public var time: Timestamp
    public var task: TaskIdentity
    /// The thread's name (comm).
    public var threadName: TargetText
    /// The region: page aligned.
    public var start: Address
    /// In bytes.
    public var length: UInt64
    /// What the target has asked for.
    public var arguments: Arguments
    /// As the system call returned it: an address, 0, or a negative errno.
    public var result: Int64
    /// Protection that the call asked for.
    public var requested: Protection
    /// Nil: it was mapped, but the kernel side could not see with which protection.
    public var previous: Protection?
    /// Protection after the call.
    public var effective: Protection
    /// What stands behind the region, at its start.
    public var backing: Backing
    /// MAP_SHARED.
    public var isShared: Bool
    /// Nothing was mapped there before.
    public var isFresh: Bool
    /// Another thread took the region away, or its X, before it could be looked at:
    /// ``effective`` is what was requested.
    public var hasVanished: Bool
    /// The kernel side could not look at the region, because another thread held the
    /// address-space lock: ``effective`` is what was requested, ``backing`` what the
    /// arguments say. Its pages were copied nevertheless.
    public var isUnseen: Bool
    /// It was executable before and could not be written to, and is so now: what it holds was
    /// captured when it became so. No pages follow.
    public var isKnown = false
    /// Pages and a ``TransitionEnd`` follow.
    public var hasPages: Bool
    /// Where in user space the call was made: the instruction after it.
    public var instructionPointer: Address
    /// Of the caller, in user space.
    public var stackPointer: Address
    /// Whose code made the call, as far as the stack tells: the first address on it that lies
    /// in executable memory outside the C library. A hint, not a proof: stacks hold old
    /// addresses too.
    public var caller: CallSite?
    /// For ``TransitionKind/write``: who has written.
    public var writer: Writer?
    /// For ``TransitionKind/look``: what was the occasion.
    public var trigger: LookTrigger?
    /// The number of the system call that was made (in the table of ``abi``), for
    /// ``LookTrigger/ownCall``.
    public var callNumber: Int?
    /// What kind of code it is, as far as can be told.
    public var label: RegionLabel?
    /// Its bytes are those of its file, and were not captured: see ``FileReference``.
    public var reference: FileReference?

    public init(
        id: ID, number: RecordNumber, kind: TransitionKind, call: SystemCall?,
        abi: CallABI = .native64, time: Timestamp, task: TaskIdentity,
        threadName: TargetText, start: Address, length: UInt64, arguments: Arguments,
        result: Int64, requested: Protection, previous: Protection?, effective: Protection,
        backing: Backing, isShared: Bool, isFresh: Bool, hasVanished: Bool, isUnseen: Bool,
        hasPages: Bool,
        instructionPointer: Address, stackPointer: Address, caller: CallSite? = nil,
        writer: Writer? = nil, trigger: LookTrigger? = nil, callNumber: Int? = nil,
        label: RegionLabel? = nil
    ) {
        self.id = id
        self.number = number
        self.kind = kind
        self.call = call
        self.abi = abi
        self.caller = caller
        self.writer = writer
        self.trigger = trigger
        self.callNumber = callNumber
        self.label = label
        self.time = time
        self.task = task
        self.threadName = threadName
        self.start = start
        self.length = length
        self.arguments = arguments
        self.result = result
        self.requested = requested
        self.previous = previous
        self.effective = effective
        self.backing = backing
        self.isShared = isShared
        self.isFresh = isFresh
        self.hasVanished = hasVanished
        self.isUnseen = isUnseen
        self.hasPages = hasPages
        self.instructionPointer = instructionPointer
        self.stackPointer = stackPointer
    }

    /// The errno of a call that failed, else nil.
    public var failure: Int32? {
        (-4095 ... -1).contains(result) ? Int32(-result) : nil
    }

    /// Nothing has changed: the call failed. An mprotect over several regions may fail after it
    /// has changed some of them; those are told too, with their ``effective`` protection, and
    /// are no attempts.
    public var isAttempt: Bool {
        failure != nil && effective.isEmpty && !hasPages
    }

    /// Nothing here is or was executable: a shared, writable mapping.
    public var isView: Bool {
        !effective.contains(.execute) && failure == nil && isShared
            && previous.map { !$0.contains(.execute) } ?? false
    }

    /// The first address behind the region.
    public var end: Address {
        start.advanced(by: length)
    }
}

/// What became of the pages that a transition named. The five counts add up to its length.
public struct TransitionEnd: Hashable, Sendable {
    public var transition: Transition.ID
    public var number: RecordNumber
    public var task: TaskIdentity
    public var time: Timestamp
    /// Pages whose bytes are in the capture.
    public var captured: UInt64
    /// Pages that do not exist yet: never written, so there is nothing to read.
    public var untouched: UInt64
    /// Of a look: pages that held what they held when they were captured last.
    public var unchanged: UInt64
    /// Pages that exist and whose bytes could not be read.
    public var unreadable: UInt64
    /// Pages for whose bytes there was no room.
    public var lost: UInt64
    /// How long the thread was held, in nanoseconds, until the ring had room.
    public var stalledNanoseconds: UInt64

    public init(
        transition: Transition.ID, number: RecordNumber, task: TaskIdentity, time: Timestamp,
        captured: UInt64, untouched: UInt64, unchanged: UInt64 = 0, unreadable: UInt64,
        lost: UInt64, stalledNanoseconds: UInt64
    ) {
        self.transition = transition
        self.number = number
        self.task = task
        self.time = time
        self.captured = captured
        self.untouched = untouched
        self.unchanged = unchanged
        self.unreadable = unreadable
        self.lost = lost
        self.stalledNanoseconds = stalledNanoseconds
    }
}
