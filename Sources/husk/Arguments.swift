// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk

/// A span of time as people write it: `5`, `1.5`, `500ms`, `10s`, `2m`, `1h`.
struct TimeSpan: ExpressibleByArgument {
    let duration: Duration

    init?(argument: String) {
        let units: [(String, Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600)]
        let (suffix, factor) = units.first { argument.hasSuffix($0.0) } ?? ("", 1)
        guard let number = Double(argument.dropLast(suffix.count)), number.isFinite, number > 0,
            number * factor < 1e9
        else { return nil }
        duration = .milliseconds(Int64((number * factor * 1000).rounded(.up)))
    }
}

/// A number of bytes as people write it: `65536`, `64K`, `64M`, `1G`.
struct ByteSize: ExpressibleByArgument {
    let bytes: Int

    init?(argument: String) {
        let units: [(Character, Int)] = [("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30)]
        let unit = argument.last.flatMap { last in
            units.first { String($0.0) == last.uppercased() }
        }
        let digits = unit == nil ? argument[...] : argument.dropLast()
        guard let number = Int(digits), number > 0 else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: unit?.1 ?? 1)
        guard !overflow else { return nil }
        bytes = product
    }
}

/// The same, and `0` is allowed.
struct ByteBudget: ExpressibleByArgument {
    let bytes: UInt64

    init?(argument: String) {
        if argument == "0" {
            bytes = 0
        } else {
            guard let size = ByteSize(argument: argument) else { return nil }
            bytes = UInt64(size.bytes)
        }
    }
}

/// `--copy`: how pages are copied.
enum CopyChoice: String, ExpressibleByArgument, CaseIterable {
    case auto
    case taskWork = "task-work"
    case syscallExit = "syscall-exit"

    var method: CopyMethod? {
        switch self {
        case .auto: nil
        case .taskWork: .taskWork
        case .syscallExit: .syscallExit
        }
    }
}

/// `--probes`: where system calls are seen.
enum ProbesChoice: String, ExpressibleByArgument, CaseIterable {
    case auto
    case tracepoints
    case functions

    var kind: ProbeKind? { ProbeKind(rawValue: rawValue) }
}

/// `--rwx`: how memory is followed that is writable and executable.
enum RWXChoice: String, ExpressibleByArgument, CaseIterable {
    case observe
    case trap

    var mode: RWXMode { self == .trap ? .trap : .observe }
}

/// `--files`: what becomes of pages that are unchanged from disk.
enum FilesChoice: String, ExpressibleByArgument, CaseIterable {
    case store
    case reference
}

extension CaseIterable where Self: RawRepresentable<String> {
    /// All of them, as the value's name: manual pages do not list them otherwise.
    static var words: String { allCases.map(\.rawValue).joined(separator: "|") }
}

/// `--hide jit,file`.
struct HiddenKinds {
    let kinds: [RegionLabel.Kind]

    init(_ argument: String) throws {
        kinds = try argument.split(separator: ",").map { word in
            guard let kind = RegionLabel.Kind(rawValue: String(word)) else {
                let known = RegionLabel.Kind.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("'\(word)' is no kind of code; there are: \(known)")
            }
            return kind
        }
    }
}

/// The options that `run` and `attach` share.
struct TraceOptions: ParsableArguments {
    @Option(
        name: [.short, .customLong("output")],
        help: ArgumentHelp(
            "Keep the capture: in the capture file FILE, or as raw files in the folder DIR/.",
            discussion: """
                A capture file is one SQLite database that holds everything; `husk info`, `list`, \
                `show`, `analyze` and `export` ask it (docs/capture-format.md). In a folder (a \
                name that ends with a slash, or an existing one) each run of pages becomes \
                BASE_SHA256[:16].bin; manifest.jsonl tells what happened. The folder is made if \
                need be, and must be empty.
                """, valueName: "FILE|DIR/"))
    var output: String?

    @Flag(name: .long, help: "Replace the capture file if it exists.")
    var force = false

    @Flag(name: .long, help: "Print one JSON object per line (docs/json.md) instead of text.")
    var json = false

    @Option(
        name: .long,
        help: ArgumentHelp("Write the lines to FILE instead of printing them.", valueName: "file"))
    var log: String?

    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "End the trace after this time: 5, 500ms, 10s, 2m. `run` ends the command too.",
            valueName: "time"))
    var duration: TimeSpan?

    @Flag(name: [.short, .long], help: "Print nothing but errors.")
    var quiet = false

    @Flag(
        name: .long,
        help: ArgumentHelp(
            "Show a table of the regions that changed last, like top(1), instead of lines.",
            discussion: """
                Needs a terminal on standard error, and takes all of it until the trace ends, with \
                a new picture twice a second. With --log FILE the lines go there. Under `run`, \
                what the command prints on the same terminal is in the way until the next \
                picture: redirect it (`-- sh -c './sample >out'`). `!` marks what is writable and \
                executable.
                """))
    var live = false

    @Flag(
        name: .customLong("no-status"),
        help: ArgumentHelp(
            "Show no status line on a terminal while tracing.",
            discussion: """
                It has the bottom row, as long as Husk is in the foreground: for a command that \
                draws on the whole terminal, leave it out. If Husk is killed (SIGKILL), `reset` \
                gives the row back.
                """))
    var hidesStatus = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Show up to N instructions of each captured run of pages.", valueName: "n"))
    var disassemble = 0

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The ring buffer's size: a power of two from 64K to 1G.", valueName: "size"))
    var ringSize: ByteSize?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Capture at most N pages with content; the others are losses.", valueName: "n"))
    var maxPages: UInt64?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The same in bytes: 65536, 64K, 64M, 1G.", valueName: "size"))
    var maxBytes: ByteBudget?

    @Flag(
        name: .customLong("no-stall"),
        help: ArgumentHelp(
            "Never let the target wait for Husk: what finds no room is lost.",
            discussion: "Losses are recorded, and the status is 122 then."))
    var neverStalls = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How pages are copied; auto takes the best that the kernel allows.",
            valueName: CopyChoice.words))
    var copy = CopyChoice.auto

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Pages unchanged from a file on disk: store the bytes, or reference the file.",
            discussion: "A reference has the file, the offset and the SHA-256.",
            valueName: FilesChoice.words))
    var files = FilesChoice.store

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Memory that is writable and executable: observe it, or trap each execution.",
            discussion: """
                It changes with no system call. observe looks at it when code in it makes a \
                call or is found running, before it goes, and now and then. trap enforces W^X \
                with ptrace and captures every generation before it runs: exact and slower, \
                and the target can see it.
                """,
            valueName: RWXChoice.words))
    var rwx = RWXChoice.observe

    @Option(
        name: .long,
        help: ArgumentHelp(
            "CPU samples per second, to find running code that is writable; 0 takes none.",
            valueName: "hz"))
    var sampleRate = 99

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Where system calls are seen; auto takes what costs other processes least.",
            valueName: ProbesChoice.words))
    var probes = ProbesChoice.auto

    @Flag(
        name: .long, inversion: .prefixedNo,
        help: "Trace the children of the processes too, from their first instruction.")
    var follow = true

    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp(
            "Leave out lines about code of these kinds: file, kernel, jit, fileless.",
            discussion: "Separate several with commas. It is captured and counted all the same.",
            valueName: "kind"),
        transform: HiddenKinds.init)
    var hide: [HiddenKinds] = []

    /// What is printed line by line, or written to a file.
    var printsLines: Bool { log != nil || !quiet && !live }

    var hiddenKinds: Set<RegionLabel.Kind> { Set(hide.flatMap(\.kinds)) }

    func validate() throws {
        if live { try validateLive() }
        guard disassemble >= 0 else {
            throw ValidationError("--disassemble takes a number from 0 on.")
        }
        if let output, output.isEmpty { throw ValidationError("--output needs a name.") }
    }

    private func validateLive() throws {
        if quiet {
            throw ValidationError("--live shows a table, --quiet shows nothing: take one of them.")
        }
        if json, log == nil {
            throw ValidationError(
                "--live shows a table instead of lines: with --json, say where these go: "
                    + "--log FILE.")
        }
        guard TerminalScreen() != nil else {
            throw ValidationError(
                "--live needs a terminal on standard error, one that can move its cursor (TERM). "
                    + "Leave --live out to have lines.")
        }
    }

    /// What both limits allow.
    private var pageBudget: UInt64? {
        let pages = maxBytes.map { $0.bytes / 4096 }
        guard let pages, let maxPages else { return pages ?? maxPages }
        return min(pages, maxPages)
    }

    /// Where the capture goes, if it is kept.
    enum Destination {
        case folder(String)
        case file(String)
    }

    var destination: Destination? {
        output.map { $0.hasSuffix("/") || isFolder($0) ? .folder($0) : .file($0) }
    }

    /// What a capture file says of them.
    var described: [String: String] {
        var options: [String: String] = [
            "copy": copy.rawValue, "files": files.rawValue, "follow": String(follow),
            "probes": probes.rawValue, "rwx": rwx.rawValue, "sample_rate": String(sampleRate),
            "stall": String(!neverStalls),
        ]
        options["duration"] = duration.map { String(describing: $0.duration) }
        options["ring_size"] = ringSize.map { String($0.bytes) }
        options["page_budget"] = pageBudget.map(String.init)
        return options
    }

    func tracerConfiguration() -> Tracer.Configuration {
        var configuration = Tracer.Configuration()
        if let ringSize { configuration.ringSize = ringSize.bytes }
        configuration.neverStalls = neverStalls
        configuration.pageBudget = pageBudget
        configuration.copyMethod = copy.method
        configuration.probeKind = probes.kind
        configuration.referencesFiles = files == .reference
        configuration.followsChildren = follow
        configuration.sampleRate = sampleRate
        configuration.rwx = rwx.mode
        configuration.retainsPages = false
        configuration.givesUpCapabilities = true
        configuration.eventBufferLimit = 0
        return configuration
    }
}
