// SPDX-License-Identifier: MIT
@_exported public import HuskModel
internal import HuskPrivileges
internal import Synchronization

/// Watches processes and captures every page of theirs that becomes executable.
///
/// ```swift
/// let tracer = Tracer(pid: 1234)
/// try tracer.start()
/// // ... the target runs ...
/// for page in try tracer.stop() {
///     print(page.address, page.protectionAfter, page.content?.prefix(6) ?? [])
/// }
/// ```
///
/// Needs root, or CAP_BPF and CAP_PERFMON. A tracer runs once: ``start()``, then ``stop()``.
/// A target that ends meanwhile ends ``events``; what was captured stays available. A tracer
/// that is dropped without ``stop()`` detaches its probes and forgets what it captured.
public final class Tracer: Sendable {
    /// The processes to watch, by their IDs.
    public let pids: [Int32]
    /// How it traces.
    public let configuration: Configuration

    private enum State {
        case new
        case running(RingThread)
        case stopped
    }

    private let state = Mutex<State>(.new)
    private let collector: EventCollector
    private let loaded = Mutex<Variant?>(nil)

    /// - Parameters:
    ///   - pid: the process to watch. It is looked at when the tracer is started.
    ///   - configuration: how to trace.
    public convenience init(pid: Int32, configuration: Configuration = Configuration()) {
        self.init(pids: [pid], configuration: configuration)
    }

    /// - Parameters:
    ///   - pids: the processes to watch. They are looked at when the tracer is started.
    ///   - configuration: how to trace.
    public init(pids: [Int32], configuration: Configuration = Configuration()) {
        var named: Set<Int32> = []
        // One that is watched twice would be captured twice.
        self.pids = pids.filter { named.insert($0).inserted }
        self.configuration = configuration
        collector = EventCollector(configuration)
    }

    deinit {
        state.withLock { state in
            if case .running(let thread) = state { thread.stop() }
        }
    }

    /// The events as they come, for one consumer, from the start on.
    ///
    /// Bounded by ``Configuration/eventBufferLimit``: a consumer that is too slow is told
    /// how much it has missed by a ``/HuskModel/Loss`` with the cause `consumerTooSlow`.
    public var events: EventSequence {
        EventSequence(
            stream: collector.channel.stream,
            lastLoss: { [collector] in collector.takeDropped() })
    }

    /// How pages are copied; nil before ``start()``.
    public var copyMethod: CopyMethod? { loaded.withLock { $0?.flavor.method } }

    /// Where system calls are seen; nil before ``start()``.
    public var probeKind: ProbeKind? { loaded.withLock { $0?.kind } }

    /// Checks that the targets exist (kill(2) with signal 0), loads the probes, puts the
    /// targets into their filter, attaches them. When it returns, nothing that a target does
    /// from then on is missed.
    ///
    /// - Throws: ``HuskError``. ``HuskError/Code/alreadyStarted`` for a second call.
    public func start() throws(HuskError) {
        try configuration.validate()
        var failure: HuskError?
        state.withLock { state in
            guard case .new = state else {
                failure = HuskError(
                    .alreadyStarted, "this tracer has been started before",
                    hint: "make a new Tracer for another run")
                return
            }
            do throws(HuskError) {
                state = .running(try begin())
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    private func begin() throws(HuskError) -> RingThread {
        guard !pids.isEmpty else {
            throw HuskError(.invalidPID, "no process was named")
        }
        var handles: [TargetProcess.Handle] = []
        for pid in pids { handles.append(try TargetProcess.open(pid: pid)) }

        let following = configuration.followsChildren
        let enforces = configuration.rwx == .trap
        let kept = configuration.givesUpCapabilities ? CapabilitySet.tracing : nil
        let enforcer =
            enforces
            ? try Enforcer(
                followsChildren: following, guardLimit: configuration.guardLimit, keeping: kept)
            : nil
        let probes = try ProbeObject.attached(
            ProbeObject.Options(
                ringSize: configuration.ringSize,
                neverStalls: configuration.neverStalls,
                pageBudget: configuration.pageBudget ?? .max,
                stallLimit: configuration.stallLimit.nanosecondsClamped,
                stallSilence: configuration.stallSilence.nanosecondsClamped,
                walkLimit: configuration.walkLimit.nanosecondsClamped,
                method: configuration.copyMethod, kind: configuration.probeKind,
                referencesFiles: configuration.referencesFiles,
                looksAtCallers: !enforces, sampleRate: enforces ? 0 : configuration.sampleRate,
                enforcerMark: enforcer?.mark),
            watching: pids, following: following)
        handles += try watchRelatives(probes)
        // A process that ended before the probes were there will never be taken out by them.
        for handle in handles where handle.hasEnded { probes.unwatch(pid: handle.pid) }
        loaded.withLock { $0 = probes.variant }
        let collector = collector
        let thread = try RingThread(
            probes: probes, targets: handles,
            capturingPresent: configuration.capturesPresent,
            lookInterval: enforces ? 0 : configuration.lookInterval.nanosecondsClamped,
            enforcer: enforcer, pageBudget: configuration.pageBudget ?? .max,
            stopsTargets: probes.variant.flavor.method == .syscallExit
                && !configuration.neverStalls,
            keeping: kept,
            sink: { collector.take($0) }, whenDone: { collector.finish($0) })
        try thread.start()
        return thread
    }

    /// Adds those that share memory with the targets and, if wanted, their descendants. The
    /// probes are there already: a child that is born meanwhile is added by them, so a few
    /// rounds find all.
    private func watchRelatives(_ probes: ProbeObject) throws(HuskError) -> [TargetProcess.Handle] {
        var known = Set(pids)
        var handles: [TargetProcess.Handle] = []
        for _ in 0..<16 {
            var found = ProcessTree.sharers(ofMemoryOf: pids)
            if configuration.includesDescendants {
                found.formUnion(ProcessTree.descendants(of: pids))
            }
            found.subtract(known)
            if found.isEmpty { break }
            known.formUnion(found)
            for pid in found.sorted() {
                // One that has just ended needs no watching.
                guard let handle = try? TargetProcess.open(pid: pid) else { continue }
                try probes.watch(pid: pid, following: configuration.followsChildren)
                handles.append(handle)
            }
        }
        return handles
    }

    /// Ends the trace, reads what is left in the ring, takes the probes down, and returns the
    /// pages captured, in the order of their capture. Called again, it returns the same pages.
    ///
    /// - Throws: ``HuskError/Code/notStarted`` if the tracer has never been started.
    @discardableResult
    public func stop() throws(HuskError) -> [Page] {
        var failure: HuskError?
        state.withLock { state in
            switch state {
            case .new:
                failure = HuskError(.notStarted, "this tracer has not been started")
            case .running(let thread):
                thread.stop()
                state = .stopped
            case .stopped:
                break
            }
        }
        if let failure { throw failure }
        return collector.pages
    }

    /// Whether any process is still watched: a target, or one of its descendants.
    public var hasLivingTargets: Bool {
        state.withLock { state in
            if case .running(let thread) = state { thread.hasLivingTargets } else { false }
        }
    }

    /// How full the ring between the kernel and Husk is at this moment, from 0 to 1: what waits
    /// to be read. Near 1, targets are held or their pages are lost (``Configuration/neverStalls``).
    /// Asking costs no system call. Nil: the trace does not run.
    public var ringFill: Double? {
        state.withLock { state in
            if case .running(let thread) = state { thread.ringFill } else { nil }
        }
    }

    /// How many record numbers the kernel side has given on each CPU, and how many have never
    /// arrived; empty before ``stop()``.
    public var recordCounts: [RecordCount] { collector.recordCounts }

    /// What was lost so far: empty for a complete capture.
    public var losses: [Loss] { collector.losses }
}

/// Where the ring's thread puts events: pages and losses for later, the channel, the caller.
final class EventCollector: Sendable {
    let channel: EventChannel
    private let onEvent: (@Sendable (Event) -> Void)?
    private let onEnd: (@Sendable () -> Void)?
    private let retainsPages: Bool
    private let hasChannel: Bool

    private struct Kept {
        var pages: [Page] = []
        var losses: [Loss] = []
        var recordCounts: [RecordCount] = []
        /// Equal content is kept once.
        var contents: Set<PageContent> = []
        var dropped: UInt64 = 0
    }

    private let kept = Mutex(Kept())

    init(_ configuration: Tracer.Configuration) {
        channel = EventChannel(limit: configuration.eventBufferLimit)
        onEvent = configuration.onEvent
        onEnd = configuration.onEnd
        retainsPages = configuration.retainsPages
        hasChannel = configuration.eventBufferLimit > 0
    }

    var pages: [Page] { kept.withLock { $0.pages } }
    var losses: [Loss] { kept.withLock { $0.losses } }
    var recordCounts: [RecordCount] { kept.withLock { $0.recordCounts } }

    func take(_ event: Event) {
        let event = keep(event)
        onEvent?(event)
        send(event)
    }

    private func keep(_ event: Event) -> Event {
        switch event {
        case .page(var page) where retainsPages:
            return kept.withLock { kept in
                if case .content(let content, let reader) = page.body {
                    let shared = kept.contents.insert(content).memberAfterInsert
                    page.body = .content(shared, reader: reader)
                }
                kept.pages.append(page)
                return .page(page)
            }
        case .loss(let loss):
            kept.withLock { $0.losses.append(loss) }
            return event
        default:
            return event
        }
    }

    private func send(_ event: Event) {
        guard hasChannel else { return }
        if let loss = takeDropped(), !channel.send(.loss(loss)) {
            kept.withLock { $0.dropped += loss.count + 1 }
            return
        }
        if !channel.send(event) { kept.withLock { $0.dropped += 1 } }
    }

    /// What has been dropped since the last time, if anything.
    func takeDropped() -> Loss? {
        let dropped = kept.withLock { kept in
            defer { kept.dropped = 0 }
            return kept.dropped
        }
        return dropped == 0
            ? nil : Loss(cause: .consumerTooSlow, time: WallClock().now(), count: dropped)
    }

    func finish(_ recordCounts: [RecordCount]) {
        kept.withLock { $0.recordCounts = recordCounts }
        channel.finish()
        onEnd?()
    }
}
