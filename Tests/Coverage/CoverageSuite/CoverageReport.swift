// SPDX-License-Identifier: MIT

/// The table of verdicts: docs/coverage.md.
public struct CoverageReport {
    private let columns: [(kernel: String, method: String, results: [CaseResult])]
    private let shares: [CodeShares]

    public init(
        _ columns: [(kernel: String, method: String, results: [CaseResult])],
        shares: [CodeShares] = []
    ) {
        self.columns = columns
        self.shares = shares
    }

    public var markdown: String {
        let names = Set(columns.flatMap { $0.results.map(\.name) }).sorted()
        var text = """
            # Coverage: every way in, case by case

            Made by `make coverage` (this machine) and `make kernels` (Debian's kernels in QEMU): do not edit. \
            Each case is a program in `Tests/Fixtures/cases` that prints what became executable in it: address, length \
            and SHA-256, each time. **exact**: every byte is in the capture, at its address, in order of generation. \
            **reported**: what is missing is told by the capture, with address and reason. **missed**: silence. \
            `-`: this machine cannot run the case.


            """
        text += "| case | " + columns.map { "\($0.kernel), \($0.method)" }.joined(separator: " | ")
        text += " |\n|---|" + String(repeating: "---|", count: columns.count) + "\n"
        for name in names {
            text += "| \(name) | " + columns.map { cell(name, $0.results) }.joined(separator: " | ")
            text += " |\n"
        }
        text += "\n" + summary + jitCode + "\n## Why some are reported\n\n" + reasons(names)
        return text
    }

    private var jitCode: String {
        guard !shares.isEmpty else { return "" }
        let runtimes = Set(shares.flatMap { $0.runtimes.map(\.name) }).sorted()
        var text = """

            ## How much of a JIT's code is held

            Each JIT tells its own code, and the capture is compared with it, byte by byte \
            (`Tools/jit-truth`, which says what counts). Share of the bytes, and of the code that \
            was there at the end (the goal in observe mode: 99 %).


            """
        text +=
            "| runtime | "
            + shares.map { "\($0.mode) | \($0.mode), at the end" }
            .joined(separator: " | ")
        text += " |\n|---|" + String(repeating: "---:|---:|", count: shares.count) + "\n"
        for name in runtimes {
            let found = shares.map { $0.runtimes.first { $0.name == name } }
            let version = found.lazy.compactMap { $0?.version }.first ?? ""
            text += "| \(name) \(version) | "
            text += found.map { "\(percent($0?.share)) | \(percent($0?.shareAtEnd))" }
                .joined(separator: " | ")
            text += " |\n"
        }
        return text
    }

    private func percent(_ share: Double?) -> String {
        guard let share else { return "-" }
        // Not all of it must not look like all of it.
        let hundredths = (share * 100).rounded(.down)
        return hundredths == 10000 ? "100 %" : "\(Double(hundredths) / 100) %"
    }

    private func cell(_ name: String, _ results: [CaseResult]) -> String {
        guard let result = results.first(where: { $0.name == name }) else { return "" }
        switch result.verdict {
        case .skipped: return "-"
        case .exact: return "exact"
        default: return "**\(result.verdict.rawValue)** \(result.exact)/\(result.truths)"
        }
    }

    private var summary: String {
        var text =
            "## Sums\n\n| kernel | exact | reported | missed | failed | not possible here |\n"
        text += "|---|---|---|---|---|---|\n"
        for column in columns {
            func count(_ verdict: Verdict) -> Int {
                column.results.count { $0.verdict == verdict }
            }
            text += "| \(column.kernel), \(column.method) | \(count(.exact)) | \(count(.reported)) "
            text += "| \(count(.missed)) | \(count(.failed)) | \(count(.skipped)) |\n"
        }
        return text
    }

    private func reasons(_ names: [String]) -> String {
        var text = ""
        for name in names {
            let notes = columns.compactMap { column -> String? in
                guard let result = column.results.first(where: { $0.name == name }),
                    result.verdict != .exact, let note = result.note
                else { return nil }
                return "\(column.kernel) (\(column.method)): \(note)"
            }
            guard !notes.isEmpty else { continue }
            text += "- **\(name)**: \(notes.joined(separator: "; ")).\n"
            if let limit = CoverageCase.knownLimits[name] { text += "  \(limit).\n" }
        }
        return text
    }
}
