// SPDX-License-Identifier: MIT
import ArgumentParser
import Foundation
import Husk
import HuskCapture

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a stored capture again: its files, its pages, its counts.",
        discussion: """
            Reads the folder that `husk run -o DIR/` or `husk attach -o DIR/` has made. Each file \
            must hold the bytes that the manifest names by their SHA-256, each count must be that \
            of what it counts, and the summary must agree with all lines. Needs no root, no \
            probes, and not the machine on which the capture was made.

            What is wrong is told line by line, with the place. Files that the manifest does not \
            name are told, and are no failure. This finds damage; who has made the capture it \
            cannot tell: someone who changes bytes can change their hashes, too.

            Ends with status 0 if all is as the capture says and nothing is missing from it, 122 \
            if all is as it says, and it says that something is missing, 124 if it is not what it \
            says.

            EXAMPLES
              husk verify out/
              husk verify --json out/ | jq '.findings[] | .file'
              husk run -o out/ -- ./sample; husk verify out/ && tar cf out.tar out/
            """)

    @Flag(name: .long, help: "Print one JSON object (docs/json.md).")
    var json = false

    @Argument(help: ArgumentHelp("The folder of the capture.", valueName: "capture"))
    var capture: String

    func run() throws {
        var progress = VerificationProgress()
        var verifier = CaptureVerifier(path: capture)
        if LineOutput.standardError.isTerminal {
            verifier.onProgress = { progress.show($0) }
        }
        let report = try verifier.verify()
        progress.clear()
        let text = json ? try VerificationText.json(report) : VerificationText.text(report)
        guard LineOutput.standardOutput.write(Array(text.utf8)) else {
            throw OutputError(
                cannot: "write", "the report", errno: LineOutput.standardOutput.error)
        }
        if !report.isVerified { throw ExitStatus.notVerified }
        if report.saysComplete != true { throw ExitStatus.incomplete }
    }
}

/// What is shown on a terminal of work that takes longer than a moment.
private struct VerificationProgress {
    private var next = ContinuousClock.now + .seconds(1)
    private var isShown = false

    mutating func show(_ counts: VerificationReport.Counts) {
        let now = ContinuousClock.now
        guard now >= next else { return }
        next = now + .milliseconds(200)
        isShown = true
        let text =
            "\r\u{1B}[Khusk: line \(counts.lines), \(TextLines.size(counts.bytesRead)) read"
        _ = LineOutput.standardError.write(Array(text.utf8))
    }

    /// What comes next is written over it.
    mutating func clear() {
        if isShown { _ = LineOutput.standardError.write(Array("\r\u{1B}[K".utf8)) }
        isShown = false
    }
}
