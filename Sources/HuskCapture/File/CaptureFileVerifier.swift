// SPDX-License-Identifier: MIT
internal import Foundation
internal import GRDB
internal import HuskModel

/// Checks a capture file again, from what is stored in it: whether SQLite finds it whole, whether
/// each content is what its SHA-256 says, and whether rows, counts and sums agree.
///
/// It finds what was damaged or cut off. It is no proof of who has made the capture.
public struct CaptureFileVerifier {
    public var path: String
    /// Called again and again with what has been looked at so far.
    public var onProgress: ((VerificationReport.Counts) -> Void)?

    public init(path: String) {
        self.path = path
    }

    /// Throws if it is no capture file, cannot be read at all, or is in use by another process.
    public func verify() throws(CaptureFileError) -> VerificationReport {
        var report = VerificationReport(unit: .contents)
        let file: CaptureFile
        do {
            file = try CaptureFile(path: path)
        } catch  where error.code == .damaged {
            report.add(.init(subject: .database, message: error.message))
            return report
        }
        report.saysComplete = file.info.isComplete
        report.expectedPages = file.info.isFinished ? file.info.expectedPages : nil
        report.unreadable = file.info.unreadable
        report.losses = file.info.losses
        if file.ignoresLog {
            report.add(
                .init(
                    subject: .database,
                    message: "its write-ahead log cannot be read here: copy both files"))
        }
        // Each check by itself: what is wrong with one says nothing about the others.
        try attempt(&report) { try checkDatabase(file, &$0) }
        try attempt(&report) { _ in
            _ = try file.layers()
            try file.forEachRegion { _ in true }
        }
        try attempt(&report) { try checkContents(file, &$0) }
        try attempt(&report) { try checkCounts(file, &$0) }
        try attempt(&report) { try checkRecordNumbers(file, &$0) }
        try attempt(&report) { try checkSums(file, &$0) }
        try attempt(&report) {
            try StoredReferenceCheck.check(file, isCutOff: Self.isCutOff(file), &$0)
        }
        return report
    }

    /// What was not stored any more, on a full disk, is missing from rows and counts, one way or
    /// another.
    private static func isCutOff(_ file: CaptureFile) -> Bool {
        file.info.losses[Loss.Cause.notStored.rawValue] ?? 0 > 0
    }

    private func attempt(
        _ report: inout VerificationReport, _ body: (inout VerificationReport) throws -> Void
    ) throws(CaptureFileError) {
        do {
            try body(&report)
        } catch {
            let error = CaptureFile.translated(error)
            // That says nothing about what is in it.
            guard error.code != .inUse else { throw error }
            report.add(.init(subject: .database, message: error.message))
        }
    }

    private func checkDatabase(_ file: CaptureFile, _ report: inout VerificationReport) throws {
        try file.stream { db in
            let lines = try String.fetchAll(db, sql: "PRAGMA integrity_check(100)")
            for line in lines where line != "ok" {
                report.add(.init(subject: .database, message: TargetText(line).escaped))
            }
            let pages = try UInt64(bitPattern: Int64.fetchOne(db, sql: "PRAGMA page_count") ?? 0)
            let size = try UInt64(bitPattern: Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 0)
            // What is in a log beside it is no part of the file yet.
            if file.info.isFinished, !file.hasLog, file.size != pages &* size {
                report.add(
                    .init(
                        subject: .database,
                        message: "the file has \(file.size) bytes, its database "
                            + "\(pages &* size)"))
            }
            let twice = try Int.fetchOne(
                db,
                sql: "SELECT count(*) - count(DISTINCT sha256) FROM content")
            if file.info.isFinished, let twice, twice != 0 {
                report.add(
                    .init(
                        subject: .content, message: "\(twice) contents are stored more than once"))
            }
            let rows = try Row.fetchCursor(db, sql: "PRAGMA foreign_key_check")
            while let row = try rows.next(), report.findingCount < VerificationReport.limit {
                var fields = RowFields(row)
                let table = try fields.targetText().escaped
                let id = try fields.optionalInteger() ?? 0
                report.add(
                    .init(
                        subject: .database,
                        message: "row \(id) of \(table) names one that is not there"))
            }
        }
    }

    private func checkContents(_ file: CaptureFile, _ report: inout VerificationReport) throws {
        try file.stream { db in
            let ids = try Int64.fetchCursor(db, sql: "SELECT id FROM content ORDER BY id")
            while let id = try ids.next() {
                do {
                    let size = try CaptureFile.bytes(of: id, db).count
                    report.counts.files += 1
                    report.counts.bytes += UInt64(size)
                    report.counts.bytesRead += UInt64(size)
                } catch {
                    let error = CaptureFile.translated(error)
                    guard error.code != .inUse else { throw error }
                    report.add(.init(subject: .content, message: error.message))
                }
                if id % 1024 == 0 { onProgress?(report.counts) }
            }
        }
    }

    private func checkCounts(_ file: CaptureFile, _ report: inout VerificationReport) throws {
        guard !Self.isCutOff(file) else { return }
        try file.stream { db in
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT t.id, t.captured, t.unreadable, count(s.content), count(s.unreadable) \
                    FROM transition t LEFT JOIN snapshot s ON s.transition = t.position \
                    WHERE t.end_position IS NOT NULL GROUP BY t.position \
                    HAVING t.captured <> count(s.content) \
                    OR t.unreadable <> count(s.unreadable)
                    """)
            while let row = try rows.next() {
                var fields = RowFields(row)
                let id = Transition.ID(rawValue: try fields.unsigned())
                let (captured, unreadable) = (try fields.unsigned(), try fields.unsigned())
                let (stored, reasons) = (try fields.unsigned(), try fields.unsigned())
                report.add(
                    .init(
                        subject: .counts,
                        message: "it says that \(captured) pages are captured and \(unreadable) "
                            + "unreadable; there are \(stored) and \(reasons)",
                        transition: id.hexadecimal))
            }
        }
    }

    private func checkRecordNumbers(
        _ file: CaptureFile, _ report: inout VerificationReport
    ) throws {
        try file.stream { db in
            let twice = try Row.fetchCursor(
                db,
                sql: """
                    SELECT min(address), cpu, sequence FROM snapshot WHERE reader LIKE 'bpf-%' \
                    GROUP BY cpu, sequence HAVING count(*) > 1
                    """)
            while let row = try twice.next() {
                var fields = RowFields(row)
                let address = try fields.address()
                report.add(
                    .init(
                        subject: .recordNumbers,
                        message: "record number \(try fields.unsigned()):\(try fields.unsigned()) "
                            + "occurs twice", address: address))
            }
            guard file.info.isFinished else { return }
            let beyond = try Row.fetchCursor(
                db,
                sql: """
                    SELECT s.address, s.cpu, s.sequence FROM snapshot s \
                    JOIN record_count r ON r.cpu = s.cpu WHERE s.sequence >= r.given
                    """)
            while let row = try beyond.next() {
                var fields = RowFields(row)
                let address = try fields.address()
                report.add(
                    .init(
                        subject: .recordNumbers,
                        message: "record number \(try fields.unsigned()):\(try fields.unsigned()) "
                            + "was never given", address: address))
            }
        }
    }

    /// Adds everything up again, as it was while the trace ran.
    private func checkSums(_ file: CaptureFile, _ report: inout VerificationReport) throws {
        var tally = CaptureTally()
        var counts = report.counts
        var rows = Self.isCutOff(file) ? nil : StoredRowCheck(file)
        try file.forEachEvent { position, event, content in
            tally.add(event)
            try rows?.take(event, at: position, &report)
            if content != nil {
                counts.pages += 1
                counts.verifiedPages += 1
                if counts.pages % 4096 == 0 { onProgress?(counts) }
            }
            return true
        }
        try rows?.finish(&report)
        report.counts = counts
        let info = file.info
        compareLosses(info, tally, &report)
        if Self.isCutOff(file) { return }
        let sums: [(name: String, said: UInt64, found: UInt64)] = [
            ("transitions", info.transitions, UInt64(tally.transitions)),
            ("attempts", info.attempts, UInt64(tally.attempts)),
            ("looks", info.looks, UInt64(tally.looks)),
            ("executable regions", info.regions, UInt64(tally.regions)),
            ("executions", info.executions, UInt64(tally.executions)),
            ("blind spots", info.blindSpots, UInt64(tally.blindSpots)),
            ("children", info.children, UInt64(tally.children)),
            ("pages", info.pages, UInt64(tally.pages)), ("bytes", info.bytes, tally.bytes),
            ("unreadable pages", info.unreadable, UInt64(tally.unreadable)),
            ("lost pages", info.lost, tally.lost),
            ("expected pages", info.expectedPages, tally.expectedPages),
            ("pages on disk", info.referenced, tally.referenced),
            ("contents", info.contents, UInt64(counts.files)),
        ]
        for sum in sums where sum.said != sum.found {
            report.add(
                .init(
                    subject: .sums,
                    message: "the sums say \(sum.said) \(sum.name); there are \(sum.found)"))
        }
        compareRecords(info, &report)
        if let complete = info.isComplete, complete != tally.isComplete {
            report.add(
                .init(
                    subject: .sums,
                    message: complete
                        ? "it says that it is complete, and something is missing"
                        : "it says that something is missing, and nothing is"))
        }
    }

    /// By cause, as the rows tell them and as the sums do.
    private func compareLosses(
        _ info: CaptureInfo, _ tally: CaptureTally, _ report: inout VerificationReport
    ) {
        // While the trace runs there are none.
        guard info.isFinished else { return }
        var found: [String: UInt64] = [:]
        for (cause, pages) in tally.losses { found[cause.rawValue] = pages }
        let notStored = Loss.Cause.notStored.rawValue
        // The rows of a full disk are not all there, but for this one.
        let causes =
            info.losses[notStored] ?? 0 > 0
            ? [notStored] : Set(info.losses.keys).union(found.keys).sorted()
        for cause in causes where info.losses[cause] ?? 0 != found[cause] ?? 0 {
            report.add(
                .init(
                    subject: .sums,
                    message: "the sums say \(info.losses[cause] ?? 0) lost (\(shown(cause))); "
                        + "there are \(found[cause] ?? 0)"))
        }
    }

    /// A record that never came is told as lost.
    private func compareRecords(_ info: CaptureInfo, _ report: inout VerificationReport) {
        guard info.isFinished else { return }
        var missing = ManifestSums.Sum()
        for record in info.records { missing += record.missing }
        let told = info.losses[Loss.Cause.missingRecord.rawValue] ?? 0
        if missing.value != told {
            report.add(
                .init(
                    subject: .recordNumbers,
                    message: "\(missing.value) record numbers are missing, \(told) are told as lost"
                ))
        }
    }
}
