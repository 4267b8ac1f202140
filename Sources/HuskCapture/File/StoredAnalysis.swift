// SPDX-License-Identifier: MIT
internal import Foundation
internal import GRDB
internal import HuskModel

extension CaptureFile {
    /// Puts an analysis into the file, in place of the one that is there.
    ///
    /// Nothing else of the file is changed. Throws if it cannot be written to, or if the trace that
    /// makes it still runs.
    public func store(_ analysis: AnalysisRecord) throws(CaptureFileError) {
        guard info.isFinished else {
            throw CaptureFileError(
                .notWritable, "the trace that writes \(path) has not ended, or was cut off")
        }
        var configuration = Configuration()
        configuration.label = "husk-analysis"
        configuration.foreignKeysEnabled = false
        configuration.busyMode = .timeout(CaptureDatabase.patience)
        configuration.prepareDatabase(CaptureDatabase.harden)
        do {
            let queue = try DatabaseQueue(
                path: CaptureFilePlace.forSQLite(path), configuration: configuration)
            try queue.write { db in try AnalysisRows(names).replace(with: analysis, in: db) }
            try queue.close()
        } catch {
            let reason =
                (error as? DatabaseError).map { CaptureDatabase.reason(of: $0).text } ?? "\(error)"
            throw CaptureFileError(
                .notWritable, "the analysis cannot be stored in \(path): \(reason)",
                hint: "it is printed all the same; --no-store leaves the file alone")
        }
    }
}

/// The rows of an analysis.
struct AnalysisRows {
    private let processes: [Int32: [StoredProcess]]

    init(_ names: CaptureNames) {
        processes = Dictionary(grouping: names.processes.values, by: \.hostPID)
    }

    func replace(with analysis: AnalysisRecord, in db: Database) throws {
        for table in [
            "rule_string", "rule_match", "carved", "appearance", "finding_transition", "finding",
            "analysis",
        ] {
            try db.execute(sql: "DELETE FROM \(table)")
        }
        try db.execute(
            literal: """
                INSERT INTO analysis VALUES (1, \(analysis.huskVersion), \(SystemClock.wall.stored), \
                \(analysis.rules), \(analysis.everything), \(analysis.explainedByJIT), \
                \(analysis.suppressed), \(analysis.isCut))
                """)
        for (index, finding) in analysis.findings.enumerated() {
            try insert(finding, id: index + 1, in: db)
        }
        var image = 0
        for (index, appearance) in analysis.appearances.enumerated() {
            try insert(appearance, id: index + 1, firstImage: &image, in: db)
        }
        for (index, match) in analysis.matches.enumerated() {
            try insert(match, id: index + 1, in: db)
        }
    }

    private static let insertFinding = TableInsert(
        "finding",
        [
            "id", "kind", "importance", "techniques", "reason", "process", "process_name",
            "time_ns", "start", "length", "layer", "entry",
        ])
    private static let insertEvidence = TableInsert(
        "finding_transition", ["finding", "transition"], replacing: true)

    private func insert(_ finding: AnalysisRecord.Finding, id: Int, in db: Database) throws {
        try Self.insertFinding.run(
            db,
            [
                id, finding.kind, finding.importance,
                finding.techniques.map(\.id).joined(separator: ","), finding.reason,
                process(finding.task, at: finding.time), finding.processName,
                finding.time.monotonic.stored, finding.start.stored, finding.length.stored,
                finding.layer, finding.entry?.stored,
            ])
        for transition in finding.transitions {
            try Self.insertEvidence.run(db, [id, transition.rawValue.stored])
        }
    }

    /// Numbers are given again: the one that lived then.
    private func process(_ task: TaskIdentity, at time: Timestamp) -> Int64? {
        let candidates = (processes[task.hostPID] ?? []).sorted { $0.id < $1.id }
        return candidates.last { ($0.started ?? 0) <= time.monotonic }?.id ?? candidates.first?.id
    }

    private static let insertAppearance = TableInsert(
        "appearance",
        [
            "id", "region", "transition", "generation", "start", "length", "kind", "entropy",
            "reasons",
        ])
    private static let insertImage = TableInsert(
        "carved",
        [
            "id", "appearance", "address", "format", "claimed_size", "available_size", "entry",
            "summary", "import_hash_kind", "import_hash",
        ])

    private func insert(
        _ appearance: AnalysisRecord.Appearance, id: Int, firstImage: inout Int, in db: Database
    ) throws {
        try Self.insertAppearance.run(
            db,
            [
                id, appearance.region, appearance.transition.rawValue.stored,
                appearance.generation, appearance.start.stored, appearance.length.stored,
                appearance.kind, appearance.entropy, appearance.reasons.joined(separator: "; "),
            ])
        for image in appearance.images {
            firstImage += 1
            try Self.insertImage.run(
                db,
                [
                    firstImage, id, image.address.stored, image.format, image.claimedSize.stored,
                    image.availableSize.stored, image.entry?.stored, image.summary,
                    image.importHash?.kind, image.importHash?.value,
                ])
        }
    }

    private static let insertMatch = TableInsert(
        "rule_match",
        ["id", "region", "transition", "generation", "rule", "namespace", "tags", "metadata"])
    private static let insertString = TableInsert(
        "rule_string", ["rule_match", "identifier", "address", "length", "data"])

    private func insert(_ match: AnalysisRecord.RuleMatch, id: Int, in db: Database) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let metadata = String(decoding: try encoder.encode(match.metadata), as: UTF8.self)
        try Self.insertMatch.run(
            db,
            [
                id, match.region, match.transition.rawValue.stored, match.generation, match.rule,
                match.namespace, match.tags.joined(separator: ","), metadata,
            ])
        for string in match.strings {
            try Self.insertString.run(
                db,
                [
                    id, string.identifier, string.address.stored, string.length.stored,
                    Data(string.data),
                ])
        }
    }
}
