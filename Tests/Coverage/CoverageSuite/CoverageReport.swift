// SPDX-License-Identifier: MIT

/// The table of verdicts: docs/coverage.md.
public struct CoverageReport {
    private let columns: [(kernel: String, method: String, results: [CaseResult])]

    public init(_ columns: [(kernel: String, method: String, results: [CaseResult])]) {
        self.columns = columns
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
        text += "\n" + summary + "\n## Why some are reported\n\n" + reasons(names)
        return text
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
