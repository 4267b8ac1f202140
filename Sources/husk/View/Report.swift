// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk
import HuskAnalysis
import HuskCapture
import HuskReport

struct Report: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make one HTML file of a capture, to look at and to hand on.",
        discussion: """
            The file needs nothing but a browser: no network, no other file. It shows what \
            happened in plain words, the layers, memory over time, and of each region its \
            generations as bytes and instructions. What a target has named or written is shown as \
            text and can do nothing.

            Of the captured bytes, the most important are in it up to --budget: regions with \
            findings first, the latest of each first. Code of files that is as it is on disk is \
            left out (--everything takes it in). What is left out is named, with the command that \
            shows it. `husk view` shows all of it.

            A capture that has not been analyzed is analyzed for the report; the capture file is \
            not changed. Needs no root.

            EXAMPLES
              husk report sample.husk -o report.html
              husk report sample.husk --rules rules/ -o report.html
              husk report sample.husk --budget 200M -o large.html
            """)

    @OptionGroup var options: ExportOptions

    @OptionGroup var analysis: AnalysisOptions

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Captured bytes take so much of the file at most. Default: 24M.", valueName: "size"))
    var budget: ByteBudget?

    @Flag(name: .long, help: "Code of files that is as it is on disk, too.")
    var everything = false

    func run() throws {
        let file = try CaptureArgument.open(options.capture)
        let record = try analysis.record(of: file)
        let path = options.outputPath(or: "report.html")
        let output = try OutputFile(path: path, replaces: options.force, of: options.capture)
        var writer = ReportWriter(CaptureDocuments(file, analysis: record))
        if let budget { writer.budget = budget.bytes }
        writer.everything = everything
        var progress = ProgressLine()
        writer.onProgress = { progress.show($0, of: $1, .items("region")) }
        let outcome = try writer.write(to: output)
        try output.finish()
        progress.clear()
        Diagnostics.note(Self.conclusion(outcome, path))
    }

    private static func conclusion(_ outcome: ReportWriter.Outcome, _ path: String) -> String {
        var text = "\(path): \(TextLines.size(outcome.size))"
        if outcome.pages > 0 {
            text += ", \(outcome.held) of \(TextLines.count(outcome.pages, "page"))"
        }
        if outcome.ofFiles > 0 {
            text += "; \(outcome.ofFiles) of files as on disk are left out (--everything)"
        }
        if outcome.left > 0 { text += "; \(outcome.left) did not fit (--budget)" }
        return text
    }
}

/// What is notable in a capture: as it is stored, or found now.
struct AnalysisOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Apply YARA rules: a file, or all *.yar and *.yara of a folder.",
            valueName: "file|dir"),
        completion: .file())
    var rules: String?

    @Flag(
        name: .customLong("no-analysis"),
        help: "Do not analyze a capture that has not been: it shows no findings.")
    var leavesOut = false

    func record(of file: CaptureFile) throws -> AnalysisRecord? {
        let compiled = try rules.map { path throws(YaraError) in try YaraRules(path: path) }
        if compiled == nil, let stored = try file.analysis() { return stored }
        if leavesOut, compiled == nil { return nil }
        var analysis = try CaptureAnalysis(file, rules: compiled)
        return try analysis.runShown(of: file.info.pages, rulesName: rules)
    }
}
