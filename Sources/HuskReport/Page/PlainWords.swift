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

    init(_ documents: CaptureDocuments, _ overview: OverviewDocument) {
        info = documents.file.info
        analysis = documents.analysis
        self.overview = overview
    }

    var sentences: [Sentence] {
        [what, made, notable, rules, missing, blind].compactMap { $0 }
    }

    var completeness: Sentence {
        let pages = "\(info.pages) of \(Wording.count(info.expectedPages, "page"))"
        if !info.isFinished {
            return Sentence(tone: .open, text: "unfinished: \(info.pages) pages so far")
        }
        return info.isComplete == true
            ? Sentence(tone: .good, text: "complete: \(pages)")
            : Sentence(tone: .bad, text: "INCOMPLETE: \(pages)")
    }

    /// Regions with a life of their own; the capture's own sum counts ranges that were changed.
    var regionCount: UInt64 { UInt64(overview.regions.count + overview.omitted.regions) }

    // MARK: Sentences

    private var what: Sentence {
        let subject =
            info.command.map { "the command \(Self.shortened($0))" }
            ?? (overview.processes.count == 1
                ? "process \(overview.processes[0].pid)"
                : Wording.count(UInt64(overview.processes.count), "process", "processes"))
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
        let processes = UInt64(overview.processes.count)
        return Sentence(
            tone: .plain,
            text: "\(Wording.count(regions, "region")) of memory of "
                + "\(Wording.count(processes, "process", "processes")) "
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
            let jit =
                analysis.explainedByJIT > 0
                ? " " + Wording.count(UInt64(analysis.explainedByJIT), "region")
                    + " of JIT compilers would have been, but for their maker." : ""
            return Sentence(tone: .good, text: "Nothing notable was found.\(jit)")
        }
        var counts: [(kind: String, count: UInt64)] = []
        for kind in kinds {
            if let known = counts.firstIndex(where: { $0.kind == kind }) {
                counts[known].count += 1
            } else {
                counts.append((kind, 1))
            }
        }
        let parts = counts.map {
            "\(Self.phrase($0.kind))\($0.count > 1 ? " (\($0.count) times)" : "")"
        }
        let depth = overview.layers.filter { $0.region != nil }.map(\.number).max() ?? 0
        let layers = depth > 1 ? " Code made code: \(depth) layers deep." : ""
        return Sentence(
            tone: .bad,
            text: "\(Wording.count(UInt64(kinds.count), "notable finding")): "
                + parts.joined(separator: "; ") + ".\(layers)")
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
        if info.isFinished, info.isComplete == true {
            return Sentence(
                tone: .good,
                text: "Nothing was lost: each page that became executable is here, byte for byte.")
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
