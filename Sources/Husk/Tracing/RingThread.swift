// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import CLibbpf
internal import Glibc
internal import HuskModel
internal import HuskProbes

/// The one thread that reads the ring. It owns the probes from the moment it starts.
///
/// Blocks in poll(2) until there are records, a target has ended or it is told to stop, so
/// an idle trace costs nothing.
final class RingThread: @unchecked Sendable {
    // Guard: everything but `wake` is used by the thread itself only, once it runs.
    // `start` hands it over, `stop` joins the thread before anything is looked at again; both
    // are called under the tracer's lock.
    private let probes: ProbeObject
    private let targets: [TargetProcess.Handle]
    private let wake: OwnedDescriptor
    private let sink: @Sendable (Event) -> Void
    private let whenDone: @Sendable () -> Void
    private var thread = pthread_t()
    private var isJoined = false

    /// How long the end may take: for threads of targets that are still copying.
    private static let drainLimit: UInt64 = 2_000_000_000

    init(
        probes: ProbeObject, targets: consuming [TargetProcess.Handle],
        sink: @escaping @Sendable (Event) -> Void, whenDone: @escaping @Sendable () -> Void
    ) throws(HuskError) {
        self.probes = probes
        self.targets = targets
        self.sink = sink
        self.whenDone = whenDone
        wake = try OwnedDescriptor(resultOf: husk_eventfd_open(), "eventfd")
    }

    func start() throws(HuskError) {
        // Unsafe: a thread's argument is an untyped pointer. It carries one reference to
        // self, which the thread gives back when it ends.
        let context = Unmanaged.passRetained(self).toOpaque()
        let result = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let this = Unmanaged<RingThread>.fromOpaque(context).takeRetainedValue()
                husk_thread_set_name("husk-ring")
                this.run()
                return nil
            }, context)
        guard result == 0 else {
            Unmanaged<RingThread>.fromOpaque(context).release()
            throw HuskError(.system, "cannot start the thread that reads the ring", errno: result)
        }
    }

    /// Ends the trace and returns when the last event has been told. The probes stay in place,
    /// without a target in their filter: they see nothing any more.
    func stop() {
        guard !isJoined else { return }
        isJoined = true
        var one: UInt64 = 1
        _ = retryingInterrupted { write(wake.number, &one, MemoryLayout<UInt64>.size) }
        pthread_join(thread, nil)
    }

    /// Takes the probes down. The kernel needs some 70 ms for each, to be sure that no CPU is
    /// inside it.
    func detach() {
        stop()
        probes.detach()
    }

    // MARK: On the thread

    /// Where libbpf's callback finds its way back to.
    private final class Context {
        var builder: EventBuilder
        init(_ builder: EventBuilder) { self.builder = builder }
    }

    private func run() {
        let context = Context(EventBuilder(emit: sink))
        // Unsafe: libbpf passes the pointer back to the callback, only from
        // ring_buffer__consume below, while `context` is alive (withExtendedLifetime).
        let ring = ring_buffer__new(
            probes.ringDescriptor,
            { context, data, size in
                guard let context, let data else { return 0 }
                Unmanaged<Context>.fromOpaque(context).takeUnretainedValue().builder
                    .take(UnsafeRawBufferPointer(start: data, count: size))
                return 0
            }, Unmanaged.passUnretained(context).toOpaque(), nil)
        withExtendedLifetime(context) {
            if let ring {
                read(ring)
                for target in targets { probes.unwatch(pid: target.pid) }
                drain(ring, context)
                ring_buffer__free(ring)
            } else {
                // Nothing can be read: that must not look like a trace without events.
                sink(.loss(Loss(cause: .ringUnreadable, time: WallClock().now())))
            }
            context.builder.finish(given: probes.counter(HUSK_COUNTER_SEQUENCE))
        }
        whenDone()
    }

    /// Until told to stop, or until all targets have ended.
    private func read(_ ring: OpaquePointer) {
        var descriptors =
            [
                pollfd(fd: ring_buffer__epoll_fd(ring), events: Int16(POLLIN), revents: 0),
                pollfd(fd: wake.number, events: Int16(POLLIN), revents: 0),
            ] + targets.map { pollfd(fd: $0.number, events: Int16(POLLIN), revents: 0) }
        var living = targets.count
        while true {
            let ready = retryingInterrupted {
                Int(poll(&descriptors, nfds_t(descriptors.count), -1))
            }
            if ready < 0 { return }
            if descriptors[0].revents != 0 { ring_buffer__consume(ring) }
            if descriptors[1].revents != 0 { return }
            for index in 2..<descriptors.count where descriptors[index].revents != 0 {
                descriptors[index].fd = -1  // poll(2) skips it from now on
                descriptors[index].revents = 0
                probes.unwatch(pid: targets[index - 2].pid)
                living -= 1
            }
            if living == 0 { return }
        }
    }

    /// Reads what is left, and waits a bounded time for threads that are still copying.
    private func drain(_ ring: OpaquePointer, _ context: Context) {
        let deadline = WallClock.monotonicNow() + Self.drainLimit
        while true {
            while ring_buffer__consume(ring) > 0 {}
            let given = probes.counter(HUSK_COUNTER_SEQUENCE)
            // Records that found no room never come.
            let neverSent = probes.counter(HUSK_COUNTER_UNSENT).reduce(0, +)
            let isWhole =
                !context.builder.hasOpenTransitions
                && context.builder.missingRecords(given: given) <= neverSent
            if isWhole || WallClock.monotonicNow() > deadline { return }
            usleep(1000)
        }
    }
}
