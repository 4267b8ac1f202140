// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk

import func Glibc.strlen

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start a command and trace it from its first instruction.",
        discussion: """
            The command keeps its standard input, output and error, and Husk ends with its \
            exit status. Husk's own lines go to standard error, with --json to standard \
            output; --log FILE keeps them apart from the command's. On a terminal the bottom \
            row shows how the trace goes; --live shows a table of regions instead of lines.

            Ctrl-C ends the command and then the trace: after 5 seconds with SIGTERM, after \
            2 more with SIGKILL. What was captured is kept. A reader of the lines who pauses \
            (a pager) is waited for; after Ctrl-C for 2 seconds (10, if it is slow), or \
            until Ctrl-C is pressed again.

            EXAMPLES
              husk run -- ./sample --its-own-option
              husk run -o sample.husk -- ./sample
              husk run -o out/ --disassemble 8 -- ./sample
              husk run --user nobody --no-network -o sample.husk -- ./sample
              husk run --live -- sh -c 'node app.js >out'
              husk run --json --log events.jsonl -- node app.js
            """)

    @OptionGroup var options: TraceOptions
    @OptionGroup(title: "Containment (not a promise: samples belong into a virtual machine)")
    var containment: ContainmentOptions

    @Argument(
        parsing: .captureForPassthrough,
        help: ArgumentHelp("The command and its arguments.", valueName: "command"))
    var command: [String]

    /// The last arguments of the process as the bytes that they are: a String would replace
    /// those that are no UTF-8.
    private static func rawTail(of arguments: [String]) -> [[UInt8]] {
        let count = Int(CommandLine.argc)
        // Safe: argv has argc entries, which stay for as long as the process.
        return ((count - arguments.count)..<count).map { index in
            CommandLine.unsafeArgv[index].map {
                Array(UnsafeRawBufferPointer(start: $0, count: strlen($0)))
            }
                ?? []
        }
    }

    func run() throws {
        // captureForPassthrough takes everything from the first word that is no option of
        // Husk's, `--` and mistyped options included.
        if command.first == "--help" || command.first == "-h" { throw CleanExit.helpRequest(self) }
        if let first = command.first, first.hasPrefix("-"), first != "--" {
            throw ValidationError("Unknown option '\(first)'")
        }
        let arguments = command.first == "--" ? Array(command.dropFirst()) : command
        guard !arguments.isEmpty else {
            throw ValidationError("Missing expected argument '<command> ...'")
        }
        let lines: LineOutput = options.json ? .standardOutput : .standardError
        let words = Self.rawTail(of: arguments)
        let contained = try containment.contain(words)
        let session = try TraceSession(
            options, lines: options.log.map { try LineOutput(path: $0) } ?? lines,
            title: words.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " "),
            command: words)
        let outcome = try session.run(contained)
        throw ExitCode(outcome)
    }
}
