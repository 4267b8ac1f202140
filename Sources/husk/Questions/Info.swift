// SPDX-License-Identifier: MIT
import ArgumentParser
import Foundation
import Husk
import HuskCapture

struct Info: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell what run a capture file is of, its sums, and whether it is complete.",
        discussion: """
            Reads a few rows only, however large the file is. Works while its trace runs.

            EXAMPLES
              husk info sample.husk
              husk info --json sample.husk | jq .complete
            """)

    @Flag(name: .long, help: "Print one JSON object (docs/json.md).")
    var json = false

    @OptionGroup var capture: CaptureArgument

    func run() throws {
        let overview = try CaptureOverview(path: capture.path)
        if overview.ignoresLog { CaptureArgument.noteLog() }
        let output = QuestionOutput()
        if json {
            _ = output.add(JSONLines().line(overview))
        } else {
            for line in Self.text(overview) { _ = output.add(line) }
        }
        try output.finish()
    }

    private static func text(_ overview: CaptureOverview) -> [String] {
        let info = overview.info
        var lines: [(String, String?)] = [
            ("command", info.command.map { $0.joined(separator: " ") } ?? "(attached)"),
            (
                "host",
                "\(info.host), \(info.machine), \(TextLines.count(UInt64(clamping: info.cpus), "CPU"))"
            ),
            ("kernel", info.kernel),
            ("husk", info.huskVersion),
            ("started", info.timestamp(info.started).date),
            ("took", info.ended.map { info.clock(info.timestamp($0)) + " s" }),
            ("ended with", ending(info)),
            ("probes", info.probes),
            ("copied by", info.copyMethod),
            (
                "options",
                info.options.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
                    .joined(separator: " ")
            ),
        ]
        lines += [
            ("captured", sums(info)),
            (
                "stored",
                TextLines.count(info.contents, "distinct content")
                    + " in \(TextLines.size(info.storedBytes)); the file: "
                    + TextLines.size(overview.fileSize)
                    + (overview.logSize > 0 ? ", its log: \(TextLines.size(overview.logSize))" : "")
            ),
            ("state", state(info)),
        ]
        return lines.compactMap { name, value in
            value.map { name + String(repeating: " ", count: 12 - name.count) + $0 }
        }
    }

    private static func sums(_ info: CaptureInfo) -> String {
        let parts: [(UInt64, String)] = [
            (info.transitions, "transition"), (info.attempts, "failed attempt"),
            (info.looks, "look"), (info.regions, "executable region"),
            (info.executions, "execution"), (info.blindSpots, "blind spot"),
        ]
        var text = parts.filter { $0.0 > 0 }.map { TextLines.count($0.0, $0.1) }
        text.append(TextLines.count(info.pages, "page") + " (\(TextLines.size(info.bytes)))")
        if info.children > 0 {
            text.append(info.children == 1 ? "1 child" : "\(info.children) children")
        }
        if info.referenced > 0 {
            text.append(TextLines.count(info.referenced, "page") + " on disk")
        }
        return text.joined(separator: ", ")
    }

    private static func state(_ info: CaptureInfo) -> String {
        guard info.isFinished else {
            return "unfinished: everything up to the last batch "
                + "(the trace still runs, or was cut off)"
        }
        let pages = "\(info.pages) of \(TextLines.count(info.expectedPages, "page"))"
        if info.contradictsItself {
            return "NOT AS IT SAYS: \(pages); it says that it is complete, and its own numbers "
                + "say otherwise (`husk verify` checks it)"
        }
        if info.isComplete == true { return "complete: \(pages)" }
        var missing = info.losses.sorted { $0.key < $1.key }.map { "\($0.value) lost (\($0.key))" }
        if info.unreadable > 0 {
            missing.append(TextLines.count(info.unreadable, "page") + " unreadable")
        }
        return "INCOMPLETE: \(pages); " + missing.joined(separator: ", ")
    }

    private static func ending(_ info: CaptureInfo) -> String? {
        info.targetExitCode.map { "status \($0)" } ?? info.targetSignal.map { "signal \($0)" }
    }
}
