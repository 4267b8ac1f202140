// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk
import HuskCapture

struct ExportPages: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pages",
        abstract: "The folder of raw files that `husk run -o DIR/` makes.",
        discussion: """
            Each run of pages becomes a file BASE_SHA256[:16].bin, and manifest.jsonl tells line \
            by line what happened and which file belongs to what. The folder must not exist yet, \
            or be empty. Of a capture that was cut off the manifest has no summary, and \
            `husk verify` says so.

            EXAMPLES
              husk export pages sample.husk -o out/
              husk verify out/
              jq -r '.runs[]?.file' out/manifest.jsonl | sort -u
            """)

    @Argument(
        help: ArgumentHelp("The capture file.", valueName: "capture"), completion: .file())
    var capture: String

    @Option(
        name: [.short, .customLong("output")],
        help: ArgumentHelp("The folder to make.", valueName: "folder"), completion: .directory)
    var output: String

    func run() throws {
        let file = try CaptureFile(path: capture)
        var progress = WriteProgress(of: file.info.bytes)
        let tally = try FolderExport(file).write(to: output) { progress.add($0) }
        progress.clear()
        Diagnostics.note(
            "\(output): \(TextLines.count(UInt64(tally.pages), "page")), "
                + TextLines.size(tally.bytes))
        if !file.info.isFinished {
            Diagnostics.note("the capture was cut off, and so is the manifest: it has no summary")
        }
    }
}
