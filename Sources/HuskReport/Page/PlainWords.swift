// SPDX-License-Identifier: MIT
internal import HuskCapture
internal import HuskModel

/// A capture in some sentences: what happened, what is notable, whether something is missing.
struct PlainWords {
    enum Tone: String {
        case plain, good, bad, open
    }

    struct Sentence {
        var tone: Tone
        var text: String
    }

    private let info: CaptureInfo
    private let overview: OverviewDocument
    private let analysis: AnalysisRecord?
    private let ignoresLog: Bool
    private let processCount: UInt64
    private let holdings: ReportWriter.Outcome?

    /// - Parameter holdings: what a report has of the contents; nil: all can be looked at.
    init(
        _ documents: CaptureDocuments, _ overview: OverviewDocument,
        holdings: ReportWriter.Outcome?
    ) {
        info = documents.file.info
        analysis = documents.analysis
        ignoresLog = documents.file.ignoresLog
        processCount = UInt64(documents.file.processes.count)
        self.overview = overview
        self.holdings = holdings
    }

    var sentences: [Sentence] {
        [what, made, notable, cut, rules, missing, unseen, blind, held].compactMap { $0 }
    }

    var completeness: Sentence {
        let pages = "\(info.pages) of \(Wording.count(info.expectedPages, "page"))"
        if !info.isFinished {
            return Sentence(tone: .open, text: "unfinished: \(info.pages) pages so far")
        }
        return isWhole
            ? Sentence(tone: .good, text: "complete: \(pages)")
            : Sentence(tone: .bad, text: "INCOMPLETE: \(pages)")
    }

    /// As it says, and as its own numbers say.
    private var isWhole: Bool { info.isCompleteByItsNumbers && !lacksPages }

    /// The capture does not have the pages that it says it has.
    private var lacksPages: Bool {
        info.isFinished && holdings.map { $0.pages != info.pages } ?? false
    }

    /// Regions with a life of their own; the capture's own sum counts ranges that were changed.
    var regionCount: UInt64 { UInt64(overview.regions.count + overview.omitted.regions) }

    // MARK: Sentences

    private var what: Sentence {
        let subject =
            info.command.map { "the command \(Self.shortened($0))" }
            ?? (processCount == 1
                ? "process \(overview.processes[0].pid)"
                : Wording.count(processCount, "process", "processes"))
        let duration = overview.capture.duration.map { " for \(Self.seconds($0)) s" } ?? ""
        var text = "Husk traced \(subject)\(duration) on \(info.host) (Linux \(info.kernel))"
        if let code = info.targetExitCode { text += "; it ended with status \(code)" }
        if let signal = info.targetSignal { text += "; it was ended by signal \(signal)" }
        if !info.isFinished {
            text += ". The trace still ran, or was cut off, when this was read"
        }
        return Sentence(tone: .plain, text: text + ".")
    }

    private var made: Sentence {
        let regions = regionCount
        guard regions > 0 else {
            return Sentence(tone: .plain, text: "Nothing became executable while it was traced.")
        }
        return Sentence(
            tone: .plain,
            text: "\(Wording.count(regions, "region")) of memory of "
                + "\(Wording.count(processCount, "process", "processes")) "
                + (regions == 1 ? "was" : "were") + " executable at some time; "
                + "\(Wording.count(info.pages, "page")) of code (\(Wording.size(info.bytes))) "
                + "\(info.pages == 1 ? "was" : "were") captured.")
    }

    private var notable: Sentence {
        guard let analysis else {
            return Sentence(
                tone: .open, text: "The capture has not been analyzed: no findings are known.")
        }
        let kinds = analysis.findings.filter { $0.importance == "notable" }.map(\.kind)
        guard !kinds.isEmpty else {
            guard !analysis.isCut, analysis.suppressed == 0 else {
                return Sentence(
                    tone: .open, text: "Nothing notable was found in what was looked at.")
            }
            let jit =
                analysis.explainedByJIT > 0
                ? " " + Wording.count(UInt64(analysis.explainedByJIT), "region")
                    + " of JIT compilers would have been, but for their maker." : ""
            return Sentence(tone: .good, text: "Nothing notable was found.\(jit)")
        }
        var counts: [String: UInt64] = [:]
        var order: [String] = []
        for kind in kinds {
            if counts[kind] == nil { order.append(kind) }
            counts[kind, default: 0] += 1
        }
        let limit = 16
        var parts = order.prefix(limit).map { kind in
            Self.phrase(kind) + (counts[kind].map { $0 > 1 ? " (\($0) times)" : "" } ?? "")
        }
        if order.count > limit { parts.append("\(order.count - limit) other kinds") }
        let depth = overview.layers.filter { $0.region != nil }.map(\.number).max() ?? 0
        let layers = depth > 1 ? " Code made code: \(depth) layers deep." : ""
        return Sentence(
            tone: .bad,
            text: Wording.count(UInt64(kinds.count), "notable finding") + ": "
                + parts.joined(separator: "; ") + ".\(layers)")
    }

    private var cut: Sentence? {
        guard let analysis, analysis.isCut || analysis.suppressed > 0 else { return nil }
        let more = analysis.suppressed > 0 ? " \(analysis.suppressed) findings are not told." : ""
        return Sentence(
            tone: .bad,
            text: analysis.isCut
                ? "NOT ALL was looked at: it was too much, or took too long.\(more)"
                : "More was found than is told.\(more)")
    }

    private var unseen: Sentence? {
        guard ignoresLog else { return nil }
        return Sentence(
            tone: .bad,
            text: "The log beside the capture could not be used: its last batches are not seen.")
    }

    /// What a report has of the contents.
    private var held: Sentence? {
        guard let holdings, holdings.pages > 0 else { return nil }
        var text = "Of \(Wording.count(holdings.pages, "captured page")) "
        text += "\(holdings.held) can be looked at in this file"
        if holdings.ofFiles > 0 {
            text += "; \(holdings.ofFiles) hold code of files as it is on disk"
        }
        if holdings.left > 0 { text += "; \(holdings.left) did not fit" }
        return Sentence(tone: .plain, text: text + ".")
    }

    private var rules: Sentence? {
        guard let analysis, analysis.rules != nil else { return nil }
        let names = Set(analysis.matches.map(\.rule)).sorted()
        guard !names.isEmpty else { return Sentence(tone: .plain, text: "No YARA rule matched.") }
        let shown = names.prefix(8).map { CaptureDocuments.brief($0, limit: 128) }
        return Sentence(
            tone: .bad,
            text: "\(Wording.count(UInt64(names.count), "YARA rule")) matched: "
                + shown.joined(separator: ", ")
                + (names.count > shown.count ? ", ..." : "") + ".")
    }

    private var missing: Sentence? {
        if info.isFinished, isWhole {
            return Sentence(
                tone: .good,
                text: "Nothing was lost: each page that became executable was captured, byte for "
                    + "byte.")
        }
        if info.contradictsItself || lacksPages {
            return Sentence(
                tone: .bad,
                text: "The capture says that it is complete, and its own numbers say otherwise: "
                    + "do not trust it. `husk verify` tells more.")
        }
        guard info.lost > 0 || info.unreadable > 0 || !info.losses.isEmpty || info.isFinished else {
            return nil
        }
        var parts = info.losses.sorted { $0.key < $1.key }.map { "\($0.value) lost (\($0.key))" }
        if info.unreadable > 0 { parts.append("\(info.unreadable) unreadable") }
        return Sentence(
            tone: .bad,
            text: "Something is missing: "
                + (parts.isEmpty ? "see the losses" : parts.joined(separator: ", ")) + ".")
    }

    private var blind: Sentence? {
        guard info.blindSpots > 0 else { return nil }
        let regions =
            "\(Wording.count(info.blindSpots, "region")) could change without a system call"
        if info.options["rwx"] == "trap" {
            return Sentence(
                tone: .plain,
                text: regions + ": what was about to run in them was captured first (--rwx trap).")
        }
        return Sentence(
            tone: .open,
            text: "\(regions). Husk looked at them \(Wording.count(info.looks, "time")); "
                + "what they held between two looks is not known.")
    }

    // MARK: Words

    static func shortened(_ command: [String]) -> String {
        CaptureDocuments.brief(
            command.prefix(64).map(ShellWord.quoted).joined(separator: " "), limit: 160)
    }

    static func seconds(_ nanoseconds: UInt64) -> String {
        let fraction = String(nanoseconds / 1_000_000 % 1000)
        return "\(nanoseconds / 1_000_000_000)."
            + String(repeating: "0", count: 3 - fraction.count) + fraction
    }

    private static func phrase(_ kind: String) -> String {
        switch kind {
        case "written-then-executable": "memory was written, then made executable"
        case "deeper-layer": "code that was made at run time made more code"
        case "writable-and-executable": "memory was writable and executable at once"
        case "fileless-program": "a program that is on no disk was executed"
        case "fileless-mapping": "code of a file that is on no disk was mapped"
        case "image-in-memory": "an ELF or PE image lies in memory"
        case "foreign-write": "another process wrote into code"
        case "own-write": "a process wrote into its own protected code"
        case "text-rewritten": "the code of a file was changed in memory"
        case "vdso-changed": "the kernel's code in a process was changed"
        case "dual-mapping": "one memory was writable in one place and executable in another"
        case "executable-stack": "a stack was made executable"
        case "executable-heap": "a heap was made executable"
        case "decrypted": "bytes that looked encrypted became code"
        case "executed-while-writable": "code was about to run in writable memory"
        default: kind
        }
    }
}
