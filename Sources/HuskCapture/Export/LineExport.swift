// SPDX-License-Identifier: MIT
internal import HuskModel

/// A capture file as the lines of docs/json.md.
public struct LineExport {
    private let file: CaptureFile

    public init(_ file: CaptureFile) {
        self.file = file
    }

    /// Gives the lines, as `--json` would have printed them. An unfinished capture has no summary:
    /// it was cut off.
    ///
    /// - Parameters:
    ///   - onProgress: is told of the bytes of pages that were passed.
    ///   - write: returns false to end.
    public func write(
        onProgress: (Int) -> Void = { _ in }, to write: ([UInt8]) throws -> Bool
    ) throws {
        let json = JSONLines()
        let tally = try file.replayLines { _, line in
            onProgress(line.byteCount)
            switch line {
            case .transition(let capture): return try write(json.line(capture))
            case .event(let event): return try json.line(event).map(write) ?? true
            }
        }
        guard let tally else { return }
        for layer in try file.layers() {
            guard try write(json.line(layer)) else { return }
        }
        guard file.info.isFinished else { return }
        _ = try write(
            json.summary(
                tally, records: file.info.records, copyMethod: file.info.copyMethod,
                target: file.targetStatus))
    }
}
