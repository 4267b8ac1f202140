// SPDX-License-Identifier: MIT
import CoverageSuite
import Foundation
import Husk
import HuskTestSupport
import Testing

/// Every way in, in the real kernel: the programs of Tests/Fixtures/cases.
@Suite("Coverage", .needsProbes, .serialized)
struct CoverageTests {
    struct Run: Sendable, CustomTestStringConvertible {
        var item: CoverageCase
        var method: CopyMethod
        var testDescription: String { "\(item.name), \(method.rawValue)" }
    }

    private static let cases = (try? CoverageCase.all(in: BuildProducts.cases())) ?? []

    private static let runs = ProbeGate.copyMethods.flatMap { method in
        cases.map { Run(item: $0, method: method) }
    }

    @Test("the cases have been built")
    func built() throws {
        #expect(try CoverageCase.all(in: BuildProducts.cases()).count > 80)
    }

    @Test("nothing becomes executable unseen", arguments: runs)
    func verdict(_ run: Run) {
        let result = CaseRun(method: run.method, scaledDown: true).run(run.item)
        switch result.verdict {
        case .exact: break
        case .skipped: print("skipped: \(run.item.name): \(result.note ?? "")")
        case .reported:
            // What is reported has a reason that is known; with a task-work callback, one of the
            // few that are listed.
            let isKnown = CoverageCase.knownLimits[run.item.name] != nil
            #expect(isKnown || run.method == .syscallExit, "\(result.note ?? "")")
        case .missed, .failed:
            Issue.record(
                "\(result.verdict): \(result.exact) of \(result.truths), \(result.note ?? "")")
        }
    }

    private static let forTrapping = cases.filter(\.isForTrapping)

    struct TrapRun: Sendable, CustomTestStringConvertible {
        var item: CoverageCase
        var guardLimit: GuardReach
        var testDescription: String { "\(item.name), \(guardLimit.rawValue)" }
    }

    /// With all that there is, and as on Linux 5.19 to 6.3.
    private static let trapRuns = [GuardReach.allPages, .existingPages].flatMap { limit in
        forTrapping.map { TrapRun(item: $0, guardLimit: limit) }
    }

    @Test("with W^X enforced, every generation is caught before it runs", arguments: trapRuns)
    func trapped(_ trapRun: TrapRun) {
        let item = trapRun.item
        var run = CaseRun(scaledDown: true, rwx: .trap)
        run.guardLimit = trapRun.guardLimit
        let result = run.run(item)
        switch result.verdict {
        case .exact: #expect(result.note == nil)
        case .skipped: print("skipped: \(item.name): \(result.note ?? "")")
        case .reported, .missed, .failed:
            Issue.record(
                "\(result.verdict): \(result.exact) of \(result.truths), \(result.note ?? "")")
        }
    }

    /// Found by `make soak`: threads that had to wait for a processor were given their pages to
    /// write and to execute. It shows with most runs.
    @Test("with W^X enforced on a busy machine, nothing runs unseen", arguments: 1...3)
    func trappedWithoutAProcessor(_ run: Int) throws {
        let item = try #require(Self.cases.first { $0.name == "r08-threads" })
        var busy: [Running] = []
        // (They have inherited a mask in which SIGTERM may be blocked.)
        defer { for process in busy { process.signal(SIGKILL) } }
        for _ in 0...ProcessInfo.processInfo.activeProcessorCount {
            busy.append(try Running("/bin/sh", ["-c", "while :; do :; done"]))
        }
        let result = CaseRun(rwx: .trap).run(item)
        #expect(result.verdict == .exact, "\(result.exact) of \(result.truths)")
    }

    /// All of the reservation was gone through for data beside the code, while the target stood.
    @Test("with W^X enforced, 64 TiB of reserved memory hold no one", .timeLimit(.minutes(1)))
    func reservation() throws {
        let item = try #require(Self.cases.first { $0.name == "h07-huge-reservation" })
        #expect(CaseRun(scaledDown: true, rwx: .trap).run(item).verdict == .exact)
    }

    @Test("a packer's layers, who has made which, and where each was entered")
    func packer() throws {
        let item = try #require(Self.cases.first { $0.name == "r12-packer" })
        let evidence = try CaseRun(rwx: .trap).trace(item)
        #expect(evidence.status == .exited(0))
        var tracker = LayerTracker()
        for event in evidence.events { tracker.take(event) }
        let told = evidence.output.split(separator: "\n").filter { $0.hasPrefix("layer ") }
        #expect(told.count == 2)
        let layers = tracker.layers.map {
            "layer \($0.number) \($0.start) \($0.length) entry \($0.entry?.description ?? "-")"
        }
        #expect(layers == told.map(String.init))
        #expect(tracker.layers.map(\.parent) == [nil, 1])
        // The file has written the first one, and that has written the second.
        let writers = tracker.layers.map { $0.writer?.address }
        #expect(tracker.layers[0].writer?.backing.file?.name.escaped == "r12-packer")
        let first = tracker.layers[0]
        #expect(writers[1].map { first.start <= $0 && $0 < first.end } == true)
    }
}
