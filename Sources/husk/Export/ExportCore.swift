// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk
import HuskAnalysis
import HuskCapture

struct ExportCore: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "core",
        abstract: "An ELF core file of a process, for gdb and others.",
        discussion: """
            The core has the process's mappings, the pages that the capture has of them at that \
            moment, and the registers of threads whose registers were captured (--rwx trap, then \
            also stack and data: `bt` works). What is not in the capture cannot be read in the \
            debugger; it is not zeros.

            EXAMPLES
              husk export core sample.husk -o core
              husk export core --at entry --pid 4242 sample.husk -o core
              gdb -q -core core -ex 'info proc mappings' -ex 'x/8i $rip'
            """)

    @OptionGroup var options: ExportOptions
    @OptionGroup var moment: MomentOptions

    func run() throws {
        let file = try options.open()
        let (image, _) = try moment.image(in: file)
        let core = try CoreFile(image, contents: file)
        let path = options.outputPath(or: "core.\(image.pid)")
        let output = try OutputFile(path: path, replaces: options.force, of: options.capture)
        var progress = WriteProgress(of: core.summary.size)
        try core.write { portion in
            try output.write(portion)
            progress.add(portion.count)
        }
        try output.finish()
        progress.clear()
        let summary = core.summary
        var text =
            "\(path): \(TextLines.count(UInt64(summary.segments), "segment")), "
            + "\(TextLines.size(summary.capturedBytes)) captured"
        text +=
            summary.threads == 0
            ? "; no registers: trace with --rwx trap to have them"
            : ", \(TextLines.count(UInt64(summary.threads), "thread"))"
        if summary.filledPages > 0 {
            text += "; \(TextLines.count(summary.filledPages, "page")) filled with zeros"
        }
        if summary.droppedPages > 0 {
            text += "; \(TextLines.count(summary.droppedPages, "page")) left out"
        }
        Diagnostics.note(text)
    }
}
