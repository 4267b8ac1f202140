// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Dispatch
internal import Glibc
internal import HuskModel
internal import Synchronization

/// The beginning: seizing the targets. The end: everything as the target has asked for it, and
/// every thread let go.
extension Enforcer {
    /// Wakes the enforcer's thread out of its waiting.
    static let wakeSignal = __libc_current_sigrtmin() + 3

    private final class Start: @unchecked Sendable {
        // Guard: the enforcer's thread has it until `isReady` is signalled, then who waits for that.
        let enforcer: Enforcer
        let pids: [Int32]
        var failure: HuskError?
        let isReady = DispatchSemaphore(value: 0)

        init(_ enforcer: Enforcer, _ pids: [Int32]) {
            self.enforcer = enforcer
            self.pids = pids
        }
    }

    /// Seizes all threads of the targets and enforces W^X on what they have. The probes must be
    /// attached already.
    ///
    /// - Throws: ``HuskError/Code/alreadyTraced``: someone else traces a target.
    func start(
        on pids: [Int32], _ forgottenSettings: ForgottenSettings, _ probeStops: ProbeStops,
        _ roomStops: RoomStops, _ changingMemory: ChangingMemory
    ) throws(HuskError) {
        self.forgottenSettings = forgottenSettings
        self.probeStops = probeStops
        self.roomStops = roomStops
        self.changingMemory = changingMemory
        let start = Start(self, pids)
        thread = try NamedThread("husk-enforcer", keeping: kept) { start.enforcer.live(start) }
        start.isReady.wait()
        if let failure = start.failure {
            stop()
            throw failure
        }
    }

    private func live(_ start: Start) {
        _ = husk_make_interruptible(Self.wakeSignal)
        do throws(HuskError) {
            for pid in start.pids { try seize(pid) }
            start.isReady.signal()
            run()
        } catch {
            start.failure = error
            start.isReady.signal()
        }
        release()
        hasEnded.store(true, ordering: .releasing)
    }

    /// Lets the targets go, and returns when that is done.
    func stop() {
        guard let thread else { return }
        self.thread = nil
        isAskedToEnd.store(true, ordering: .relaxed)
        // The signal may come just before the thread begins to wait.
        while !hasEnded.load(ordering: .acquiring) {
            thread.signal(Self.wakeSignal)
            usleep(500)
        }
        thread.join()
    }

    // MARK: The beginning

    private func seize(_ pid: Int32) throws(HuskError) {
        let space =
            tracees.values.first { husk_processes_share_memory($0.pid, pid) == 1 }?.space
            ?? EnforcedSpace()
        // Threads that are born meanwhile are traced from their birth if their parent is.
        var isComplete = false
        for _ in 0..<64 where !isComplete {
            isComplete = true
            for tid in ProcessFacts.threads(of: pid) where tracees[tid] == nil {
                let result = husk_trace_seize(tid)
                if result == 0 {
                    add(tid, of: pid, space)
                    isComplete = false
                } else if result == -EPERM, !ProcessFacts.isZombie(tid, of: pid),
                    ProcessFacts.tracer(of: tid) != nil || tid == pid
                {
                    // (One that is just ending cannot be traced either.)
                    throw Self.refusal(pid)
                }
            }
        }
        guard tracees.values.contains(where: { $0.pid == pid }) else {
            throw HuskError(.noSuchProcess, "process \(pid) has ended")
        }
        // What it has already.
        let regions = MemoryMaps.regions(of: pid) ?? []
        guard
            regions.contains(where: { $0.protection.contains([.write, .execute]) || $0.mayChange })
        else { return }
        for _ in 0..<Self.stoppingRounds {
            for tracee in tracees.values
            where tracee.pid == pid && interrupt(tracee, attempts: 500) == .stands {
                reconcile(tracee, nil)
                tracee.goOn()
                return
            }
            handleBacklog()
        }
    }

    private func handleBacklog() {
        while !backlog.isEmpty { handle(backlog.removeFirst()) }
    }

    private static func refusal(_ pid: Int32) -> HuskError {
        guard let tracer = ProcessFacts.tracer(of: pid) else {
            return HuskError(
                .notPermitted, "process \(pid) cannot be traced with ptrace", errno: EPERM,
                hint: "trap mode needs CAP_SYS_PTRACE; --rwx observe does not")
        }
        let isOwn = tracer == getpid()
        return HuskError(
            .alreadyTraced,
            "process \(pid) is traced already, by "
                + (isOwn ? "this Husk" : "process \(tracer)"),
            hint: "only one can trace it; --rwx observe works beside another tracer")
    }

    // MARK: The end

    /// Makes everything as the target has asked for it.
    func restore(_ space: EnforcedSpace, by tracee: Tracee) {
        apply(space.views.map { .init(range: $0.range, protection: $0.asked) }, by: tracee)
        space.writeGuard = nil  // what it keeps is free with that
    }

    /// How often all threads are asked to stop before some are given up: those that wait in the
    /// kernel for a thread that is to be let go.
    private static let stoppingRounds = 20

    /// Gives back W and X, then lets every thread go. First all of them stand, so that no one's
    /// fault takes again what has been given back.
    private func release() {
        probeStops?.end()
        adoptOrphans(after: 0)
        isReleasing = true
        var standing: [Tracee] = []
        for round in 0..<Self.stoppingRounds {
            // A thread that waits to write in a call cannot be stopped before it may.
            for space in guardedSpaces { allowAll(in: space) }
            handleBacklog()
            let rest = tracees.values.filter { !$0.isStopped }
            if rest.isEmpty { break }
            standing += rest.filter { interrupt($0, attempts: round == 0 ? 100 : 200) == .stands }
        }
        var done: Set<ObjectIdentifier> = []
        for tracee in standing where tracees[tracee.tid] === tracee {
            guard done.insert(ObjectIdentifier(tracee.space)).inserted else { continue }
            restore(tracee.space, by: tracee)
        }
        // Those that are not stopped now go on when their tracer, this thread, has ended.
        for tracee in tracees.values where tracee.isStopped {
            takePendingStop(tracee)
            _ = husk_trace_detach(tracee.tid, tracee.undelivered)
        }
        tracees = [:]
        guardedSpaces = []
        guardWatch?.stop()
    }

    /// A probe may have raised a stop in the call at whose end the thread stands. No one would take it
    /// for what it is once the thread is let go: its process would stop for ever.
    func takePendingStop(_ tracee: Tracee) {
        let folder = ProcFolder(thread: tracee.tid, of: tracee.pid)
        var signal: Int32 = 0
        while folder.hasPending(SIGSTOP) {
            // It comes before the thread is in user mode again; others may come before it.
            guard husk_trace_continue(tracee.tid, signal) == 0,
                let event = nextEvent(of: tracee.tid, attempts: 250), event.has_ended == 0
            else { return }
            signal = event.status >> 16 == 0 ? event.status >> 8 & 0xFF : 0
            guard signal == SIGSTOP else { continue }
            var info = siginfo_t()
            let isOurs =
                husk_trace_signal(tracee.tid, &info) == 0 && Self.isRaisedByProbe(signal, info)
            if !isOurs || roomStops?.contains(tracee.pid) == true { tracee.undelivered = SIGSTOP }
            return
        }
        if signal != 0 { tracee.undelivered = signal }
    }
}
