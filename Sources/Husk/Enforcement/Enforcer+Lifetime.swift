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
        on pids: [Int32], _ forgottenSettings: ForgottenSettings, _ owedStops: OwedStops
    ) throws(HuskError) {
        self.forgottenSettings = forgottenSettings
        self.owedStops = owedStops
        let start = Start(self, pids)
        thread = try NamedThread("husk-enforcer") { start.enforcer.live(start) }
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
                } else if result == -EPERM {
                    throw Self.refusal(pid)
                }
            }
        }
        guard let first = tracees[pid] ?? tracees.values.first(where: { $0.pid == pid }) else {
            throw HuskError(.noSuchProcess, "process \(pid) has ended")
        }
        // What it has already.
        let regions = MemoryMaps.regions(of: pid) ?? []
        guard
            regions.contains(where: { $0.protection.contains([.write, .execute]) || $0.mayChange }),
            interrupt(first)
        else { return }
        resynchronise(first, nil)
        first.goOn()
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

    /// Stops a thread and waits for it, for a second at most.
    func interrupt(_ tracee: Tracee, attempts: Int = 5000) -> Bool {
        if tracee.isStopped { return true }
        guard husk_trace_interrupt(tracee.tid) == 0 else { return false }
        for attempt in 0..<attempts {
            var event = husk_trace_event()
            let result = husk_trace_wait(tracee.tid, 0, &event)
            if result == 1 {
                if event.has_ended != 0 { return false }
                tracee.isStopped = true
                switch event.status >> 16 {
                case Self.eventFork, Self.eventVfork, Self.eventClone: takeBirth(by: tracee)
                case Self.eventExec: takeExecution(of: tracee)
                case 0:
                    var info = siginfo_t()
                    let signal = event.status >> 8 & 0xFF
                    let isOurs =
                        husk_trace_signal(tracee.tid, &info) == 0
                        && (Self.isRaisedByProbe(signal, info)
                            || (signal == SIGSEGV && handleFault(tracee, info)))
                    if !isOurs { tracee.undelivered = signal }
                default: break
                }
                return true
            }
            if result < 0, result != -EINTR { return false }
            usleep(attempt < 50 ? 10 : 200)
        }
        return false
    }

    // MARK: The end

    /// Makes everything as the target has asked for it.
    func restore(_ space: EnforcedSpace, by tracee: Tracee) {
        apply(space.views.map { .init(range: $0.range, protection: $0.asked) }, by: tracee)
        space.writeGuard = nil  // what it keeps is free with that
    }

    /// Gives back W and X, then lets every thread go.
    private func release() {
        for event in backlog where event.has_ended == 0 { tracees[event.tid]?.isStopped = true }
        // A thread that waits in a call to write cannot be stopped before it may.
        for space in guardedSpaces { allowAll(in: space) }
        var done: Set<ObjectIdentifier> = []
        for tracee in tracees.values.sorted(by: { $0.tid < $1.tid }) {
            let key = ObjectIdentifier(tracee.space)
            guard !tracee.space.isEmpty, !done.contains(key), interrupt(tracee) else { continue }
            done.insert(key)
            // Others may run meanwhile: what is given back to them is all that they can want.
            restore(tracee.space, by: tracee)
        }
        for tracee in tracees.values where interrupt(tracee) {
            _ = husk_trace_detach(tracee.tid, tracee.undelivered)
        }
        tracees = [:]
        guardedSpaces = []
        guardWatch?.stop()
    }
}
