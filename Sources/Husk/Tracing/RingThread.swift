// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import CLibbpf
internal import Dispatch
internal import Glibc
internal import HuskModel
internal import HuskPrivileges
internal import HuskProbes

/// The one thread that reads the ring. It owns the probes from the moment it starts.
///
/// Blocks in poll(2) until there are records, a target has ended or it is told to stop, so
/// an idle trace costs nothing.
final class RingThread: @unchecked Sendable {
    // Guard: everything but `wake`, `isReady`, `ringPositions` and the kernel's own map of targets is
    // used by the thread itself only, once it runs. `start` hands it over, `stop` joins the thread before anything
    // is looked at again; both are called under the tracer's lock.
    private let probes: ProbeObject
    /// The processes that the trace was started on; others may join them.
    private let targets: [TargetProcess.Handle]
    private let capturesPresent: Bool
    /// Nanoseconds between looks from outside at what is being written; 0: there are none.
    private let lookInterval: UInt64
    /// What was there before has been taken.
    private let isReady = DispatchSemaphore(value: 0)
    private let wake: OwnedDescriptor
    /// Who enforces W^X, if that is wanted.
    private let enforcer: Enforcer?
    private let pageBudget: UInt64
    /// The capabilities that the threads of a trace keep; nil: all.
    private let kept: CapabilitySet?
    private let ringPositions: RingPositions?
    /// Where threads cannot wait in the kernel, and may be held at all.
    private let guardian: Guardian?
    private let sink: @Sendable (Event) -> Void
    private let whenDone: @Sendable ([RecordCount]) -> Void
    private var thread: NamedThread?

    /// How long the end may take: for threads of targets that are still copying.
    private static let drainLimit: UInt64 = 2_000_000_000
    /// And for reading what is in the ring.
    private static let readLimit: UInt64 = 60_000_000_000

    init(
        probes: ProbeObject, targets: consuming [TargetProcess.Handle],
        capturingPresent: Bool, lookInterval: UInt64, enforcer: Enforcer?, pageBudget: UInt64,
        stopsTargets: Bool, keeping kept: CapabilitySet?,
        sink: @escaping @Sendable (Event) -> Void,
        whenDone: @escaping @Sendable ([RecordCount]) -> Void
    ) throws(HuskError) {
        self.probes = probes
        self.targets = targets
        self.capturesPresent = capturingPresent
        self.lookInterval = lookInterval
        self.enforcer = enforcer
        self.pageBudget = pageBudget
        self.kept = kept
        ringPositions = probes.ringPositions
        guardian = stopsTargets ? try Guardian(probes, isBesideTracer: enforcer != nil) : nil
        self.sink = sink
        self.whenDone = whenDone
        wake = try OwnedDescriptor(resultOf: husk_eventfd_open(), "eventfd")
    }

    /// Returns when what was there before has been taken, and W^X is enforced if that is wanted.
    ///
    /// - Throws: ``HuskError``; nothing is left running then.
    func start() throws(HuskError) {
        if let kept { probes.whenAllIsAttached = { kept.keep() } }
        thread = try NamedThread(
            "husk-ring", goingFirst: true,
            keeping: probes.attachesMore ? kept?.union(.attaching) : kept
        ) { self.run() }
        isReady.wait()
        do throws(HuskError) {
            try enforcer?.start(
                on: targets.filter { !$0.hasEnded }.map(\.pid), probes.forgottenSettings,
                probes.probeStops, probes.roomStops, probes.changingMemory)
        } catch {
            stop()
            throw error
        }
    }

    /// Ends the trace and returns when the last event has been told; then takes the probes down.
    func stop() {
        guard let thread else { return }
        self.thread = nil
        enforcer?.stop()
        var one: UInt64 = 1
        _ = retryingInterrupted { write(wake.number, &one, MemoryLayout<UInt64>.size) }
        thread.join()
        probes.detach()
        guardian?.end()
    }

    /// Asks the kernel. From any thread, under the tracer's lock.
    var hasLivingTargets: Bool { thread != nil && !probes.watchesNoOne }

    /// How full the ring is, from 0 to 1. From any thread; it is no system call.
    var ringFill: Double? { ringPositions?.fill }

    // MARK: On the thread

    /// Where libbpf's callback finds its way back to.
    private final class Context {
        var builder: EventBuilder
        let probes: ProbeObject
        /// How many records may still be taken before the ring's thread looks at other things.
        var budget = 0
        private let enforcer: Enforcer?
        /// Caught by the enforcer and not told yet, in the order of time.
        var executions: [Enforcer.Capture] = []

        func takeExecutions(before time: UInt64) {
            guard let enforcer else { return }
            executions += enforcer.takeCaptures()
            while let first = executions.first, first.monotonic < time {
                executions.removeFirst()
                builder.take(first)
            }
        }

        init(_ builder: EventBuilder, _ probes: ProbeObject, _ enforcer: Enforcer?) {
            self.enforcer = enforcer
            self.builder = builder
            self.probes = probes
        }
    }

    private final class Beat: @unchecked Sendable {
        private let probes: ProbeObject

        init(_ probes: ProbeObject) { self.probes = probes }

        func tell(_ count: UInt64) { probes.beat(count) }
    }

    /// Targets may write faster than Husk reads: libbpf would never come back.
    private static let portion = 4096

    /// Reads a portion of what is in the ring. True: there may be more.
    private func consume(_ ring: OpaquePointer, _ context: Context) -> Bool {
        context.budget = Self.portion
        let hasMore = ring_buffer__consume(ring) < 0
        if let guardian { guardian.letGo(upTo: probes.consumerPosition, isEmpty: !hasMore) }
        return hasMore
    }

    private func run() {
        let probes = probes
        let context = Context(
            EventBuilder(
                pageBudget: pageBudget, emit: sink, memorySince: { probes.memorySince($0) },
                lastRelease: { probes.lastRelease }),
            probes, enforcer)
        // Unsafe: libbpf passes the pointer back to the callback, only from
        // ring_buffer__consume below, while `context` is alive (withExtendedLifetime).
        let ring = ring_buffer__new(
            probes.ringDescriptor,
            { context, data, size in
                guard let context, let data else { return 0 }
                let this = Unmanaged<Context>.fromOpaque(context).takeUnretainedValue()
                let record = UnsafeRawBufferPointer(start: data, count: size)
                this.takeExecutions(before: RecordDecoder.time(of: record))
                this.builder.take(record)
                // Before the record counts as read: a thread may be waiting for that.
                if this.builder.hasChangingMemory { this.probes.watchChangingMemory() }
                this.budget -= 1
                // A negative result ends the reading, after this record.
                return this.budget > 0 ? 0 : -EAGAIN
            }, Unmanaged.passUnretained(context).toOpaque(), nil)
        // Unchecked: bpf(2) may be called from any thread; the object outlives this function.
        let beat = Beat(probes)
        let heartbeat = try? Heartbeat(keeping: kept == nil ? nil : []) { beat.tell($0) }
        defer { heartbeat?.stop() }
        withExtendedLifetime(context) {
            var given: [UInt64]?
            if let ring {
                // The probes are in place: what changes from here on comes through the ring.
                for target in targets { takePresent(target.pid, context, ring) }
                isReady.signal()
                read(ring, context)
                probes.unwatchAll()
                given = drain(ring, context)
                ring_buffer__free(ring)
            } else {
                isReady.signal()
                // Nothing can be read: that must not look like a trace without events.
                sink(.loss(Loss(cause: .ringUnreadable, time: WallClock().now())))
            }
            for range in probes.unsentRanges() {
                context.builder.tellUnsent(
                    range.pid, from: range.start, to: range.end, count: range.count)
            }
            let numbers = given ?? probes.counter(HUSK_COUNTER_SEQUENCE)
            context.builder.finish(given: numbers, missedRuns: probes.missedRuns)
            whenDone(context.builder.recordCounts(given: numbers))
        }
    }

    /// What was mapped before Husk came: a process's timeline begins with it. The ring is read
    /// in between, because a target may be waiting for room.
    private func takePresent(_ pid: Int32, _ context: Context, _ ring: OpaquePointer) {
        let regions = MemoryMaps.regions(of: pid) ?? []
        let changing = regions.filter(\.mayChange)
        if !changing.isEmpty { probes.noteChanging(changing.map { $0.start..<$0.end }, of: pid) }
        for region in regions {
            if region.protection.contains(.execute), let file = region.backing.file {
                probes.noteViewed(file)
            }
            guard
                var capture = context.builder.takePresent(
                    region, of: pid, capturing: capturesPresent)
            else { continue }
            readOn(&capture, context, ring)
        }
        _ = consume(ring, context)
    }

    private func readOn(
        _ capture: inout EventBuilder.OutsideCapture, _ context: Context, _ ring: OpaquePointer
    ) {
        while context.builder.captureMore(&capture, pages: 1024) { _ = consume(ring, context) }
    }

    /// Looks from outside at what can change without a call. True: something has changed.
    @discardableResult
    private func look(_ trigger: LookTrigger, _ context: Context, _ ring: OpaquePointer) -> Bool {
        var hasChanged = false
        for (pid, region) in context.builder.changingRegions() where probes.memorySince(pid) != nil
        {
            var capture = context.builder.look(at: region, of: pid, trigger)
            readOn(&capture, context, ring)
            hasChanged = hasChanged || capture.isTold
        }
        return hasChanged
    }

    /// Until told to stop, or until no process is watched any more.
    private func read(_ ring: OpaquePointer, _ context: Context) {
        var descriptors =
            [
                pollfd(fd: ring_buffer__epoll_fd(ring), events: Int16(POLLIN), revents: 0),
                pollfd(fd: wake.number, events: Int16(POLLIN), revents: 0),
                pollfd(fd: enforcer?.news.number ?? -1, events: Int16(POLLIN), revents: 0),
            ] + targets.map { pollfd(fd: $0.number, events: Int16(POLLIN), revents: 0) }
        var living = targets.count
        var ended = 0
        var hasMore = false
        var timer = LookTimer(interval: lookInterval)
        var pace = ReadingPace()
        while true {
            // Children have no descriptor here. Their ends come through the ring; the timeout is
            // for an end whose record found no room.
            var patience = hasMore ? 0 : pace.patience(atMost: living == 0 ? 500 : -1)
            let looks = lookInterval > 0 && context.builder.hasChangingMemory
            if looks {
                let left = timer.millisecondsLeft
                patience = patience < 0 ? left : min(patience, left)
            }
            let ready = retryingInterrupted {
                Int(poll(&descriptors, nfds_t(descriptors.count), patience))
            }
            if ready < 0 { return }
            if hasMore || descriptors[0].revents != 0 || pace.isLooking || pace.hasJustStopped {
                let before = context.builder.recordCount
                hasMore = consume(ring, context)
                pace.note(records: context.builder.recordCount - before) {
                    probes.tellLooking($0)
                }
            }
            if descriptors[1].revents != 0 {
                // The targets live on: this is what their end would be.
                _ = consume(ring, context)
                look(.traceEnd, context, ring)
                return
            }
            if descriptors[2].revents != 0 { takeExecutions(context, ring) }
            for index in 3..<descriptors.count where descriptors[index].revents != 0 {
                descriptors[index].fd = -1  // poll(2) skips it from now on
                descriptors[index].revents = 0
                living -= 1
            }
            if looks { timer.lookIfDue { look(.timer, context, ring) } }
            let isQuiet = ready == 0 && !hasMore && living == 0 && !pace.isLooking
            let hasNews = context.builder.endedProcesses != ended || isQuiet
            ended = context.builder.endedProcesses
            if isQuiet { dropTheDead() }
            if living == 0 || hasNews, probes.watchesNoOne { return }
        }
    }

    /// What the enforcer has caught, between the records that came before and after.
    private func takeExecutions(_ context: Context, _ ring: OpaquePointer) {
        guard let enforcer else { return }
        var count: UInt64 = 0
        // An eventfd that nothing has been written to would block.
        var state = pollfd(fd: enforcer.news.number, events: Int16(POLLIN), revents: 0)
        if poll(&state, 1, 0) == 1 {
            _ = retryingInterrupted { Glibc.read(enforcer.news.number, &count, 8) }
        }
        // Those so far: what their targets' calls have changed before is in the ring.
        let now = SystemClock.monotonic
        while consume(ring, context) {}
        context.takeExecutions(before: now)
    }

    /// A process whose end no probe has seen (ProbeObject.missedRuns) must not keep the trace.
    private func dropTheDead() {
        for pid in probes.watched() where kill(pid, 0) != 0 && errno == ESRCH {
            probes.unwatch(pid: pid)
        }
    }

    /// Reads what is left, and waits a bounded time for threads that are still copying. Returns
    /// the record numbers that had been given by then: what comes later is not of this trace.
    private func drain(_ ring: OpaquePointer, _ context: Context) -> [UInt64] {
        let start = SystemClock.monotonic
        while true {
            // What is there is read, however long that takes: it is one ring at most, and what
            // threads that are held in the kernel add to it.
            takeExecutions(context, ring)
            while consume(ring, context), SystemClock.monotonic < start + Self.readLimit {}
            let given = probes.counter(HUSK_COUNTER_SEQUENCE)
            // Records that found no room never come.
            let neverSent = probes.counter(HUSK_COUNTER_UNSENT).reduce(0, +)
            let isWhole =
                !context.builder.hasOpenTransitions
                && context.builder.missingRecords(given: given) <= neverSent
            if isWhole || SystemClock.monotonic > start + Self.drainLimit { return given }
            usleep(1000)
        }
    }
}
