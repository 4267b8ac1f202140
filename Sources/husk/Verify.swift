// SPDX-License-Identifier: MIT
import ArgumentParser
import Foundation
import Husk
import HuskCapture

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a stored capture again: its pages, its counts, its sums.",
        discussion: """
            Reads the capture file or the folder that `husk run -o` or `husk attach -o` has made. \
            Each content must be the bytes that its SHA-256 says, each count must be that of what \
            it counts, and the sums must agree with all of it. Needs no root, no probes, and not \
            the machine on which the capture was made.

            What is wrong is told line by line, with the place. Files in a folder that its \
            manifest does not name are told, and are no failure. This finds damage; who has made the capture it \
            cannot tell: someone who changes bytes can change their hashes, too.

            Ends with status 0 if all is as the capture says and nothing is missing from it, 122 \
            if all is as it says, and it says that something is missing, 124 if it is not what it \
            says.

            EXAMPLES
              husk verify sample.husk
              husk verify out/
              husk verify --json out/ | jq '.findings[] | .file'
              husk run -o out/ -- ./sample; husk verify out/ && tar cf out.tar out/
            """)

    @Flag(name: .long, help: "Print one JSON object (docs/json.md).")
    var json = false

    @Argument(
        help: ArgumentHelp("The capture: a file or a folder.", valueName: "capture"),
        completion: .file())
    var capture: String

    func run() throws {
        let report = try isFolder(capture) ? verifyFolder() : verifyFile()
        let text = json ? try VerificationText.json(report) : VerificationText.text(report)
        guard LineOutput.standardOutput.write(Array(text.utf8)) else {
            throw OutputError(
                cannot: "write", "the report", errno: LineOutput.standardOutput.error)
        }
        if !report.isVerified { throw ExitStatus.notVerified }
        if report.saysComplete != true { throw ExitStatus.incomplete }
    }

    private func verifyFolder() throws -> VerificationReport {
        var verifier = CaptureVerifier(path: capture)
        var progress = ProgressLine()
        let total = folderSize(capture)
        verifier.onProgress = { progress.show($0.bytesRead, of: total) }
        defer { progress.clear() }
        return try verifier.verify()
    }

    /// Nil: it is damaged.
    private func readableInfo() throws(CaptureFileError) -> CaptureInfo? {
        do {
            return try CaptureFile(path: capture).info
        } catch {
            guard error.code == .damaged else { throw error }
            return nil
        }
    }

    /// First the contents are looked at, then the pages that have them.
    private func verifyFile() throws -> VerificationReport {
        var verifier = CaptureFileVerifier(path: capture)
        // What is wrong with the file, the verifier says.
        guard let info = try readableInfo() else { return try verifier.verify() }
        var contents = ProgressLine()
        var pages: ProgressLine?
        verifier.onProgress = { counts in
            if counts.pages == 0 {
                contents.show(UInt64(counts.files), of: info.contents, .items("content"))
            } else {
                contents.clear()
                if pages == nil { pages = ProgressLine() }
                pages?.show(counts.pages, of: info.pages, .items("page"))
            }
        }
        defer {
            contents.clear()
            pages?.clear()
        }
        return try verifier.verify()
    }
}
