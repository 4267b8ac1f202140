// SPDX-License-Identifier: MIT
import Foundation
import Husk
import HuskCapture

/// The report of `husk verify`, for people and for programs.
enum VerificationText {
    /// How many findings people are shown.
    private static let limit = 100

    static func text(_ report: VerificationReport) -> String {
        var lines = report.findings.prefix(limit).map(\.description)
        if report.findingCount > lines.count {
            lines.append("... and \(report.findingCount - lines.count) more")
        }
        let names = report.unnamedFiles.prefix(limit)
        lines += names.map { "note: the manifest does not name \($0)" }
        if report.unnamedFileCount > names.count {
            lines.append("note: nor \(report.unnamedFileCount - names.count) other files")
        }
        lines.append(conclusion(report))
        return lines.joined(separator: "\n") + "\n"
    }

    private static func conclusion(_ report: VerificationReport) -> String {
        let counts = report.counts
        let expected = report.expectedPages ?? counts.pages
        let result =
            report.isVerified
            ? "verified"
            : "NOT VERIFIED: \(TextLines.count(UInt64(report.findingCount), "finding"))"
        var text =
            "\(result): \(counts.verifiedPages) of \(TextLines.count(expected, "page")), "
            + "\(TextLines.count(UInt64(counts.files), report.unit == .files ? "file" : "content")), \(TextLines.size(counts.bytes))"
        switch report.saysComplete {
        case true?: text += "; complete"
        case false?: text += "; INCOMPLETE: " + missing(report).joined(separator: ", ")
        case nil: text += "; cut off"
        }
        return text
    }

    private static func missing(_ report: VerificationReport) -> [String] {
        var parts = report.losses.sorted { $0.key < $1.key }.map { "\($0.value) lost (\($0.key))" }
        if report.unreadable > 0 {
            parts.append(TextLines.count(report.unreadable, "page") + " unreadable")
        }
        return parts
    }

    static func json(_ report: VerificationReport) throws -> String {
        struct FindingRecord: Encodable {
            var subject: String
            var message: String
            var line: Int?
            var file: String?
            var transition: String?
            var address: String?

            init(_ finding: VerificationReport.Finding) {
                subject = finding.subject.rawValue
                message = finding.message
                line = finding.line
                file = finding.file
                transition = finding.transition
                address = finding.address?.description
            }
        }
        struct ReportRecord: Encodable {
            var verified: Bool
            var complete: Bool?
            var lines: Int
            var pages: UInt64
            var pagesVerified: UInt64
            var pagesExpected: UInt64?
            var files: Int?
            var contents: Int?
            var bytes: UInt64
            var findingCount: Int
            var findings: [FindingRecord]
            var unnamedFileCount: Int
            var unnamedFiles: [String]
        }
        let counts = report.counts
        let record = ReportRecord(
            verified: report.isVerified, complete: report.saysComplete, lines: counts.lines,
            pages: counts.pages, pagesVerified: counts.verifiedPages,
            pagesExpected: report.expectedPages,
            files: report.unit == .files ? counts.files : nil,
            contents: report.unit == .contents ? counts.files : nil, bytes: counts.bytes,
            findingCount: report.findingCount,
            findings: report.findings.map(FindingRecord.init),
            unnamedFileCount: report.unnamedFileCount, unnamedFiles: report.unnamedFiles)
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(record), as: UTF8.self) + "\n"
    }
}
