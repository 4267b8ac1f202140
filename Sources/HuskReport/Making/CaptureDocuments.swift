// SPDX-License-Identifier: MIT
internal import Foundation
internal import HuskAnalysis
public import HuskCapture
internal import HuskModel

/// Makes what the page shows (docs/view-data.md) of a capture file.
///
/// Not for several threads at once: it remembers callers and what contents look like.
public final class CaptureDocuments {
    public let file: CaptureFile
    let analysis: AnalysisRecord?
    let origins: CodeOrigins
    /// By content; entropy in tenths of bits per byte.
    var entropies: [ContentReference: Int] = [:]
    /// Addresses at which code was entered, as far as that was seen.
    private(set) lazy var entries = Result { try findEntries() }
    /// By region.
    private(set) lazy var matches = Dictionary(grouping: analysis?.matches ?? [], by: \.region)
    private(set) lazy var appearances = Dictionary(
        grouping: analysis?.appearances ?? [], by: \.region)
    private(set) lazy var regions = Result { try RegionSelection(self) }
    private lazy var madeOverview = Result { try makeOverview() }

    /// - Parameters:
    ///   - file: the capture.
    ///   - analysis: nil: the capture has not been analyzed.
    public init(_ file: CaptureFile, analysis: AnalysisRecord?) {
        self.file = file
        self.analysis = analysis
        origins = CodeOrigins(file)
    }

    /// Made once: the page and each of its sections are made of it.
    func overview() throws -> OverviewDocument { try madeOverview.get() }

    // MARK: Values as the documents have them

    /// Nanoseconds since the trace began.
    func time(_ time: Timestamp) -> UInt64 { self.time(time.monotonic) }

    func time(_ monotonic: UInt64) -> UInt64 {
        // JavaScript's numbers are exact up to here: 104 days.
        min(monotonic >= file.info.started ? monotonic - file.info.started : 0, 1 << 53)
    }

    /// Sizes that a target or a broken file claims may be anything.
    func size(_ bytes: UInt64) -> UInt64 { min(bytes, 1 << 53) }

    /// Text that is looked at, not read to its end: long ones would fill the page.
    static func brief(_ text: String, limit: Int = 4096) -> String {
        text.utf8.count <= limit ? text : String(text.prefix(limit)) + "\u{2026}"
    }

    static func encode(_ document: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return Array(try encoder.encode(document))
    }

    /// The name of the file, for people.
    var fileName: String {
        let name = file.path.split(separator: "/").last.map(String.init) ?? file.path
        return TargetText(name).escaped
    }
}
