// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk
import HuskCapture

struct ExportPerfMap: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perf-map",
        abstract: "Names for code in memory, for perf(1) and tools that read its maps.",
        discussion: """
            One line START SIZE NAME for each executable region that is not a file's; the name has \
            the kind of code, the region's number in the capture, and the engine, if it is known. \
            perf looks for /tmp/perf-PID.map.

            EXAMPLES
              husk export perf-map sample.husk -o /tmp/perf-4242.map
              husk export perf-map --pid 4242 sample.husk
            """)

    @OptionGroup var options: ExportOptions

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Of this process. Needed if the capture has several.", valueName: "pid"))
    var pid: Int32?

    func run() throws {
        let file = try options.open()
        let process = try MomentOptions.process(pid, in: file)
        let path = options.outputPath(or: "perf-\(process.pid).map")
        let output = try OutputFile(path: path, replaces: options.force, of: options.capture)
        var count: UInt64 = 0
        try PerfMap(file, of: process).forEachLine {
            try output.write($0[...])
            count += 1
        }
        try output.finish()
        Diagnostics.note("\(path): \(TextLines.count(count, "region"))")
    }
}
