// SPDX-License-Identifier: MIT
import Foundation
import Husk
import HuskCapture

/// The result of `husk analyze`, for people and for programs.
enum AnalysisLines {
    // MARK: For people

    static func text(
        _ record: AnalysisRecord, layers: [Layer], context: Bool
    ) -> [String] {
        let notable = record.findings.filter { $0.importance == "notable" }
        let common = record.findings.filter { $0.importance != "notable" }
        var lines: [String] = []
        // What unpacked what comes first.
        if !notable.isEmpty { lines += TextLines.tree(of: layers) }
        for finding in notable + (context ? common : []) { lines += text(finding) }
        for match in record.matches { lines += text(match) }
        let images = record.appearances.flatMap(\.images)
        if !images.isEmpty { lines.append("images in memory:") }
        for image in images {
            lines.append("  \(image.address.hexadecimal)  \(image.summary)")
            if let hash = image.importHash { lines.append("    \(hash.kind) \(hash.value)") }
        }
        if context {
            lines.append("what regions look like:")
            lines += record.appearances.map(text)
        }
        lines.append(conclusion(record, notable: notable.count, common: common.count, context))
        return lines
    }

    private static func text(_ finding: AnalysisRecord.Finding) -> [String] {
        var head = finding.importance == "notable" ? "NOTABLE " : "context "
        head += finding.kind
        if finding.length > 0 {
            head +=
                " \(finding.start.hexadecimal)-"
                + finding.start.advanced(by: finding.length).hexadecimal
        }
        head += " process \(finding.task.pid) (\(finding.processName))"
        var lines = [head, "  \(finding.reason)"]
        if !finding.techniques.isEmpty {
            lines.append(
                "  ATT&CK: "
                    + finding.techniques.map { "\($0.id) \($0.name)" }.joined(separator: ", "))
        }
        return lines
    }

    private static func text(_ match: AnalysisRecord.RuleMatch) -> [String] {
        var lines = [
            "RULE \(match.rule) (\(match.namespace)) region \(match.region), generation "
                + "\(match.generation)"
                + (match.tags.isEmpty ? "" : ", tags " + match.tags.joined(separator: " "))
        ]
        let limit = 16
        for string in match.strings.prefix(limit) {
            lines.append(
                "  \(string.address.hexadecimal)  \(string.identifier)  "
                    + TargetText(bytes: string.data).escaped)
        }
        if match.strings.count > limit {
            lines.append("  ... \(match.strings.count - limit) more")
        }
        return lines
    }

    private static func text(_ appearance: AnalysisRecord.Appearance) -> String {
        "  region \(appearance.region) \(appearance.start.hexadecimal)-"
            + "\(appearance.start.advanced(by: appearance.length).hexadecimal) generation "
            + "\(appearance.generation): \(appearance.kind), "
            + String(format: "%.2f", appearance.entropy) + " bits per byte"
            + (appearance.reasons.first.map { "; \($0)" } ?? "")
    }

    private static func conclusion(
        _ record: AnalysisRecord, notable: Int, common: Int, _ context: Bool
    ) -> String {
        var parts = [
            notable == 0
                ? "nothing notable" : "\(TextLines.count(UInt64(notable), "notable finding"))"
        ]
        if record.rules != nil {
            parts.append(
                record.matches.isEmpty
                    ? "no rule matches"
                    : TextLines.count(UInt64(record.matches.count), "rule match", "rule matches"))
        }
        if common > 0, !context { parts.append("\(common) of context (--context shows them)") }
        if record.explainedByJIT > 0 {
            parts.append(
                "\(TextLines.count(UInt64(record.explainedByJIT), "region")) of JIT compilers")
        }
        if record.suppressed > 0 { parts.append("\(record.suppressed) more not told") }
        if record.isCut { parts.append("NOT ALL was looked at: too much, or it took too long") }
        return parts.joined(separator: "; ")
    }

    // MARK: For programs

    static func json(_ record: AnalysisRecord) throws -> [String] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        func line(_ value: some Encodable) throws -> String {
            String(decoding: try encoder.encode(value), as: UTF8.self)
        }
        var lines = try record.findings.map { try line(FindingLine($0)) }
        lines += try record.matches.map { try line(MatchLine($0)) }
        lines += try record.appearances.map { try line(AppearanceLine($0)) }
        lines.append(try line(AnalysisLine(record)))
        return lines
    }

    private struct FindingLine: Encodable {
        var type = "finding"
        var kind: String
        var importance: String
        var techniques: [AnalysisRecord.Technique]
        var reason: String
        var pid: Int32
        var hostPid: Int32
        var processName: String
        var monotonicNs: UInt64
        var wallNs: UInt64
        var start: String
        var length: UInt64
        var layer: Int?
        var entry: String?
        var transitions: [String]

        init(_ finding: AnalysisRecord.Finding) {
            kind = finding.kind
            importance = finding.importance
            techniques = finding.techniques
            reason = finding.reason
            pid = finding.task.pid
            hostPid = finding.task.hostPID
            processName = finding.processName
            monotonicNs = finding.time.monotonic
            wallNs = finding.time.wall
            start = finding.start.description
            length = finding.length
            layer = finding.layer
            entry = finding.entry?.description
            transitions = finding.transitions.map(\.hexadecimal)
        }
    }

    private struct MatchLine: Encodable {
        struct StringLine: Encodable {
            var identifier: String
            var address: String
            var length: UInt64
            var data: String
        }

        var type = "rule-match"
        var rule: String
        var namespace: String
        var tags: [String]
        var metadata: [String: String]
        var region: Int64
        var transition: String
        var generation: Int
        var strings: [StringLine]

        init(_ match: AnalysisRecord.RuleMatch) {
            rule = match.rule
            namespace = match.namespace
            tags = match.tags
            metadata = match.metadata
            region = match.region
            transition = match.transition.hexadecimal
            generation = match.generation
            strings = match.strings.map {
                StringLine(
                    identifier: $0.identifier, address: $0.address.description,
                    length: $0.length,
                    data: $0.data.hexadecimal)
            }
        }
    }

    private struct AppearanceLine: Encodable {
        struct ImageLine: Encodable {
            var address: String
            var format: String
            var claimedSize: UInt64
            var availableSize: UInt64
            var entry: String?
            var summary: String
            var importHashKind: String?
            var importHash: String?
        }

        var type = "appearance"
        var region: Int64
        var transition: String
        var generation: Int
        var start: String
        var length: UInt64
        var kind: String
        var entropy: Double
        var reasons: [String]
        var images: [ImageLine]

        init(_ appearance: AnalysisRecord.Appearance) {
            region = appearance.region
            transition = appearance.transition.hexadecimal
            generation = appearance.generation
            start = appearance.start.description
            length = appearance.length
            kind = appearance.kind
            entropy = (appearance.entropy * 1000).rounded() / 1000
            reasons = appearance.reasons
            images = appearance.images.map {
                ImageLine(
                    address: $0.address.description, format: $0.format,
                    claimedSize: $0.claimedSize, availableSize: $0.availableSize,
                    entry: $0.entry.map { Address($0).description }, summary: $0.summary,
                    importHashKind: $0.importHash?.kind, importHash: $0.importHash?.value)
            }
        }
    }

    private struct AnalysisLine: Encodable {
        var type = "analysis"
        var huskVersion: String
        var rules: String?
        var everything: Bool
        var findings: Int
        var ruleMatches: Int
        var explainedByJit: Int
        var suppressed: Int
        var complete: Bool

        init(_ record: AnalysisRecord) {
            huskVersion = record.huskVersion
            rules = record.rules
            everything = record.everything
            findings = record.findings.count
            ruleMatches = record.matches.count
            explainedByJit = record.explainedByJIT
            suppressed = record.suppressed
            complete = !record.isCut
        }
    }
}
