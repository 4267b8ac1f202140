// SPDX-License-Identifier: MIT
public import HuskModel

/// Events as JSON, one object per line, each line ending with a newline.
public struct JSONLines: Sendable {
    public init() {}

    /// A transition with what came of it.
    ///
    /// - Parameters:
    ///   - capture: the transition.
    ///   - files: the file of each of its runs, where they were written.
    public func line(_ capture: TransitionCapture, files: [String?]? = nil) -> [UInt8] {
        let line = encode(TransitionRecord(capture, files: files))
        return capture.runs.isEmpty ? line : PageList.fill(line, capture.runs)
    }

    /// An event that stands for itself; nil for the parts of a transition, which go together
    /// into one line (``line(_:files:)``).
    public func line(_ event: Event) -> [UInt8]? {
        switch event {
        case .loss(let loss): encode(LossRecord(loss))
        case .processExit(let exit): encode(ProcessExitRecord(exit))
        case .processStart(let start): encode(ProcessStartRecord(start))
        case .programExecution(let execution): encode(ProgramExecutionRecord(execution))
        case .sharedView(let view): encode(SharedViewRecord(view))
        case .blindSpot(let spot): encode(BlindSpotRecord(spot))
        case .label(let region): encode(LabelledRegionRecord(region))
        case .execution(let execution): encode(ExecutionRecord(execution))
        case .transition, .page, .transitionEnd: nil
        }
    }

    /// Code that other code has made; told when the trace has ended.
    public func line(_ layer: Layer) -> [UInt8] {
        encode(LayerRecord(layer))
    }

    /// The last line of a stream.
    public func summary(
        _ tally: CaptureTally, records: [RecordCount], copyMethod: String?, target: TargetStatus?,
        linesLeftOut: Int = 0
    ) -> [UInt8] {
        encode(
            SummaryRecord(
                tally, records: records, copyMethod: copyMethod, target: target,
                linesLeftOut: linesLeftOut))
    }

    func encode(_ record: some Encodable) -> [UInt8] {
        // Nothing in a record can fail to encode: no floating point, no dates. An empty line
        // would be a mistake in this file, so say so instead of hiding it.
        var line =
            (try? LineEncoder.encode(record)) ?? Array(#"{"type":"unencodable"}"#.utf8)
        line.append(UInt8(ascii: "\n"))
        return line
    }
}
