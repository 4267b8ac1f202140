// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk
import HuskAnalysis
import HuskCapture

/// `husk export FORMAT`: a capture file in the formats of other tools.
struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Turn a capture file into the formats that other tools read.",
        discussion: """
            Reads a capture file; needs no root, and not the machine on which it was made.

            EXAMPLES
              husk export core sample.husk -o core; gdb -q -core core
              husk export elf sample.husk -o unpacked; readelf -aW unpacked
              husk export pages sample.husk -o out/; husk verify out/
              husk export json sample.husk | jq -c 'select(.type == "layer")'
              husk export ocsf sample.husk -o events.jsonl
              husk export ecs sample.husk -o events.jsonl
              husk export perf-map sample.husk -o /tmp/perf-4242.map
              husk export regions sample.husk -o memory/; cd memory; r2 -i load.r2 -
            """,
        subcommands: [
            ExportCore.self, ExportELF.self, ExportPages.self, ExportJSON.self,
            ExportOCSF.self, ExportECS.self, ExportPerfMap.self, ExportRegions.self,
        ])
}

/// A capture file, and where what is made of it goes.
struct ExportOptions: ParsableArguments {
    @Argument(
        help: ArgumentHelp("The capture file.", valueName: "capture"), completion: .file())
    var capture: String

    @Option(
        name: [.short, .customLong("output")],
        help: ArgumentHelp("Where to write.", valueName: "path"), completion: .file())
    var output: String?

    @Flag(name: .long, help: "Replace what is written to if it exists.")
    var force = false

    func open() throws -> CaptureFile { try CaptureFile(path: capture) }

    /// A file that is a program or a core: never the terminal.
    func outputPath(or name: String) -> String { output ?? name }
}

/// Which process, and when.
struct MomentOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Of this process. Needed if the capture has several.", valueName: "pid"))
    var pid: Int32?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "At which moment: end, entry, or seconds since the trace began.",
            discussion: """
                end is the last one before the process ended. entry is when code in memory that \
                was made while it ran was entered for the first time (known with --rwx trap; \
                else, when the last new region became executable). Default: end.
                """, valueName: "moment"))
    var at = Moment.end

    enum Moment: ExpressibleByArgument {
        case end
        case entry
        case seconds(Double)

        init?(argument: String) {
            switch argument {
            case "end": self = .end
            case "entry": self = .entry
            default:
                guard let number = Double(argument), number >= 0, number < 1e9 else { return nil }
                self = .seconds(number)
            }
        }
    }

    /// The process that is meant.
    func process(in file: CaptureFile) throws -> StoredProcess {
        try Self.process(pid, in: file)
    }

    static func process(_ pid: Int32?, in file: CaptureFile) throws -> StoredProcess {
        let all = file.processes
        if let pid {
            // Numbers are given again: the last one that had it.
            guard let process = all.last(where: { $0.pid == pid }) else {
                throw CaptureFileError(
                    .notFound, "the capture has no process \(pid)",
                    hint: "`husk list processes \(file.path)` shows those that it has")
            }
            return process
        }
        guard let only = all.first else {
            throw CaptureFileError(.notFound, "the capture has no process")
        }
        guard all.count == 1 else {
            throw CaptureFileError(
                .notFound, "the capture has \(all.count) processes",
                hint: "name one with --pid: "
                    + all.prefix(8).map { String($0.pid) }.joined(separator: ", "))
        }
        return only
    }

    /// The memory that is meant, and where its code was entered, if that is known.
    func image(in file: CaptureFile) throws -> (image: ProcessImage, entry: Address?) {
        let process = try process(in: file)
        let entry = try file.entries(of: process.id).first
        switch at {
        case .end:
            return (try file.image(of: process.id), entry?.address)
        case .entry:
            let position = try entry?.position ?? file.lastBirth(in: process.id)
            return (try file.image(of: process.id, at: position), entry?.address)
        case .seconds(let seconds):
            let nanoseconds = UInt64(seconds * 1e9)
            let position = try file.position(at: nanoseconds)
            let past = entry.map { $0.position <= position } ?? false
            return (
                try file.image(of: process.id, at: position), past ? entry?.address : nil
            )
        }
    }
}
