// SPDX-License-Identifier: MIT
internal import Foundation
internal import HuskAnalysis
public import HuskCapture
internal import HuskModel

/// Writes a capture as one HTML file that needs nothing else: no network, no program but a browser.
///
/// Everything that a list can hold is in it; of contents, what matters most, up to a budget. What is
/// left out is named.
public struct ReportWriter {
    /// What has become of it.
    public struct Outcome: Hashable, Sendable {
        /// Pages with content, and how many of them can be looked at.
        public var pages: UInt64 = 0
        public var held: UInt64 = 0
        /// Pages of files that are as they are on disk, which are left out.
        public var ofFiles: UInt64 = 0
        /// Of the file, in bytes.
        public var size: UInt64 = 0

        /// Pages that did not fit.
        public var left: UInt64 { pages - min(pages, held + ofFiles) }
    }

    /// Of contents, in bytes of the file.
    public var budget: UInt64 = 24 << 20
    /// Code of files that is as it is on disk, too.
    public var everything = false
    /// Called with the regions whose contents have been taken, and how many there are.
    public var onProgress: ((_ done: UInt64, _ total: UInt64) -> Void)?

    private let documents: CaptureDocuments

    public init(_ documents: CaptureDocuments) {
        self.documents = documents
    }

    public func write(to output: OutputFile) throws -> Outcome {
        let template = try PageTemplate()
        var blocks = ReportBlocks()
        var outcome = Outcome()
        outcome.pages = try documents.file.pageCount()
        let overview = try documents.overview()
        try blocks.add("overview", CaptureDocuments.encode(overview))
        try blocks.add("timeline", CaptureDocuments.encode(try documents.timeline()))
        // Blocks of pages are counted by themselves.
        try blocks.flush()
        let held = try addPages(to: &blocks, &outcome)
        try addRegions(held: held, to: &blocks)
        try blocks.flush()

        let index = try CaptureDocuments.encode(
            ReportIndex(file: documents.fileName, documents: blocks.index))
        // The blocks are large: they are written beside the template, not through it.
        let marker = "<!--husk-blocks-\(UInt64.random(in: 0 ... .max))-->"
        let page = try template.page(
            PageContext(documents, overview, holdings: outcome), mode: .report, index: index,
            blocks: marker)
        guard let place = page.range(of: marker) else { throw ReportError.damagedAssets }
        var size = 0
        func write(_ bytes: some Sequence<UInt8>) throws {
            let bytes = Array(bytes)
            size += bytes.count
            try output.write(bytes[...])
        }
        try write(page[..<place.lowerBound].utf8)
        for block in blocks.elements { try write(block) }
        try write(page[place.upperBound...].utf8)
        outcome.size = UInt64(size)
        return outcome
    }

    // MARK: Contents

    /// Adds pages, those of the most important regions first, the latest of a region first.
    private func addPages(
        to blocks: inout ReportBlocks, _ outcome: inout Outcome
    ) throws -> Set<PageName> {
        var held: Set<PageName> = []
        let selection = try documents.regions.get()
        let order = selection.regions.sorted {
            let (left, right) = (selection.weight(of: $0), selection.weight(of: $1))
            return left != right ? left > right : $0.life.id < $1.life.id
        }
        let before = blocks.size
        for (number, region) in order.enumerated() {
            onProgress?(UInt64(number), UInt64(order.count))
            var snapshots: [StoredSnapshot] = []
            try documents.file.forEachSnapshot(region: region.life.id) { snapshot in
                guard let content = snapshot.content else { return true }
                let isOfFile =
                    [.file, .kernel].contains(region.life.label?.kind)
                    && snapshot.page.generation == 0
                if isOfFile, !everything {
                    outcome.ofFiles += 1
                } else if !held.contains(
                    PageName(content: content.rawValue, address: snapshot.page.address))
                {
                    snapshots.append(snapshot)
                } else {
                    outcome.held += 1
                }
                // A region whose versions fill memory would not fit into the budget either.
                if snapshots.count > 1 << 18 { snapshots.removeFirst(1 << 17) }
                return true
            }
            for snapshot in snapshots.reversed() {
                guard let content = snapshot.content else { continue }
                let name = PageName(content: content.rawValue, address: snapshot.page.address)
                if held.contains(name) {
                    outcome.held += 1
                    continue
                }
                guard blocks.size - before + blocks.estimate < budget else { break }
                let page = try documents.page(snapshot, content)
                try blocks.add("page/\(name)", page.json)
                held.insert(name)
                outcome.held += 1
            }
        }
        return held
    }

    private func addRegions(held: Set<PageName>, to blocks: inout ReportBlocks) throws {
        let regions = try documents.regions.get().regions
        for region in regions {
            if let detail = try documents.detail(of: region.life.id, held: held) {
                try blocks.add("region/\(region.life.id)", CaptureDocuments.encode(detail))
            }
        }
    }
}

/// What the script of a report is told first.
struct ReportIndex: Encodable {
    var mode = PageTemplate.Mode.report.rawValue
    var file: String
    /// The block of each document.
    var documents: [String: Int]
}

/// Documents, some together, compressed.
struct ReportBlocks {
    /// JSON that one block has before it is compressed, in bytes.
    private static let portion = 384 << 10

    private(set) var index: [String: Int] = [:]
    private(set) var elements: [[UInt8]] = []
    /// Of the elements, in bytes.
    private(set) var size: UInt64 = 0
    private var waiting: [UInt8] = []

    /// What is waiting will take, roughly.
    var estimate: UInt64 { UInt64(waiting.count) / 4 }

    mutating func add(_ name: String, _ document: [UInt8]) throws {
        index[name] = elements.count
        waiting += waiting.isEmpty ? "{".utf8 : ",".utf8
        // Names of documents have nothing that JSON would escape.
        waiting += "\"\(name)\":".utf8
        waiting += document
        if waiting.count >= Self.portion { try flush() }
    }

    mutating func flush() throws {
        guard !waiting.isEmpty else { return }
        waiting += "}".utf8
        guard let compressed = Deflate.compress(waiting) else {
            throw ReportError(message: "there is not enough memory for the report", hint: nil)
        }
        let head = "<script type=\"application/octet-stream\" id=\"husk-block-\(elements.count)\">"
        let element =
            Array(head.utf8) + Array(Data(compressed).base64EncodedString().utf8)
            + Array("</script>\n".utf8)
        size += UInt64(element.count)
        elements.append(element)
        waiting = []
    }
}
