// SPDX-License-Identifier: MIT
import Husk
import HuskCapture
import Synchronization

/// Takes a tracer's events and puts them where the user wants them: lines, the folder, sums.
///
/// Called on the ring's thread while the trace runs and on the main thread after it.
final class CaptureWriter: Sendable {
    private struct State: ~Copyable {
        var text: TextLines
        /// Nil: no one wants what it puts together.
        var assembler: TransitionAssembler?
        var tally = CaptureTally()
        var layers = LayerTracker()
        let store: CaptureStore?
    }

    private let state: Mutex<State>
    private let lines: LineOutput?
    private let writesJSON: Bool
    private let json = JSONLines()
    private let meter: TraceMeter?
    /// Called once when the lines cannot be written any more.
    private let whenReaderLeaves: @Sendable () -> Void

    /// - Parameters:
    ///   - lines: nil: no lines are wanted.
    ///   - meter: for what is shown while the trace runs.
    init(
        lines: LineOutput?, json: Bool, instructions: Int, hidden: Set<RegionLabel.Kind>,
        store: sending CaptureStore?, meter: TraceMeter?,
        whenReaderLeaves: @escaping @Sendable () -> Void
    ) {
        self.lines = lines
        writesJSON = json
        self.meter = meter
        self.whenReaderLeaves = whenReaderLeaves
        let text = TextLines(
            usesColour: !json && lines?.takesColour ?? false, instructions: instructions,
            hidden: hidden)
        let assembler = lines == nil && store?.folder == nil ? nil : TransitionAssembler()
        state = Mutex(State(text: text, assembler: assembler, store: store))
    }

    func take(_ event: Event) {
        state.withLock { state in
            state.tally.add(event)
            state.layers.take(event)
            meter?.take(event, state.tally)
            let (capture, notStored) = put(event, &state)
            if let capture { show(capture, &state) }
            show(event, &state)
            tell(notStored, &state)
        }
    }

    private func put(
        _ event: Event, _ state: inout State
    ) -> (capture: TransitionCapture?, notStored: [PageRun]) {
        if case .file(let file) = state.store { file.add(event) }
        guard var assembler = state.assembler.take() else { return (nil, []) }
        defer { state.assembler = assembler }
        guard let folder = state.store?.folder else { return (assembler.take(event), []) }
        return folder.add(event, through: &assembler)
    }

    private func tell(_ notStored: [PageRun], _ state: inout State) {
        for run in notStored {
            let page = run.pages[0]
            let loss = Loss(
                cause: .notStored, time: page.time, task: page.task,
                transition: page.transition, start: run.base, length: UInt64(run.size))
            state.store?.folder?.add(loss)
            tell(loss, &state)
        }
    }

    private func tell(_ loss: Loss, _ state: inout State) {
        state.tally.add(.loss(loss))
        show(.loss(loss), &state)
    }

    private func show(_ capture: TransitionCapture, _ state: inout State) {
        print { writesJSON ? json.line(capture) : state.text.line(capture) }
    }

    private func show(_ event: Event, _ state: inout State) {
        print { writesJSON ? json.line(event) : state.text.line(event) }
    }

    private func print(_ line: () -> [UInt8]?) {
        guard let lines, lines.error == 0, let bytes = line() else { return }
        if !lines.write(bytes) { whenReaderLeaves() }
    }

    /// The trace has begun: a capture that is replaced is removed now, and not at the end.
    func begin() {
        state.withLock { $0.store?.begin() }
    }

    /// The trace has never begun: nothing is left behind, and what was to be replaced is there.
    func discard() {
        state.withLock { $0.store?.discard() }
    }

    /// Writes what is still open and the last lines. Returns the sums, the layers and the failure of
    /// what the capture is kept in.
    func finish(
        records: [RecordCount], probeKind: ProbeKind?, copyMethod: CopyMethod?,
        target: TargetStatus?
    ) -> (tally: CaptureTally, layers: [Layer], failure: OutputError?) {
        state.withLock { state in
            for capture in state.assembler?.finish() ?? [] {
                let notStored = state.store?.folder?.add(capture) ?? []
                show(capture, &state)
                tell(notStored, &state)
            }
            if case .file(let file) = state.store, let loss = file.drain() { tell(loss, &state) }
            let method = copyMethod?.rawValue
            let layers = state.layers.layers
            for layer in layers where writesJSON { print { json.line(layer) } }
            let failure = state.store?.finish(
                CaptureStore.Ending(
                    tally: state.tally, layers: layers, records: records,
                    probes: probeKind?.rawValue, copyMethod: method, target: target))
            if writesJSON {
                print {
                    json.summary(
                        state.tally, records: records, copyMethod: method, target: target)
                }
            }
            return (state.tally, layers, failure)
        }
    }
}
