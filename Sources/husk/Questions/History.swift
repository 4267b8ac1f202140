// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk
import HuskCapture

struct History: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "timeline",
        abstract: "Tell what happened, line by line, as `husk run` told it.",
        discussion: """
            Transitions, programs, starts and ends of processes, labels, executions, losses, in \
            the order in which they were told. Times are seconds since the trace began.

            EXAMPLES
              husk timeline sample.husk --hide file,kernel
              husk timeline sample.husk --time 0.5-1.2 --json
            """)

    @OptionGroup var capture: CaptureArgument

    @OptionGroup(title: "Filters") var options: FilterOptions

    @Flag(name: .long, help: "Print one JSON object per line (docs/json.md).")
    var json = false

    func run() throws {
        let file = try capture.open()
        let output = QuestionOutput()
        let lines = JSONLines()
        var text = TextLines(
            usesColour: output.takesColour, instructions: 0,
            origin: file.info.timestamp(file.info.started))
        try file.forEachHappening(options.filter) { happening in
            if json { return output.add(lines.line(happening) ?? []) }
            switch happening {
            case .transition(let transition):
                return transition.transition.isView || output.add(text.line(transition))
            case .event(let event): return output.add(text.line(event) ?? [])
            }
        }
        try output.finish()
    }
}
