// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk
import HuskCapture

struct ExportRegions: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "regions",
        abstract: "The memory of a process at one moment: files, and scripts for r2 and Ghidra.",
        discussion: """
            Each run of pages that the capture has of a region becomes a file \
            BASE_PROTECTION_SHA256[:16].bin; regions.json tells what they are and what is missing; \
            load.r2 (radare2, rizin) and ghidra_import.py put them where they were and go to the \
            entry. The folder must not exist yet, or be empty.

            EXAMPLES
              husk export regions sample.husk -o memory/
              husk export regions --at entry --pid 4242 sample.husk -o memory/
              cd memory && r2 -i load.r2 -
              jq -r '.regions[] | "\\(.start) \\(.protection) \\(.backing.kind)"' memory/regions.json
            """)

    @Argument(
        help: ArgumentHelp("The capture file.", valueName: "capture"), completion: .file())
    var capture: String

    @Option(
        name: [.short, .customLong("output")],
        help: ArgumentHelp("The folder to make.", valueName: "folder"), completion: .directory)
    var output: String

    @OptionGroup var moment: MomentOptions

    func run() throws {
        let file = try CaptureFile(path: capture)
        let (image, entry) = try moment.image(in: file)
        let memory = RegionFolder(image, entry: entry, contents: file)
        var progress = WriteProgress(of: memory.size)
        let summary = try memory.write(to: output) { progress.add($0) }
        progress.clear()
        Diagnostics.note(
            "\(output): \(TextLines.count(UInt64(summary.files), "file")), "
                + "\(TextLines.size(summary.bytes)), of "
                + TextLines.count(UInt64(summary.regions), "region"))
    }
}
