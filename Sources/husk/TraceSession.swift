// SPDX-License-Identifier: MIT
import Glibc
import Husk
import HuskCapture
import HuskPrivileges

/// One trace from its start to its exit status: waits for signals, the command's end, the
/// targets' end and the time limit, on the main thread.
final class TraceSession {
    private let options: TraceOptions
    private let lines: LineOutput
    private let signals: SignalWatch
    private let writer: CaptureWriter
    /// On a terminal: what is shown there while the trace runs.
    private let display: TraceDisplay?
    /// Written to by the ring's thread: the trace has ended, or the reader of the lines has gone.
    private let wake: WakePipe
    /// A signal has asked Husk to end.
    private var isInterrupted = false
    /// When `run` ends by itself.
    private var limit = Deadline(after: nil)

    /// - Parameters:
    ///   - title: what is traced, for people.
    ///   - command: that is to be run; nil: processes run already.
    init(
        _ options: TraceOptions, lines: LineOutput, title: String, command: [[UInt8]]? = nil
    ) throws {
        self.options = options
        self.lines = lines
        display = TraceDisplay(options, title: title)
        // Before anything that starts a thread: that would take the signals.
        signals = try SignalWatch(andAlso: display == nil ? [] : TraceDisplay.signals)
        let wake = try WakePipe()
        self.wake = wake
        let store = try CaptureStore(options, command: command)
        // Each stop of a target would wake this thread.
        if options.rwx == .trap { SignalWatch.ignoreStops() }
        writer = CaptureWriter(
            lines: options.printsLines ? lines : nil, json: options.json,
            instructions: options.disassemble, hidden: options.hiddenKinds, store: store,
            meter: display?.meter,
            whenReaderLeaves: { wake.tell(.readerLeft) })
    }

    // MARK: attach

    /// Traces processes that run already. Returns how it went.
    func attach(_ pids: [Int32], wholeTree: Bool, present: Bool) throws -> ExitStatus {
        let tracer = try startTracer(pids) {
            $0.includesDescendants = wholeTree
            $0.capturesPresent = present
        }
        writer.begin()
        note(
            "tracing \(pids.count == 1 ? "process" : "processes") "
                + pids.map(String.init).joined(separator: ", ") + "; Ctrl-C ends the trace")
        let deadline = Deadline(after: options.duration?.duration)
        display?.begin(tracer)
        defer { endDisplay() }
        while true {
            wait(until: deadline)
            if wake.has(.traceEnded) || wake.has(.readerLeft) || deadline.hasPassed { break }
            if nextEndingSignal() != nil { break }
        }
        endDisplay()
        return try finish(tracer, target: nil) ?? .success
    }

    // MARK: run

    /// Starts a command, traces it, and returns the status to exit with.
    func run(_ arguments: [[UInt8]]) throws -> Int32 {
        let command: HeldCommand
        do {
            command = try HeldCommand(arguments, signals: signals)
        } catch {
            writer.discard()
            throw error
        }
        let tracer = try startTracer([command.pid])
        limit = Deadline(after: options.duration?.duration)
        do {
            try command.execute()
        } catch {
            try tracer.stop()
            writer.discard()
            throw error
        }
        writer.begin()
        display?.begin(tracer)
        defer { endDisplay() }
        let (status, wasAsked) = waitForEnd(of: command)
        if !wasAsked { waitForDescendants(tracer) }
        endDisplay()
        let own = try finish(tracer, target: status)
        return own?.rawValue ?? Self.exitStatus(for: status)
    }

    /// Waits until the command has ended; ends it when asked to, by a signal or the time limit.
    private func waitForEnd(of command: HeldCommand) -> (TargetStatus, wasAsked: Bool) {
        var ending = Ending()
        while true {
            switch command.poll() {
            case .running: break
            case .exited(let code): return (TargetStatus(exitCode: code), ending.isUnderWay)
            case .killed(let signal): return (TargetStatus(signal: signal), ending.isUnderWay)
            case .unknown:
                return (TargetStatus(exitCode: ExitStatus.failure.rawValue), ending.isUnderWay)
            }
            wait(until: ending.isUnderWay ? ending.next : limit)
            if let signal = nextEndingSignal() {
                // Ctrl-C at the terminal has reached the command already.
                ending.begin(
                    with: signal.number, ofCommand: command.pid,
                    sending: !signal.isFromKernel || ending.isUnderWay)
            } else if !ending.isUnderWay, limit.hasPassed {
                note("the time is up: ending the command")
                ending.begin(with: SIGTERM, ofCommand: command.pid, sending: true)
            } else if ending.isUnderWay, ending.next.hasPassed {
                ending.insist(ofCommand: command.pid)
            }
        }
    }

    /// What the command has left running in the background is traced to its end, too. Ctrl-C or
    /// the time limit ends the trace then, not those processes.
    private func waitForDescendants(_ tracer: Tracer) {
        // Those that end with the command, within a moment, are not worth a word.
        let grace = Deadline(after: .milliseconds(300))
        var hasSaidSo = false
        while tracer.hasLivingTargets, !wake.has(.readerLeft), !limit.hasPassed {
            wait(until: Deadline(after: .milliseconds(100)))
            if nextEndingSignal() != nil { return }
            if !hasSaidSo, grace.hasPassed {
                note("the command has ended; tracing what it left running (Ctrl-C ends the trace)")
                hasSaidSo = true
            }
        }
    }

    /// Ends a command that does not want to end: its signal, then SIGTERM, then SIGKILL.
    private struct Ending {
        private(set) var next = Deadline(after: nil)
        private(set) var isUnderWay = false
        private var hasInsisted = false

        /// The first wish to end; a second one insists.
        mutating func begin(with signal: Int32, ofCommand pid: Int32, sending: Bool) {
            guard !isUnderWay else {
                insist(ofCommand: pid)
                return
            }
            isUnderWay = true
            if sending { kill(pid, signal) }
            next = Deadline(after: signal == SIGINT ? .seconds(5) : .seconds(2))
        }

        mutating func insist(ofCommand pid: Int32) {
            kill(pid, hasInsisted ? SIGKILL : SIGTERM)
            hasInsisted = true
            next = Deadline(after: .seconds(2))
        }
    }

    /// As shells tell it.
    private static func exitStatus(for status: TargetStatus) -> Int32 {
        status.exitCode ?? 128 + (status.signal ?? 0)
    }

    // MARK: Parts

    private func startTracer(
        _ pids: [Int32], _ adapt: (inout Tracer.Configuration) -> Void = { _ in }
    ) throws -> Tracer {
        var configuration = options.tracerConfiguration()
        adapt(&configuration)
        configuration.onEvent = { [writer] in writer.take($0) }
        configuration.onEnd = { [wake] in wake.tell(.traceEnded) }
        let tracer = Tracer(pids: pids, configuration: configuration)
        do {
            try tracer.start()
        } catch {
            writer.discard()
            throw error
        }
        confine()
        return tracer
    }

    /// The probes are attached, and a command that is to be run waits in a process of its own.
    private func confine() {
        Confinement.beginTracing(
            writing: WritablePlaces(forCapturesAt: options.output.map { [$0] } ?? []),
            traps: options.rwx == .trap)
    }

    /// Stops the trace and tells how it went; nil: there is nothing to complain about.
    private func finish(
        _ tracer: Tracer, target: TargetStatus?
    ) throws -> ExitStatus? {
        if isInterrupted { LineOutput.endSoon() }
        try tracer.stop()
        let (tally, layers, failure) = writer.finish(
            records: tracer.recordCounts, probeKind: tracer.probeKind,
            copyMethod: tracer.copyMethod, target: target)
        if !options.quiet || !tally.isComplete {
            for line in TextLines.tree(of: layers) + TextLines.summary(tally) {
                Diagnostics.note(line)
            }
        }
        if let status = target, !options.quiet, status != TargetStatus(exitCode: 0) {
            Diagnostics.note(
                status.signal.map { "the command was ended by signal \($0)" }
                    ?? "the command ended with status \(status.exitCode ?? 0)")
        }
        if let failure { throw failure }
        switch lines.error {
        case 0, EPIPE: break
        case ETIMEDOUT:
            throw OutputError(
                "the last lines are missing: their reader took nothing, and Husk was to end",
                hint: options.output.map { "they are in \($0) as well" })
        case let error:
            throw OutputError(cannot: "write", options.log ?? "the lines", errno: error)
        }
        return tally.isComplete ? nil : .incomplete
    }

    private func note(_ text: String) {
        if let display, display.isTable {
            display.say(text)
        } else if !options.quiet {
            Diagnostics.note(text)
        }
    }

    /// Before anything is said of how it went.
    private func endDisplay() {
        guard let display else { return }
        display.end()
        signals.letGo(of: TraceDisplay.signals)
    }

    private func nextEndingSignal() -> SignalWatch.Signal? {
        while let signal = signals.next() {
            switch signal.number {
            case SIGCHLD: break
            case SIGTSTP:
                display?.pause()
                signals.stopProcess()
                display?.redraw(afterPause: true)
            case SIGCONT: display?.redraw(afterPause: true)
            case SIGWINCH: display?.redraw(afterPause: false)
            default:
                isInterrupted = true
                return signal
            }
        }
        return nil
    }

    private lazy var watchesReader = options.printsLines

    private func wait(until deadline: Deadline) {
        var descriptors = [
            pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        // `husk attach PID | head -1` ends with head, not with the next event.
        if watchesReader { descriptors.append(lines.pollDescriptor) }
        let left = [deadline, display?.next].compactMap { $0?.millisecondsLeft }.filter { $0 >= 0 }
        poll(&descriptors, nfds_t(descriptors.count), left.min() ?? -1)
        display?.refresh()
        if descriptors[1].revents != 0 { wake.read() }
        // A pipe without a reader is an error, a socket whose other end is closed hangs up.
        if watchesReader, descriptors[2].revents & Int16(POLLERR | POLLHUP) != 0 {
            wake.tell(.readerLeft)
            watchesReader = false
        }
    }
}

/// A moment on the monotonic clock, or never.
struct Deadline {
    private let instant: ContinuousClock.Instant?

    init(after duration: Duration?) {
        instant = duration.map { ContinuousClock.now + $0 }
    }

    var hasPassed: Bool {
        instant.map { $0 <= ContinuousClock.now } ?? false
    }

    /// For poll(2): -1 is never; rounded up, so that it has passed when poll returns.
    var millisecondsLeft: Int32 {
        guard let instant else { return -1 }
        let left = instant - ContinuousClock.now
        guard left > .zero else { return 0 }
        let (seconds, attoseconds) = left.components
        return Int32(
            clamping: seconds.multipliedReportingOverflow(by: 1000).partialValue
                + attoseconds / 1_000_000_000_000_000 + 1)
    }
}
