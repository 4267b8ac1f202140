// SPDX-License-Identifier: MIT
import Husk
import HuskCapture

/// What a capture is kept in.
enum CaptureStore {
    case folder(CaptureFolder)
    case file(CaptureFileWriter)

    /// What is known when the trace has ended.
    struct Ending {
        var tally: CaptureTally
        var layers: [Layer]
        var records: [RecordCount]
        var probes: String?
        var copyMethod: String?
        var target: TargetStatus?
    }

    /// Makes it, where the options say; nil: the capture is not kept.
    ///
    /// - Parameter command: with its arguments, as bytes; nil: the trace is attached.
    init?(_ options: TraceOptions, command: [[UInt8]]?) throws {
        switch options.destination {
        case nil: return nil
        case .folder(let path): self = .folder(try CaptureFolder(path: path))
        case .file(let path):
            let run = RunDescription(
                huskVersion: huskVersion,
                command: command?.map { TargetText(bytes: $0).escaped },
                options: options.described)
            // Pages come on one thread and go on another.
            FreeMemory.keep(below: 1 << 20)
            self = .file(try CaptureFileWriter(path: path, replaces: options.force, run: run))
        }
    }

    var folder: CaptureFolder? {
        if case .folder(let folder) = self { folder } else { nil }
    }

    /// The trace has begun: what the capture replaces is not needed any more.
    func begin() {
        if case .file(let file) = self { file.begin() }
    }

    /// The trace has never begun.
    func discard() {
        switch self {
        case .folder(let folder): folder.discard()
        case .file(let file):
            if let failure = file.discard() { Diagnostics.report(failure) }
        }
    }

    /// Writes the last lines or rows; returns the first failure.
    func finish(_ ending: Ending) -> OutputError? {
        switch self {
        case .folder(let folder):
            for layer in ending.layers { folder.add(layer) }
            folder.finish(
                ending.tally, records: ending.records, copyMethod: ending.copyMethod,
                target: ending.target)
            return folder.failure
        case .file(let file):
            return file.finish(
                ending.tally, layers: ending.layers, records: ending.records,
                probes: ending.probes, copyMethod: ending.copyMethod, target: ending.target)
        }
    }
}
