// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk
import HuskAnalysis
import HuskCapture

struct Analyze: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell what is notable in a capture file, and why.",
        discussion: """
            Replays the capture and tells what a person should look at: code that was unpacked, \
            memory that is writable and executable, programs on no disk, code that another process \
            has written, images that lie in memory, with the ATT&CK techniques that these would \
            be. With --rules, YARA rules are applied to the captured code; matches have the \
            addresses that it had in the process. JIT compilers make code as malware does: what \
            is one's, as far as can be told, is no finding.

            These are facts with reasons, and no verdict. Code of files that is as it is on disk \
            is left out (--everything takes it in). The result is stored in the capture file \
            (--no-store leaves it alone), in place of the one before. Needs no root.

            EXAMPLES
              husk analyze sample.husk
              husk analyze --rules rules/ sample.husk
              husk analyze --json sample.husk | jq 'select(.type == "finding") | .reason'
            """)

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Apply YARA rules: a file, or all *.yar and *.yara of a folder.",
            discussion: "include is refused: rules read no other files.", valueName: "file|dir"),
        completion: .file())
    var rules: String?

    @Flag(name: .long, help: "Look at code of files that is as it is on disk, too.")
    var everything = false

    @Flag(name: .long, help: "Tell what is common by itself, too, and what each region looks like.")
    var context = false

    @Flag(name: .customLong("no-store"), help: "Do not store the result in the capture file.")
    var leavesFile = false

    @Flag(name: .long, help: "Print one JSON object per line (docs/json.md) instead of text.")
    var json = false

    @Argument(
        help: ArgumentHelp("The capture file.", valueName: "capture"), completion: .file())
    var capture: String

    func run() throws {
        // Mistakes in rules are told before anything is read.
        let compiled = try rules.map { path throws(YaraError) in try YaraRules(path: path) }
        let file = try CaptureFile(path: capture)
        var analysis = try CaptureAnalysis(file, rules: compiled)
        analysis.everything = everything
        let record = try analysis.runShown(of: file.info.pages, rulesName: rules)
        let lines =
            json
            ? try AnalysisLines.json(record)
            : AnalysisLines.text(record, layers: try file.layers(), context: context)
        let output = QuestionOutput()
        for line in lines where !output.add(line) { break }
        if !leavesFile {
            do {
                try file.store(record)
            } catch {
                Diagnostics.note("\(error.message) (\(error.hint ?? ""))")
            }
        }
        try output.finish()
    }
}

extension CaptureAnalysis {
    /// With its progress on a terminal.
    mutating func runShown(of pages: UInt64, rulesName: String?) throws -> AnalysisRecord {
        var progress = ProgressLine()
        defer { progress.clear() }
        onProgress = { progress.show($0, of: pages, .items("page")) }
        return try run(version: huskVersion, rulesName: rulesName)
    }
}
