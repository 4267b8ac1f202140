// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk
import HuskCapture

/// What `husk list` can list.
enum ListKind: String, CaseIterable {
    case regions, pages, generations, processes, layers, losses, transitions, executions

    /// The filters that mean something for it.
    var filters: Set<String> {
        let place: Set = ["--pid", "--address", "--time"]
        let kind: Set = ["--label", "--hide", "--min-size"]
        return switch self {
        case .regions, .pages, .generations, .transitions:
            place.union(kind).union(["--protection", "--sha256", "--generation"])
        case .layers: place.union(kind)
        case .losses, .executions: place
        case .processes: ["--pid"]
        }
    }
}

struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List what is in a capture file: its regions, or what else is named.",
        usage: "husk list [<what>] <file> [<options>]",
        discussion: """
            WHAT is one of:
              regions      executable memory, each from its birth to its end (the default)
              pages        each page each time that it was captured
              generations  each content of each page, with when it was seen first and last
              processes    of the trace
              layers       code that other code has made
              losses       what is not in the capture, and why
              transitions  each change of protection, attempts and looks included
              executions   code in writable memory that was about to run (--rwx trap)

            Times are seconds since the trace began. Region r12 of the list is what \
            `husk show r12 FILE` shows.

            EXAMPLES
              husk list sample.husk --hide file,kernel
              husk list pages sample.husk --address 7f2c0fcdd000-7f2c0fcde000 --time 0.5-1.2
              husk list pages sample.husk --sha256 a963 --json
              husk list generations sample.husk --pid 42 --protection wx
            """)

    @Argument(
        help: ArgumentHelp("What to list, and the capture file.", valueName: "what-and-file"),
        completion: .file())
    var words: [String]

    @OptionGroup(title: "Filters") var options: FilterOptions

    @Flag(name: .long, help: "Print one JSON object per line (docs/json.md).")
    var json = false

    func validate() throws {
        guard words.count <= 2 else { throw ValidationError("Unexpected argument '\(words[2])'") }
        if words.count == 2, ListKind(rawValue: words[0]) == nil {
            let known = ListKind.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("'\(words[0])' cannot be listed; there are: \(known)")
        }
        if words.count == 1, ListKind(rawValue: words[0]) != nil, !isFile(words[0]) {
            throw ValidationError("Missing expected argument '<file>'")
        }
        try options.check(kind.filters, for: kind.rawValue)
    }

    private var kind: ListKind {
        words.count == 2 ? ListKind(rawValue: words[0]) ?? .regions : .regions
    }

    func run() throws {
        let capture = try CaptureArgument.open(words[words.count - 1])
        let output = QuestionOutput()
        try CaptureList(capture, options.filter, json: json, output: output).write(kind)
        try output.finish()
    }
}

/// Writes lists.
struct CaptureList {
    private let capture: CaptureFile
    private let filter: CaptureFilter
    private let json: Bool
    private let output: QuestionOutput
    private let lines = JSONLines()

    init(_ capture: CaptureFile, _ filter: CaptureFilter, json: Bool, output: QuestionOutput) {
        self.capture = capture
        self.filter = filter
        self.json = json
        self.output = output
    }

    func write(_ kind: ListKind) throws {
        switch kind {
        case .regions: try regions()
        case .pages: try pages()
        case .generations: try generations()
        case .processes: processes()
        case .layers: try layers()
        case .losses: try losses()
        case .transitions: try transitions()
        case .executions: try executions()
        }
    }

    private func begin(_ columns: Columns) -> Columns {
        if !json { output.addHeader(columns.header) }
        return columns
    }

    private func clock(_ time: Timestamp) -> String { capture.info.clock(time) }

    private static func range(_ start: Address, _ length: UInt64) -> String {
        "\(start.hexadecimal)-\(start.advanced(by: length).hexadecimal)"
    }

    private func regions() throws {
        let columns = begin(
            Columns(
                ("REGION", -6), ("PID", -7), ("START-END", 25), ("SIZE", -9), ("NOW", 4),
                ("BORN", -11), ("GONE", -11), ("PAGES", -7), ("GEN", -5), ("LABEL", 8),
                ("BACKING", 1)))
        try capture.forEachRegion(filter) { region in
            if json { return output.add(lines.line(region)) }
            let life = region.life
            return output.add(
                columns.line([
                    "r\(life.id)", "\(life.task.pid)", Self.range(life.start, life.length),
                    TextLines.size(life.length), life.protection.description, clock(life.born),
                    life.gone.map(clock) ?? "-", "\(region.snapshots)", "\(region.generation)",
                    life.label?.kind.rawValue ?? "-", TextLines.backing(life.backing),
                ]))
        }
    }

    private func pages() throws {
        let columns = begin(
            Columns(
                ("TIME", -11), ("PID", -7), ("REGION", -6), ("ADDRESS", 16), ("NOW", 4),
                ("GEN", -5), ("BY", 16), ("READER", 15), ("SHA256", 16)))
        try capture.forEachSnapshot(filter) { snapshot in
            if json { return output.add(lines.line(snapshot)) }
            let page = snapshot.page
            var reader = ""
            var digest = ""
            switch page.body {
            case .content(let content, let by):
                reader = by.rawValue
                digest = String(content.digest.hexadecimal.prefix(16))
            case .unreadable(let reason, _): digest = "unreadable: \(reason.rawValue)"
            }
            return output.add(
                columns.line([
                    clock(page.time), "\(page.task.pid)", snapshot.region.map { "r\($0)" } ?? "-",
                    page.address.hexadecimal, page.protectionAfter.description,
                    "\(page.generation)", page.kind.rawValue, reader, digest,
                ]))
        }
    }

    private func generations() throws {
        let columns = begin(
            Columns(
                ("PID", -7), ("REGION", -6), ("ADDRESS", 16), ("GEN", -5), ("FIRST", -11),
                ("LAST", -11), ("TIMES", -6), ("SHA256", 16)))
        try capture.forEachGeneration(filter) { found in
            if json { return output.add(lines.line(found)) }
            return output.add(
                columns.line([
                    "\(found.pid)", found.region.map { "r\($0)" } ?? "-", found.address.hexadecimal,
                    "\(found.generation)", clock(found.first), clock(found.last),
                    "\(found.snapshots)", String(found.digest.hexadecimal.prefix(16)),
                ]))
        }
    }

    private func processes() {
        let columns = begin(
            Columns(
                ("PID", -7), ("PARENT", -7), ("STARTED", -11), ("ENDED", -11), ("STATUS", 10),
                ("NAME", 1)))
        for process in capture.processes where filter.pid.map({ $0 == process.pid }) ?? true {
            let parent = process.parent.flatMap(capture.process)
            let isRead =
                json
                ? output.add(lines.line(process, parent: parent, info: capture.info))
                : output.add(
                    columns.line([
                        "\(process.pid)", parent.map { "\($0.pid)" } ?? "-",
                        process.started.map { clock(capture.info.timestamp($0)) } ?? "-",
                        process.ended.map { clock(capture.info.timestamp($0)) } ?? "-",
                        process.status.map(Self.status) ?? "-", process.name?.escaped ?? "-",
                    ]))
            guard isRead else { return }
        }
    }

    private static func status(_ status: UInt32) -> String {
        status & 0x7F == 0 ? "\(status >> 8 & 0xFF)" : "signal \(status & 0x7F)"
    }

    private func layers() throws {
        let columns = begin(
            Columns(
                ("ID", -5), ("LAYER", -5), ("OF", -5), ("PID", -7), ("START-END", 25),
                ("SIZE", -9), ("TIME", -11), ("ENTRY", 12), ("LABEL", 8), ("MADE BY", 1)))
        for layer in try capture.layers() where isWanted(layer) {
            let isRead =
                json
                ? output.add(lines.line(layer))
                : output.add(
                    columns.line([
                        "\(layer.id)", "\(layer.number)", layer.parent.map { "\($0)" } ?? "-",
                        "\(layer.task.pid)", Self.range(layer.start, layer.length),
                        TextLines.size(layer.length), clock(layer.time),
                        layer.entry?.hexadecimal ?? "-", layer.label?.kind.rawValue ?? "-",
                        (layer.writer ?? layer.requester).map(TextLines.site) ?? "-",
                    ]))
            guard isRead else { return }
        }
    }

    private func isWanted(_ layer: Layer) -> Bool {
        if let pid = filter.pid, pid != layer.task.pid { return false }
        if let range = filter.addresses,
            layer.start >= range.upperBound || layer.end <= range.lowerBound
        {
            return false
        }
        if let size = filter.minimumSize, layer.length < size { return false }
        if let label = layer.label?.kind, filter.hiddenLabels.contains(label) { return false }
        if !filter.labels.isEmpty, !filter.labels.contains(where: { $0 == layer.label?.kind }) {
            return false
        }
        return capture.matches(layer.time, filter)
    }

    private func losses() throws {
        let columns = begin(
            Columns(
                ("TIME", -11), ("PID", -7), ("CAUSE", 17), ("START-END", 25), ("SIZE", -9),
                ("COUNT", -6)))
        try capture.forEachLoss(filter) { loss in
            if json { return output.add(lines.line(.loss(loss)) ?? []) }
            return output.add(
                columns.line([
                    clock(loss.time), loss.task.map { "\($0.pid)" } ?? "-", loss.cause.rawValue,
                    loss.start.map { Self.range($0, loss.length) } ?? "-",
                    TextLines.size(loss.length), "\(loss.count)",
                ]))
        }
    }

    private func transitions() throws {
        var text = TextLines(
            usesColour: output.takesColour, instructions: 0,
            origin: capture.info.timestamp(capture.info.started))
        try capture.forEachTransitionSummary(filter) { transition in
            output.add(json ? lines.line(transition) : text.line(transition))
        }
    }

    private func executions() throws {
        let columns = begin(
            Columns(
                ("TIME", -11), ("PID", -7), ("TID", -7), ("ADDRESS", 16), ("REGION", 25),
                ("COUNT", -6), ("WRITTEN BY", 1)))
        try capture.forEachExecution(filter) { execution in
            if json { return output.add(lines.line(.execution(execution)) ?? []) }
            return output.add(
                columns.line([
                    clock(execution.time), "\(execution.task.pid)", "\(execution.task.tid)",
                    execution.address.hexadecimal,
                    "\(execution.region.lowerBound.hexadecimal)"
                        + "-\(execution.region.upperBound.hexadecimal)",
                    "\(execution.sequence)", execution.writer.map(TextLines.site) ?? "-",
                ]))
        }
    }
}
