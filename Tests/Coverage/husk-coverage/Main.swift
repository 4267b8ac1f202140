// SPDX-License-Identifier: MIT
// husk-coverage: runs the cases of Tests/Fixtures/cases under Husk and tells the verdicts.
import ArgumentParser
import CoverageSuite
import Foundation
import Husk

@main
struct CoverageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "husk-coverage",
        abstract: "Run the cases under Husk and compare the captures with their ground truth.",
        subcommands: [RunCases.self, WriteReport.self], defaultSubcommand: RunCases.self)
}

/// What one machine has said, for the report.
struct Verdicts: Codable {
    var kernel: String
    var method: String
    var results: [CaseResult]
}

struct RunCases: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the cases of a folder; status 1 if any is missed.")

    @Option(help: "How pages are copied: task-work or syscall-exit; else the best there is.")
    var copy: String?

    @Option(help: "Where system calls are seen: tracepoints or functions; else the best there is.")
    var probes: String?

    @Option(help: "Memory that is writable and executable: observe or trap.")
    var rwx = "observe"

    @Option(help: "What trap keeps by guards at most: none, existing-pages or all-pages.")
    var guards = GuardReach.allPages.rawValue

    @Option(help: "Write the verdicts to this file, for `report`.")
    var json: String?

    @Flag(help: "Give the large cases less to do.")
    var small = false

    @Argument(help: "The folder that Tools/build-cases has filled.")
    var folder: String

    @Argument(help: "Only cases whose names begin so.")
    var prefixes: [String] = []

    func run() throws {
        let report = SystemReport()
        guard let best = report.copyMethod else {
            print("husk-coverage: Husk cannot trace here")
            for check in report.checks where check.status == .missing {
                print("  \(check.name): \(check.detail)")
            }
            throw ExitCode(121)
        }
        let method = copy.flatMap(CopyMethod.init(rawValue:))
        let kind = probes.flatMap(ProbeKind.init(rawValue:))
        guard let rwx = RWXMode(rawValue: rwx) else {
            throw ValidationError("--rwx is observe or trap.")
        }
        guard let guards = GuardReach(rawValue: guards) else {
            throw ValidationError("--guards is none, existing-pages or all-pages.")
        }
        var run = CaseRun(method: method, probes: kind, scaledDown: small, rwx: rwx)
        run.guardLimit = guards
        let cases = try CoverageCase.all(in: folder).filter { item in
            // (Those that look for a tracer find one in trap mode, and say so.)
            (rwx != .trap || !item.seesTracers)
                && (prefixes.isEmpty || prefixes.contains { item.name.hasPrefix($0) })
        }
        var results: [CaseResult] = []
        for item in cases {
            let result = run.run(item)
            results.append(result)
            let name = item.name.padding(toLength: 28, withPad: " ", startingAt: 0)
            let verdict = result.verdict.rawValue.padding(
                toLength: 9, withPad: " ", startingAt: 0)
            print(
                "\(verdict) \(name) \(result.exact)/\(result.truths) "
                    + "\(String(format: "%.1f s", result.seconds)) \(result.note ?? "")")
            fflush(nil)
        }
        if let json {
            let verdicts = Verdicts(
                kernel: report.kernel,
                method: (method ?? best).rawValue + ", "
                    + ((kind ?? report.probeKind)?.rawValue ?? "")
                    + (rwx == .trap ? ", trap" : ""), results: results)
            try JSONEncoder().encode(verdicts).write(to: URL(fileURLWithPath: json))
        }
        let bad = results.count { $0.verdict == .missed || $0.verdict == .failed }
        print("\(results.count - bad) passed, \(bad) failed")
        if bad > 0 { throw ExitCode(1) }
    }
}

struct WriteReport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Print docs/coverage.md from the files of `run --json`.")

    @Argument var files: [String]

    @Option(
        help: """
            A file of `Tools/jit-truth/run --json`, named for the mode of --rwx: observe.jsonl. \
            Can be repeated.
            """)
    var jit: [String] = []

    func run() throws {
        let columns = try files.map { file in
            try JSONDecoder().decode(
                Verdicts.self, from: Data(contentsOf: URL(fileURLWithPath: file)))
        }
        let shares = try jit.map { try CodeShares(URL(fileURLWithPath: $0)) }
        print(
            CoverageReport(columns.map { ($0.kernel, $0.method, $0.results) }, shares: shares)
                .markdown)
    }
}
