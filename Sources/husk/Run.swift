// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start a command and trace it from its first instruction.",
        discussion: """
            The command keeps its standard input, output and error, and Husk ends with its \
            exit status. Husk's own lines go to standard error, with --json to standard \
            output; --log FILE keeps them apart from the command's.

            Ctrl-C ends the command and then the trace: after 5 seconds with SIGTERM, after \
            2 more with SIGKILL. What was captured is kept.

            EXAMPLES
              husk run -- ./sample --its-own-option
              husk run -o out/ --disassemble 8 -- ./sample
              husk run --json --log events.jsonl -- node app.js
            """)

    @OptionGroup var options: TraceOptions

    @Argument(
        parsing: .captureForPassthrough,
        help: ArgumentHelp("The command and its arguments.", valueName: "command"))
    var command: [String]

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
        let session = try TraceSession(
            options, lines: options.log.map { try LineOutput(path: $0) } ?? lines)
        let outcome = try session.run(arguments)
        throw ExitCode(outcome)
    }
}
