// SPDX-License-Identifier: MIT
internal import Foundation
public import HuskModel

/// Events as JSON, one object per line, each line ending with a newline.
public struct JSONLines: Sendable {
    public init() {}

    /// A transition with what came of it.
    /// - Parameter files: the file of each of its runs, where they were written.
    public func line(_ capture: TransitionCapture, files: [String?]? = nil) -> [UInt8] {
        encode(TransitionRecord(capture, files: files))
    }

    public func line(_ loss: Loss) -> [UInt8] {
        encode(LossRecord(loss))
    }

    public func line(_ exit: ProcessExit) -> [UInt8] {
        encode(ProcessExitRecord(exit))
    }

    /// The last line of a stream.
    public func summary(
        _ tally: CaptureTally, copyMethod: String?, target: TargetStatus?
    ) -> [UInt8] {
        encode(SummaryRecord(tally, copyMethod: copyMethod, target: target))
    }

    func encode(_ record: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        // Nothing in a record can fail to encode: no floating point, no dates. An empty line
        // would be a mistake in this file, so say so instead of hiding it.
        let bytes = (try? encoder.encode(record)) ?? Data(#"{"type":"unencodable"}"#.utf8)
        return [UInt8](bytes) + [UInt8(ascii: "\n")]
    }
}
