// SPDX-License-Identifier: MIT
internal import GRDB
internal import HuskModel

/// Whether rows of different tables agree with each other, where SQLite's own checks do not ask.
enum StoredReferenceCheck {
    /// A question that no sound capture has an answer to.
    private struct Question {
        var subject: VerificationReport.Finding.Subject
        var message: String
        /// Of each row that is wrong: the transition's `id` and an address, each may be NULL.
        var sql: String
    }

    static func check(
        _ file: CaptureFile, isCutOff: Bool, _ report: inout VerificationReport
    ) throws {
        try file.stream { db in
            for question in always + (file.info.isFinished ? finished : []) {
                try ask(question, db, &report)
            }
            if file.info.isFinished, file.info.isComplete == true, file.isIndexed {
                for table in ["execution", "finding_transition", "appearance", "rule_match"] {
                    try ask(transitions(of: table), db, &report)
                }
            }
            if !isCutOff {
                try ask(unusedContents, db, &report)
                try checkStoredBytes(file, db, &report)
            }
        }
    }

    private static func ask(
        _ question: Question, _ db: Database, _ report: inout VerificationReport
    ) throws {
        let rows = try Row.fetchCursor(
            db, sql: question.sql + " LIMIT \(VerificationReport.limit)")
        while let row = try rows.next() {
            var fields = RowFields(row)
            let id = try fields.optionalInteger().map { Transition.ID(rawValue: $0.restored) }
            report.add(
                .init(
                    subject: question.subject, message: question.message,
                    transition: id?.hexadecimal, address: try fields.optionalAddress()))
        }
    }

    private static let always = [
        Question(
            subject: .database,
            message: "a page is not of the region and process of its transition",
            sql: """
                SELECT t.id, s.address FROM snapshot s JOIN transition t \
                ON t.position = s.transition \
                WHERE s.region IS NOT t.region OR s.process <> t.process
                """),
        Question(
            subject: .counts, message: "a part of its end is missing",
            sql: """
                SELECT id, start FROM transition WHERE (end_position IS NULL) + (end_cpu IS NULL) \
                + (end_sequence IS NULL) + (end_ns IS NULL) + (captured IS NULL) \
                + (untouched IS NULL) + (unchanged IS NULL) + (unreadable IS NULL) \
                + (lost IS NULL) + (stalled_ns IS NULL) NOT IN (0, 10)
                """),
        Question(
            subject: .database, message: "its reference to a file is half missing",
            sql: """
                SELECT id, start FROM transition \
                WHERE (reference_sha256 IS NULL) <> (reference_length IS NULL)
                """),
        Question(
            subject: .database, message: "a page is outside of its mapping",
            sql: """
                SELECT NULL, p.address FROM mapping_page p JOIN mapping m ON m.id = p.mapping \
                WHERE p.address - m.start < 0 OR p.address - m.start >= m.length
                """),
        Question(
            subject: .database, message: "a mapping or a region is of no whole pages",
            sql: """
                SELECT NULL, start FROM mapping WHERE start % 4096 <> 0 OR length % 4096 <> 0 \
                UNION ALL SELECT NULL, address FROM mapping_page WHERE address % 4096 <> 0 \
                UNION ALL SELECT transition, region_start FROM execution \
                WHERE region_start % 4096 <> 0 OR region_length % 4096 <> 0
                """),
        Question(
            subject: .database, message: "a page must have a content or a reason why it has none",
            sql: """
                SELECT NULL, address FROM snapshot WHERE (content IS NULL) <> (reader IS NULL) \
                OR (content IS NULL) = (unreadable IS NULL) OR (content IS NULL) = (error IS NULL)
                """),
        Question(
            subject: .database, message: "a part of a label is missing",
            sql: ["transition", "region", "layer"].map {
                """
                SELECT NULL, start FROM \($0) WHERE (label IS NULL) + (label_source IS NULL) \
                + (label_detail IS NULL) NOT IN (0, 3)
                """
            }.joined(separator: " UNION ALL ")),
        // What is unfinished is asked less.
        Question(
            subject: .sums, message: "it is neither finished nor unfinished",
            sql: """
                SELECT NULL, NULL FROM capture WHERE state NOT IN ('open', 'finished') \
                OR (state = 'open') <> (ended_ns IS NULL) OR (state = 'open') <> (complete IS NULL) \
                OR complete NOT IN (0, 1) OR ended_ns < started_ns
                """),
        Question(
            subject: .sums, message: "its command has ended in two ways",
            sql: """
                SELECT NULL, NULL FROM capture \
                WHERE target_exit_code IS NOT NULL AND target_signal IS NOT NULL
                """),
    ]

    /// While the trace runs, an index is missing and the numbers are not known.
    private static let finished = [
        Question(
            subject: .database, message: "there are two of it",
            sql: "SELECT id, min(start) FROM transition GROUP BY id HAVING count(*) > 1"),
        Question(
            subject: .recordNumbers, message: "its record's number was never given",
            sql: """
                SELECT t.id, t.start FROM transition t JOIN record_count r ON r.cpu = t.cpu \
                WHERE t.sequence >= r.given OR t.sequence < 0
                """),
        Question(
            subject: .recordNumbers, message: "the number of its end's record was never given",
            sql: """
                SELECT t.id, t.start FROM transition t JOIN record_count r ON r.cpu = t.end_cpu \
                WHERE t.end_sequence >= r.given OR t.end_sequence < 0
                """),
        Question(
            subject: .recordNumbers, message: "its records are of a CPU that has none",
            sql: """
                SELECT t.id, t.start FROM transition t \
                WHERE EXISTS (SELECT 1 FROM record_count) \
                AND (t.cpu <> 4294967295 AND t.cpu NOT IN (SELECT cpu FROM record_count) \
                OR t.end_cpu <> 4294967295 AND t.end_cpu NOT IN (SELECT cpu FROM record_count))
                """),
        Question(
            subject: .recordNumbers, message: "a page's record is of a CPU that has none",
            sql: """
                SELECT NULL, s.address FROM snapshot s WHERE EXISTS (SELECT 1 FROM record_count) \
                AND s.cpu <> 4294967295 AND s.cpu NOT IN (SELECT cpu FROM record_count)
                """),
        Question(
            subject: .recordNumbers, message: "more record numbers are missing than were given",
            sql: "SELECT NULL, NULL FROM record_count WHERE missing > given OR missing < 0"),
    ]

    private static let unusedContents = Question(
        subject: .content, message: "a content belongs to no page",
        sql: """
            SELECT NULL, NULL FROM content \
            WHERE id NOT IN (SELECT content FROM snapshot WHERE content IS NOT NULL) \
            AND id NOT IN (SELECT content FROM mapping_page)
            """)

    private static func transitions(of table: String) -> Question {
        Question(
            subject: .database, message: "a row of \(table) names it, and it is not there",
            sql: """
                SELECT transition, NULL FROM \(table) \
                WHERE transition NOT IN (SELECT id FROM transition)
                """)
    }

    private static func checkStoredBytes(
        _ file: CaptureFile, _ db: Database, _ report: inout VerificationReport
    ) throws {
        let found = try UInt64(
            clamping: Int64.fetchOne(db, sql: "SELECT sum(length(bytes)) FROM content_bytes") ?? 0)
        if found != file.info.storedBytes {
            report.add(
                .init(
                    subject: .sums,
                    message: "the sums say \(file.info.storedBytes) stored bytes; there are "
                        + "\(found)"))
        }
    }
}
