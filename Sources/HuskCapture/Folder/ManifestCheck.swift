// SPDX-License-Identifier: MIT
internal import Foundation
internal import HuskModel

/// Goes through a manifest, line by line.
struct ManifestCheck {
    private let folder: StoredFolder
    private let progress: (VerificationReport.Counts) -> Void
    private var report = VerificationReport(unit: .files)
    private var runs: StoredRuns
    private var numbers = RecordNumberCheck()
    private var sums = ManifestSums()
    private var summary: StoredSummary?
    private var summaryLine = 0
    /// Where the finding that is being made belongs.
    private var line: Int?
    private var transition: String?

    init(_ folder: StoredFolder, progress: @escaping (VerificationReport.Counts) -> Void) {
        self.folder = folder
        self.progress = progress
        runs = StoredRuns(folder)
    }

    mutating func add(
        _ subject: VerificationReport.Finding.Subject, _ message: String, file: String? = nil,
        address: Address? = nil
    ) {
        report.add(
            VerificationReport.Finding(
                subject: subject, message: message, line: line, file: file,
                transition: transition, address: address))
    }

    // MARK: Lines

    mutating func take(_ line: ManifestLines.Line) {
        report.counts.lines += 1
        self.line = report.counts.lines
        defer {
            self.line = nil
            transition = nil
        }
        if summary != nil, report.counts.lines == summaryLine + 1 {
            add(.manifest, "the summary on line \(summaryLine) is not the last line")
        }
        switch line {
        case .whole(let bytes): take(bytes)
        case .tooLong: add(.manifest, "the line is too long to be checked")
        case .cutOff(let bytes):
            add(.manifest, "the line has no end: the manifest is cut off")
            // Half a line is no JSON: that has been said.
            if let record = try? decode(bytes) { take(record) }
        }
        progress(report.counts)
    }

    private mutating func take(_ bytes: ArraySlice<UInt8>) {
        do {
            take(try decode(bytes))
        } catch let error as DecodingError {
            add(.manifest, Self.text(error))
        } catch {
            add(.manifest, "the line cannot be read")
        }
    }

    private func decode(_ bytes: ArraySlice<UInt8>) throws -> ManifestRecord {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(ManifestRecord.self, from: Data(bytes))
    }

    private mutating func take(_ record: ManifestRecord) {
        switch record {
        case .transition(let record): take(record)
        case .loss(let loss): sums.add(loss)
        case .other(let type): sums.add(type: type)
        case .summary(let record):
            if summary != nil {
                add(.manifest, "there is a summary already, on line \(summaryLine)")
            } else {
                summary = record
                summaryLine = report.counts.lines
            }
        }
    }

    private static func text(_ error: DecodingError) -> String {
        func key(_ path: [any CodingKey]) -> String {
            let names = path.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }
            return shown(names.joined(separator: "."))
        }
        return switch error {
        case .keyNotFound(let name, let context):
            "the line has no `\(key(context.codingPath + [name]))`"
        case .typeMismatch(_, let context), .valueNotFound(_, let context),
            .dataCorrupted(let context):
            context.codingPath.isEmpty
                // The decoder says no more.
                ? "the line is no JSON object, or has a number that is out of range"
                : "`\(key(context.codingPath))` is not what it must be"
        @unknown default: "the line cannot be read"
        }
    }

    // MARK: Transitions

    private mutating func take(_ record: StoredTransition) {
        transition = shown(record.id)
        sums.add(record)
        checkCounts(of: record)
        for run in record.runs ?? [] {
            for page in run.pages { numbers.note(page, line: report.counts.lines) }
            check(run)
        }
    }

    private mutating func checkCounts(of record: StoredTransition) {
        guard let counts = record.pages else {
            if record.runs?.isEmpty == false || record.unreadable?.isEmpty == false {
                add(.counts, "there are runs, and no counts of pages")
            }
            return
        }
        let captured = record.runs?.reduce(0) { $0 + UInt64($1.pages.count) } ?? 0
        if counts.captured != captured {
            add(.counts, "`captured` is \(counts.captured), its runs have \(captured) pages")
        }
        var unreadable = ManifestSums.Sum()
        for range in record.unreadable ?? [] {
            unreadable += range.length / 4096
            if range.length == 0 || range.length % 4096 != 0 {
                add(
                    .counts, "\(range.length) unreadable bytes are no whole pages",
                    address: range.start.address)
            }
        }
        if counts.unreadable != unreadable.value {
            add(
                .counts,
                "`unreadable` is \(counts.unreadable), its ranges have \(unreadable.value) pages")
        }
        guard counts.complete else { return }
        if counts.unreadable != 0 || counts.lost != 0 {
            add(
                .counts,
                "it says complete, with \(counts.unreadable) pages unreadable and "
                    + "\(counts.lost) lost")
        }
        guard let untouched = counts.untouched else { return }
        var sum = ManifestSums.Sum()
        for part in [counts.captured, untouched, counts.unchanged ?? 0] { sum += part }
        let length = record.length / 4096
        let isLook = record.kind == TransitionKind.look.rawValue
        if isLook ? sum.value > length : sum.value != length {
            add(.counts, "it says complete, with \(sum.value) of its \(length) pages told")
        }
    }

    private mutating func check(_ run: StoredTransition.Run) {
        // What has no file is told as a loss: the sums show whether it is.
        guard let file = run.file else { return }
        report.counts.pages += UInt64(run.pages.count)
        let name = StoredRuns.name(of: run)
        if let flaw = StoredRuns.flaw(of: run) {
            runs.name(file)
            add(.counts, flaw.message, file: shown(file), address: flaw.address)
            return
        }
        guard Array(file.utf8) == Array(name.utf8) else {
            runs.name(file)
            add(.file, "the file of this run must be called \(name)", file: shown(file))
            return
        }
        var counts = report.counts
        var problems: [StoredRuns.Problem] = []
        let good = runs.check(run, named: name, &counts, progress: progress) {
            problems.append($0)
        }
        report.counts = counts
        report.counts.verifiedPages += good
        for problem in problems {
            switch problem {
            case .file(let message): add(.file, message, file: name)
            case .content(let message, let address):
                add(.content, message, file: name, address: address)
            }
        }
    }

    // MARK: The end

    mutating func finish() -> VerificationReport {
        let found = numbers.finish(records: summary?.records)
        report.add(found.findings, of: found.count)
        if let summary {
            line = summaryLine
            for difference in sums.differences(from: summary) { add(.sums, difference) }
            line = nil
            report.saysComplete = summary.complete
            report.expectedPages = summary.expectedPages
            report.unreadable = summary.unreadable
            for (cause, count) in summary.losses { report.losses[shown(cause)] = count }
        } else {
            add(.manifest, "there is no summary: the capture was cut off")
        }
        lookForUnnamedFiles()
        return report
    }

    private mutating func lookForUnnamedFiles() {
        var extras: [TargetText] = []
        let named = runs.named
        let isRead = folder.forEachName { name in
            if name == TargetText("manifest.jsonl") { return }
            if let text = String(validating: name.bytes, as: UTF8.self), named.contains(text) {
                return
            }
            extras.append(name)
        }
        if !isRead { add(.file, "the folder cannot be read") }
        for name in extras.sorted(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) }) {
            report.add(unnamedFile: name)
        }
    }
}
