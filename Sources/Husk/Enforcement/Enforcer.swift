// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Dispatch
internal import Glibc
internal import HuskModel
internal import HuskPrivileges
internal import Synchronization

/// Enforces W^X on targets from outside, with ptrace(2), and captures each generation of their
/// code before its first instruction runs.
///
/// Only three moments stop a thread: a call that changes such memory (the probe that sees it
/// raises a stop before the thread is back in user mode), an instruction fetch from a page that
/// has been written, and a write to one that has been executed. Calls as such are not stopped at.
///
/// ptrace(2) belongs to a thread: all of it happens on the enforcer's own. Parts: what a stop
/// means (this file), faults (Enforcer+Faults.swift), who waits to write (Enforcer+Guards.swift),
/// calls of the target (Enforcer+Calls.swift), the memory that these make (Enforcer+Views.swift),
/// calls in its name (Enforcer+Injection.swift), births, programs and ends (Enforcer+Family.swift),
/// the beginning and the end of it all (Enforcer+Lifetime.swift).
final class Enforcer: @unchecked Sendable {
    // Guard: everything that is not a Mutex, a descriptor or a constant is used by the enforcer's
    // thread only. `start` hands it over, `stop` joins the thread.

    /// Code that was about to run.
    struct Capture: Sendable {
        var pid: Int32
        var tid: Int32
        var monotonic: UInt64
        var threadName: TargetText
        var registers: Registers
        /// The instruction's address.
        var address: UInt64
        var region: Range<UInt64>
        var asked: Protection
        var sequence: Int
        /// The pages that are not as they were captured last, or could not be read.
        var pages: [(address: UInt64, body: Page.Body)]
        /// The instruction that has written to the region last when that was seen.
        var writer: UInt64?
        /// Of the first execution in a region.
        var memory: ExecutionMemory?
    }

    /// A child that is traced, as ptrace(2) traces all children, from its birth on.
    struct Birth {
        var space: EnforcedSpace
        /// It is a target too.
        var isFollowed: Bool
        /// It has its parent's memory, until it executes a program.
        var borrows: Bool
    }

    /// A child that has stopped for the first time before its parent has told of it.
    struct EarlyChild {
        var event: husk_trace_event
        /// CLOCK_MONOTONIC, ns.
        var since = SystemClock.monotonic
    }

    /// The sixth argument of calls in a target's name: the probes pass over them.
    let mark: UInt64
    let followsChildren: Bool
    let guardLimit: GuardReach
    /// Readable when there are captures to be taken.
    let news: OwnedDescriptor
    private let captures = Mutex<[Capture]>([])
    let isAskedToEnd = Atomic<Bool>(false)
    let hasEnded = Atomic<Bool>(false)

    var tracees: [Int32: Tracee] = [:]
    /// Children that have been announced by their parents, and not been seen yet.
    var announced: [Int32: Birth] = [:]
    /// First stops of children that have not been announced yet.
    var waiting: [Int32: EarlyChild] = [:]
    /// Of processes that have ended lately: their children may come to light after them.
    var endedSpaces: [EnforcedSpace] = []
    /// Events that came while another one was waited for.
    var backlog: [husk_trace_event] = []
    /// Set before the thread starts.
    var forgottenSettings: ForgottenSettings?
    var probeStops: ProbeStops?
    var roomStops: RoomStops?
    var changingMemory: ChangingMemory?

    var surroundingMemory = SurroundingMemory()

    /// Everything is being given back: faults are tried again, until their threads stand.
    var isReleasing = false

    var guardedSpaces: [EnforcedSpace] = []
    var guardWatch: GuardWatch?
    /// Threads that wait to write.
    var writeFaults: [WriteFault] = []
    /// Threads have been asked to stop because they wait to write, and have not yet.
    var areAwaited = false
    /// While a thread is stepped alone: the guarded pages that it has written to.
    var steppedPages: [UInt64]?
    var thread: NamedThread?
    let kept: CapabilitySet?

    /// Pages that change their state together, in bytes.
    static let block: UInt64 = 16 * 4096
    /// How many captures may wait for their reader.
    private static let queueLimit = 4096

    /// - Parameters:
    ///   - guardLimit: the most that is kept from targets by guards.
    ///   - kept: the capabilities that its threads keep; nil: all.
    init(
        followsChildren: Bool, guardLimit: GuardReach, keeping kept: CapabilitySet?
    ) throws(HuskError) {
        self.kept = kept
        self.guardLimit = guardLimit
        var random = SystemRandomNumberGenerator()
        mark = random.next() | 1 << 63 | 1 << 31
        self.followsChildren = followsChildren
        news = try OwnedDescriptor(resultOf: husk_eventfd_open(), "eventfd")
    }

    // MARK: Captures

    /// From any thread: what has been captured since the last time.
    func takeCaptures() -> [Capture] {
        captures.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }

    /// The target is held while the queue is full: nothing is dropped.
    func push(_ capture: Capture) {
        while captures.withLock({ $0.count >= Self.queueLimit }),
            !isAskedToEnd.load(ordering: .relaxed)
        {
            usleep(200)
        }
        captures.withLock { $0.append(capture) }
        var one: UInt64 = 1
        _ = retryingInterrupted { write(news.number, &one, 8) }
    }

    // MARK: Stops

    /// Until all tracees have ended, or it is asked to end.
    func run() {
        while !isAskedToEnd.load(ordering: .relaxed) {
            takeWriteFaults()
            lendToThoseThatDoNotStop()
            adoptOrphans()
            if !writeFaults.isEmpty {
                handle(writeFaults.removeFirst())
                continue
            }
            if !backlog.isEmpty {
                handle(backlog.removeFirst())
                continue
            }
            var event = husk_trace_event()
            switch husk_trace_wait(-1, waiting.isEmpty && !areAwaited ? 1 : 0, &event) {
            case 1: handle(event)
            case 0: usleep(500)
            case -ECHILD:
                // No one is left; a stop comes from outside.
                tracees = [:]
                usleep(2000)
            default: continue
            }
        }
    }

    /// Waits for one tracee that steps. What others have to tell goes to the backlog; who waits to
    /// write meanwhile may, and those that have ended are taken note of: the tracee may be waiting
    /// for them. Nil: it has ended, or has become another program.
    func wait(for tracee: Tracee) -> Int32? {
        while true {
            serveWriteFaults(whileWaitingFor: tracee)
            // Another wait, within this one, may have met it.
            if let index = backlog.firstIndex(where: { $0.tid == tracee.tid }),
                tracees[tracee.tid] === tracee
            {
                return backlog.remove(at: index).status
            }
            var event = husk_trace_event()
            let result = husk_trace_wait(-1, 1, &event)
            if result == -EINTR { continue }
            guard result >= 0 else { return nil }
            if result == 0 { continue }
            let kind = event.status >> 16
            if event.tid == tracee.tid, event.has_ended == 0, kind != Self.eventExec,
                kind != Self.eventExit
            {
                tracee.isStopped = true
                return event.status
            }
            if event.has_ended != 0 {
                takeEnd(of: event.tid)
            } else if kind == Self.eventExit {
                handle(event)  // others may wait for its end
            } else {
                putOff(event)
            }
            // A process's first thread is not told of while others live.
            if event.tid == tracee.tid || tracees[tracee.tid] !== tracee
                || ProcessFacts.isZombie(tracee.tid, of: tracee.pid)
            {
                return nil
            }
        }
    }

    /// To be handled in its turn.
    private func putOff(_ event: husk_trace_event) {
        backlog.append(event)
        if event.status >> 16 == Self.eventExec, let old = tracees[event.tid] {
            // Another thread of its process has taken its place: what it was doing is over.
            add(event.tid, of: old.pid, old.space)
        }
        tracees[event.tid]?.isStopped = true
    }

    /// What has become of an interruption.
    enum Interruption {
        /// It stands, between two instructions.
        case stands
        /// It has stopped by itself: that is dealt with in its turn.
        case other
        /// It is in the kernel, and stops before it goes on in user mode.
        case later
    }

    /// Stops a thread, and waits for that as ``nextEvent(of:attempts:)`` does.
    func interrupt(_ tracee: Tracee, attempts: Int) -> Interruption {
        if tracee.isStopped { return .other }
        guard husk_trace_interrupt(tracee.tid) == 0 else { return .later }
        guard let event = nextEvent(of: tracee.tid, attempts: attempts) else { return .later }
        if event.has_ended != 0 {
            takeEnd(of: event.tid)
            return .later
        }
        // Not one that is stopped like its whole process (it stays so when it is let go), nor one
        // that has just ended a call which is to be seen to first.
        guard event.status >> 16 == Self.eventStop,
            isReleasing
                || (event.status >> 8 & 0xFF == SIGTRAP && probeStops?.isRaised(event.tid) != true)
        else {
            putOff(event)
            return .other
        }
        tracee.isStopped = true
        return .stands
    }

    /// What a thread tells within a bounded time; nil: nothing.
    ///
    /// - Parameter attempts: the first 50 of them take some 60 µs each, the others 250.
    func nextEvent(of tid: Int32, attempts: Int) -> husk_trace_event? {
        for attempt in 0..<attempts {
            var event = husk_trace_event()
            let result = husk_trace_wait(tid, 0, &event)
            if result == 1 { return event }
            if result < 0, result != -EINTR { return nil }
            usleep(attempt < 50 ? 10 : 200)
        }
        return nil
    }

    func handle(_ event: husk_trace_event) {
        if event.has_ended != 0 {
            takeEnd(of: event.tid)
            return
        }
        guard let tracee = tracees[event.tid] ?? adopt(event) else { return }
        tracee.isStopped = true
        if tracee.isToBeLetGo {
            letGo(tracee)
            return
        }
        let signal = event.status >> 8 & 0xFF
        // Else it does not wait any more, and tells again what it wants.
        if event.status >> 16 != Self.eventStop { tracee.awaited = nil }
        switch event.status >> 16 {
        case 0: handleSignal(signal, tracee)
        case Self.eventStop:
            takeBack(tracee)
            // A SIGCONT has taken it back.
            if let time = probeStops?.take(tracee.tid) { handleCall(tracee, endedAt: time) }
            if [SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU].contains(signal) {
                stayStopped(tracee)
            } else {
                seeTo(tracee)
                if tracee.isStopped { tracee.goOn() }
            }
        case Self.eventFork, Self.eventVfork, Self.eventClone:
            takeBirth(by: tracee)
            tracee.goOn()
        case Self.eventExit:
            lendAtEnd(tracee)
            tracee.goOn()
        case Self.eventExec:
            takeExecution(of: tracee)
            if tracee.isBorrower { letGo(tracee) } else { tracee.goOn() }
        default:
            tracee.goOn()
        }
    }

    // linux/ptrace.h
    static let eventFork: Int32 = 1
    static let eventVfork: Int32 = 2
    static let eventClone: Int32 = 3
    static let eventExec: Int32 = 4
    static let eventExit: Int32 = 6
    static let eventStop: Int32 = 128

    private func handleSignal(_ signal: Int32, _ tracee: Tracee) {
        var info = siginfo_t()
        guard husk_trace_signal(tracee.tid, &info) == 0 else { return }
        takeBack(tracee)
        let isOurs = Self.isRaisedByProbe(signal, info)
        // Other signals may come first.
        if let time = probeStops?.take(tracee.tid) ?? (isOurs ? SystemClock.monotonic : nil) {
            handleCall(tracee, endedAt: time)
        }
        switch signal {
        case SIGSTOP where isOurs:
            // The ring's thread takes its note away before it sends SIGCONT, and a SIGCONT that
            // comes from here on takes this stop back: no one is stopped for ever.
            if roomStops?.contains(tracee.pid) == true {
                _ = husk_trace_set_signal(tracee.tid, &info)
                tracee.goOn(delivering: SIGSTOP)
            } else {
                tracee.goOn()
            }
        case SIGSEGV where handleFault(tracee, info) || handleKernelFault(tracee, info):
            tracee.goOn()
        default:
            deliver(signal, info, to: tracee)
        }
    }

    /// It is stopped like its whole process.
    private func stayStopped(_ tracee: Tracee) {
        if husk_trace_listen(tracee.tid) == 0 {
            tracee.isStopped = false
        } else {
            // Calls have been made in its name: it has to come to this stop once more.
            _ = husk_trace_interrupt(tracee.tid)
            tracee.goOn()
        }
    }

    /// SI_KERNEL (asm-generic/siginfo.h): no process has sent the signal.
    static func isRaisedByKernel(_ info: siginfo_t) -> Bool {
        var info = info
        return husk_signal_code(&info) == 0x80
    }

    /// No process has sent the stop, so a probe has.
    static func isRaisedByProbe(_ signal: Int32, _ info: siginfo_t) -> Bool {
        signal == SIGSTOP && isRaisedByKernel(info)
    }

    /// Delivers a signal. The kernel is going to write a frame to the stack: if that lies in
    /// enforced memory, it must be writable.
    private func deliver(_ signal: Int32, _ info: siginfo_t, to tracee: Tracee) {
        if let registers = tracee.registers, tracee.space.view(at: registers.rsp) != nil {
            _ = makeAllWritten(tracee)
        } else {
            // Or to one of its own (sigaltstack(2)); a guard lets it.
            _ = makeAllWritten(tracee, unguardedOnly: true)
        }
        // Calls in between have consumed it: it is told again.
        var info = info
        _ = husk_trace_set_signal(tracee.tid, &info)
        tracee.goOn(delivering: signal)
    }
}
