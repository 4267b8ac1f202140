// SPDX-License-Identifier: MIT
internal import Foundation
internal import GRDB
internal import HuskModel

extension CaptureFile {
    /// The analysis that is stored in the file; nil: there is none.
    ///
    /// Techniques have no names: who judges knows them by their number.
    public func analysis() throws(CaptureFileError) -> AnalysisRecord? {
        try read { db in try AnalysisReader(names: names, info: info, db: db).record() }
    }
}

/// Reads the rows that `AnalysisRows` has written, of a file that may hold anything.
private struct AnalysisReader {
    let names: CaptureNames
    let info: CaptureInfo
    let db: Database

    /// Of each list, no more are read: Husk writes no more.
    private static let limit = 200_000
    /// Of a list within a field, of a word, of a sentence in bytes: the file is no measure of them.
    private static let wordLimit = 64
    private static let nameLimit = 512
    private static let textLimit = 16_384
    private static let countLimit = 1 << 40

    func record() throws -> AnalysisRecord? {
        guard
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT husk_version, rules, everything, wall_ns, explained_by_jit, suppressed, \
                    cut FROM analysis WHERE id = 1
                    """)
        else { return nil }
        var fields = RowFields(row)
        var record = AnalysisRecord(
            huskVersion: try fields.targetText().escaped,
            rules: try fields.optionalTargetText()?.escaped, everything: try fields.flag())
        record.wall = try fields.unsigned()
        record.explainedByJIT = min(try fields.count(), Self.countLimit)
        record.suppressed = min(try fields.count(), Self.countLimit)
        record.isCut = try fields.flag()
        record.findings = try findings()
        record.appearances = try appearances()
        record.matches = try matches()
        return record
    }

    private func list<Value>(
        _ sql: String, _ decode: (inout RowFields) throws -> Value
    ) throws -> [Value] {
        let rows = try Row.fetchCursor(db, sql: sql + " LIMIT \(Self.limit)")
        var values: [Value] = []
        while let row = try rows.next() {
            var fields = RowFields(row)
            values.append(try decode(&fields))
        }
        return values
    }

    /// Lists that belong to rows of another table.
    private func lists<Value>(
        _ sql: String, _ decode: (inout RowFields) throws -> Value
    ) throws -> [Int64: [Value]] {
        let all = try list(sql) { fields in
            let owner = try fields.integer()
            return (owner, try decode(&fields))
        }
        return Dictionary(grouping: all, by: \.0).mapValues { $0.map(\.1) }
    }

    private func words(_ text: String, separator: String = ",") -> [String] {
        let text = String(decoding: text.utf8.prefix(Self.textLimit), as: UTF8.self)
        return text.isEmpty
            ? []
            : text.components(separatedBy: separator).prefix(Self.wordLimit).map { safe($0) }
    }

    /// Written escaped; whoever has changed the file may not have.
    private func safe(_ text: String, limit: Int = nameLimit) -> String {
        let part = String(decoding: text.utf8.prefix(limit), as: UTF8.self)
        return TargetText(escaped: part).escaped
    }

    private func findings() throws -> [AnalysisRecord.Finding] {
        let evidence = try lists(
            "SELECT finding, transition FROM finding_transition ORDER BY finding, transition"
        ) { Transition.ID(rawValue: try $0.unsigned()) }
        return try list(
            """
            SELECT id, kind, importance, techniques, reason, process, process_name, time_ns, \
            start, length, layer, entry FROM finding ORDER BY id
            """
        ) { fields in
            let id = try fields.integer()
            let kind = safe(try fields.text())
            let importance = safe(try fields.text())
            let techniques = words(try fields.text()).map {
                AnalysisRecord.Technique(id: $0, name: "")
            }
            let reason = safe(try fields.text(), limit: Self.textLimit)
            let process = try fields.optionalInteger()
            let task =
                try process.map { try names.task($0, tid: 0, hostTID: 0) }
                ?? TaskIdentity(pid: 0, tid: 0, hostPID: 0, hostTID: 0)
            return AnalysisRecord.Finding(
                kind: kind, importance: importance, techniques: techniques, reason: reason,
                task: task, processName: safe(try fields.text(), limit: Self.textLimit),
                time: info.timestamp(try fields.unsigned()), start: try fields.address(),
                length: try fields.unsigned(), layer: try fields.optionalNumber(),
                entry: try fields.optionalAddress(), transitions: evidence[id] ?? [])
        }
    }

    private func appearances() throws -> [AnalysisRecord.Appearance] {
        let images = try lists(
            """
            SELECT appearance, address, format, claimed_size, available_size, entry, summary, \
            import_hash_kind, import_hash FROM carved ORDER BY id
            """
        ) { fields in
            let address = try fields.address()
            let format = safe(try fields.text())
            let claimed = try fields.unsigned()
            let available = try fields.unsigned()
            let entry = try fields.optionalInteger()?.restored
            let summary = safe(try fields.text(), limit: Self.textLimit)
            let kind = try fields.optionalText().map { safe($0) }
            let hash = try fields.optionalText().map { safe($0) }
            return AnalysisRecord.Image(
                address: address, format: format, claimedSize: claimed, availableSize: available,
                entry: entry, summary: summary,
                importHash: kind.flatMap { kind in hash.map { (kind, $0) } })
        }
        return try list(
            """
            SELECT id, region, transition, generation, start, length, kind, entropy, reasons \
            FROM appearance ORDER BY id
            """
        ) { fields in
            let id = try fields.integer()
            return AnalysisRecord.Appearance(
                region: try fields.integer(), transition: .init(rawValue: try fields.unsigned()),
                generation: try fields.count(), start: try fields.address(),
                length: try fields.unsigned(), kind: safe(try fields.text()),
                entropy: try fields.real(),
                reasons: words(try fields.text(), separator: "; "), images: images[id] ?? [])
        }
    }

    private func matches() throws -> [AnalysisRecord.RuleMatch] {
        let strings = try lists(
            "SELECT rule_match, identifier, address, length, data FROM rule_string ORDER BY rowid"
        ) { fields in
            AnalysisRecord.RuleMatch.Match(
                identifier: safe(try fields.text()), address: try fields.address(),
                length: try fields.unsigned(), data: try fields.blob())
        }
        return try list(
            """
            SELECT id, region, transition, generation, rule, namespace, tags, metadata \
            FROM rule_match ORDER BY id
            """
        ) { fields in
            let id = try fields.integer()
            let region = try fields.integer()
            let transition = Transition.ID(rawValue: try fields.unsigned())
            let generation = try fields.count()
            let rule = safe(try fields.text())
            let namespace = safe(try fields.text())
            let tags = words(try fields.text())
            let metadata = try? JSONDecoder().decode(
                [String: String].self, from: Data(try fields.text().utf8))
            return AnalysisRecord.RuleMatch(
                region: region, transition: transition, generation: generation, rule: rule,
                namespace: namespace, tags: tags,
                metadata: Dictionary(
                    (metadata ?? [:]).prefix(Self.wordLimit).map { (safe($0), safe($1)) },
                    uniquingKeysWith: { $1 }),
                strings: strings[id] ?? [])
        }
    }
}
