// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk

struct Attach: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Trace processes that run already.",
        discussion: """
            Traces all threads of the processes named, until they have ended, the time is up \
            or Ctrl-C is pressed. The processes are not stopped, and go on afterwards.

            Lines go to standard output, notes and the summary to standard error. On a terminal \
            the bottom row shows how the trace goes; --live shows a table of regions instead.

            EXAMPLES
              husk attach 4242
              husk attach --live --hide file,kernel 4242
              husk attach --duration 10s -o out/ $(pidof java)
            """)

    @OptionGroup var options: TraceOptions

    @Flag(name: .long, help: "Trace the descendants that the processes have already, too.")
    var tree = false

    @Flag(
        name: .long, inversion: .prefixedNo,
        help: "Capture what is executable already, too.")
    var present = true

    @Argument(help: ArgumentHelp("The processes' IDs.", valueName: "pid"))
    var pids: [String]

    func run() throws {
        var named: Set<Int32> = []
        let numbers = try pids.map { text in
            guard let number = Int32(text) else {
                throw HuskError(
                    .invalidPID, "\(text) is not a process ID",
                    hint: "a process ID is a number from 1 on; `ps -e` lists them")
            }
            return number
        }.filter { named.insert($0).inserted }
        let session = try TraceSession(
            options, lines: options.log.map { try LineOutput(path: $0) } ?? .standardOutput,
            title: (numbers.count == 1 ? "process " : "processes ")
                + numbers.map(String.init).joined(separator: ", "))
        throw try session.attach(numbers, wholeTree: tree, present: present)
    }
}
