// SPDX-License-Identifier: MIT
import ArgumentParser
import Foundation
import Husk
import HuskCapture

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what this kernel and your rights allow, and how to get what is missing.",
        discussion: """
            Everything is tried, not guessed: the probes are loaded and attached for a moment.
            Ends with status 0 if Husk can trace here, else 121.
            """)

    @Flag(name: .long, help: "Print one JSON object.")
    var json = false

    func run() throws {
        let report = SystemReport()
        let text = json ? try Self.json(report) : Self.text(report)
        guard LineOutput.standardOutput.write(Array(text.utf8)) else {
            throw OutputError(
                cannot: "write", "the report", errno: LineOutput.standardOutput.error)
        }
        if !report.canTrace { throw ExitStatus.notPossible }
    }

    private static func text(_ report: SystemReport) -> String {
        let colour = LineOutput.standardOutput.takesColour
        let width = report.checks.map(\.name.count).max() ?? 0
        var text = "husk \(huskVersion) on Linux \(report.kernel), \(report.machine)\n\n"
        for check in report.checks {
            let name = check.name + String(repeating: " ", count: width - check.name.count)
            text += "  \(mark(check.status, colour))  \(name)  \(check.detail)\n"
            if check.status != .ok, let hint = check.hint {
                text += String(repeating: " ", count: width + 13) + hint + "\n"
            }
        }
        text += "\n"
        text +=
            report.copyMethod.map { "Husk can trace here; pages are copied by \($0.rawValue).\n" }
            ?? "Husk cannot trace here.\n"
        return text
    }

    private static func mark(_ status: SystemReport.Check.Status, _ colour: Bool) -> String {
        let (word, code) =
            switch status {
            case .ok: ("ok     ", "32")
            case .limited: ("limited", "33")
            case .missing: ("missing", "31")
            }
        return colour ? "\u{1B}[\(code)m\(word)\u{1B}[0m" : word
    }

    private static func json(_ report: SystemReport) throws -> String {
        struct CheckRecord: Encodable {
            var name: String
            var status: String
            var detail: String
            var hint: String?
        }
        struct ReportRecord: Encodable {
            var husk: String
            var kernel: String
            var machine: String
            var canTrace: Bool
            var copyMethod: String?
            var checks: [CheckRecord]
        }
        let record = ReportRecord(
            husk: huskVersion, kernel: report.kernel, machine: report.machine,
            canTrace: report.canTrace, copyMethod: report.copyMethod?.rawValue,
            checks: report.checks.map {
                CheckRecord(
                    name: $0.name, status: $0.status.rawValue, detail: $0.detail,
                    hint: $0.status == .ok ? nil : $0.hint)
            })
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(record), as: UTF8.self) + "\n"
    }
}
