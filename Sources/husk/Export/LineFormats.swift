// SPDX-License-Identifier: MIT
import ArgumentParser
import Glibc
import Husk
import HuskCapture

/// Lines of a capture file: to standard output, or to a file that appears whole or not at all.
struct LineDestination {
    let options: ExportOptions

    /// - Parameter produce: gives lines to what it is given, until that says false: no one reads
    ///   them any more.
    func write(
        of file: CaptureFile,
        _ produce: (_ onProgress: (Int) -> Void, _ write: ([UInt8]) throws -> Bool) throws -> Void
    ) throws {
        guard let path = options.output else {
            let output = LineOutput.standardOutput
            // The write fails instead, and the end is Husk's own.
            signal(SIGPIPE, SIG_IGN)
            try produce({ _ in }, { output.write($0) })
            // A reader who has gone has had enough.
            guard output.error == 0 || output.error == EPIPE else {
                throw OutputError(cannot: "write", "the lines", errno: output.error)
            }
            return
        }
        let output = try OutputFile(path: path, replaces: options.force, of: options.capture)
        var progress = WriteProgress(of: file.info.bytes)
        try produce(
            { progress.add($0) },
            {
                try output.write($0[...])
                return true
            })
        try output.finish()
        progress.clear()
    }
}

struct ExportJSON: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "json",
        abstract: "JSON lines, as `--json` prints them while it traces.",
        discussion: """
            One object per line; docs/json.md has the keys. Of a capture that was cut off there is \
            no summary.

            EXAMPLES
              husk export json sample.husk | jq -c 'select(.type == "transition")'
              husk export json sample.husk -o lines.jsonl
            """)

    @OptionGroup var options: ExportOptions

    func run() throws {
        let file = try options.open()
        try LineDestination(options: options).write(of: file) { onProgress, write in
            try LineExport(file).write(onProgress: onProgress, to: write)
        }
    }
}

struct ExportOCSF: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ocsf",
        abstract: "JSON lines in OCSF 1.0.0: Memory Activity (class 1004).",
        discussion: """
            Each transition becomes an event: mmap, shmat, brk, execve: Allocate Page; mprotect: \
            Modify Page; munmap: Delete Page; write, and a look that found something new: Write; \
            code that is entered (--rwx trap): Other, Execute. What Husk has lost is a Base Event. \
            What OCSF has no place for is in `unmapped.husk`. docs/exports.md has the whole table.

            EXAMPLES
              husk export ocsf sample.husk -o events.jsonl
              husk export ocsf sample.husk | jq -c 'select(.activity_id == 2)'
            """)

    @OptionGroup var options: ExportOptions

    func run() throws {
        let file = try options.open()
        try LineDestination(options: options).write(of: file) { onProgress, write in
            try OCSFExport(file).write(onProgress: onProgress, to: write)
        }
    }
}

struct ExportECS: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ecs",
        abstract: "JSON lines in the fields of the Elastic Common Schema.",
        discussion: """
            Each line of `husk export json` but the layers and the summary becomes a document with \
            `@timestamp`, event.*, process.*, host.*, file.*, related.hash; what the schema has no \
            field for is under husk.*.

            EXAMPLES
              husk export ecs sample.husk -o events.jsonl
              husk export ecs sample.husk | jq -r '.related.hash[]?' | sort -u
            """)

    @OptionGroup var options: ExportOptions

    func run() throws {
        let file = try options.open()
        try LineDestination(options: options).write(of: file) { onProgress, write in
            try ECSExport(file).write(onProgress: onProgress, to: write)
        }
    }
}
