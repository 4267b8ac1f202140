// SPDX-License-Identifier: MIT
import Foundation
import HuskCapture
import HuskModel
import HuskTestSupport
import ModelSamples
import Testing

@testable import HuskReport

/// Captures that someone has changed, and captures with more than a page shows: nothing is told as
/// better than it is, and nothing is left out without a word.
@Suite("reports of captures that lie")
struct ContradictionTests {
    private func change(_ capture: SampleCapture, _ sql: String) throws {
        let outcome = try Running("sqlite3", [capture.path, sql]).finish()
        try #require(outcome.status == 0, "\(outcome.errors)")
    }

    @Test(
        "one that says it is complete, and whose numbers say otherwise, is not told as complete",
        arguments: [
            "UPDATE capture SET lost = 50", "UPDATE capture SET unreadable = 7",
            "UPDATE capture SET expected_pages = 5000",
            "INSERT INTO loss_sum VALUES ('ring-full', 3)",
            "DELETE FROM transition WHERE position = (SELECT min(transition) FROM snapshot)",
            "DELETE FROM snapshot WHERE position = (SELECT min(position) FROM snapshot)",
        ])
    func complete(sql: String) throws {
        let capture = try SampleCapture(SampleCapture.unpacking())
        #expect(try capture.report().html.contains("complete: 2 of 2 pages"))
        try change(capture, sql)
        let html = try capture.report().html
        #expect(html.contains("INCOMPLETE: "))
        #expect(!html.contains("Nothing was lost: each page"))
        #expect(html.contains("its own numbers say otherwise"))
        if sql.contains("UPDATE") {
            #expect(try husk("info", capture.path).output.contains("NOT AS IT SAYS"))
        }
    }

    @Test("an analysis that was cut, or tells not all, is no good news")
    func cutAnalysis() throws {
        let capture = try SampleCapture(SampleCapture.unpacking())
        var record = AnalysisRecord(huskVersion: "1.2", rules: nil, everything: false)
        #expect(try capture.report(record).html.contains("Nothing notable was found."))
        record.isCut = true
        let cut = try capture.report(record).html
        #expect(!cut.contains("Nothing notable was found."))
        #expect(cut.contains("NOT ALL was looked at"))
        record.isCut = false
        record.suppressed = 3
        #expect(try capture.report(record).html.contains("3 findings are not told"))
        // As large as a number can be.
        try CaptureFile(path: capture.path).store(record)
        try change(
            capture,
            "UPDATE analysis SET suppressed = 9223372036854775807, "
                + "explained_by_jit = 9223372036854775807")
        let read = try CaptureFile(path: capture.path).analysis()
        #expect(try capture.report(read).html.contains("findings are not told"))
    }

    @Test("who starts processes one by the other hides none of them")
    func deepTree() throws {
        var events: [Event] = []
        for number in 0..<200 as Range<Int32> {
            events.append(
                .processStart(
                    ProcessStart(
                        parent: TaskIdentity(
                            pid: 1000 + number, tid: 1000 + number, hostPID: 1000 + number,
                            hostTID: 1000 + number),
                        time: Sample.time(UInt64(number)), child: 1001 + number,
                        hostChild: 1001 + number, sharesMemory: false)))
        }
        let html = try SampleCapture(events).report().html
        for pid in [1000, 1100, 1200] { #expect(html.contains(">\(pid)<"), "\(pid)") }
        #expect(html.contains("of 0 processes") == false)
    }

    @Test("more processes and layers than are listed are counted")
    func many() throws {
        let layers = (1...700).map { number in
            Layer(
                id: number, number: 1, parent: nil, task: Sample.task, time: Sample.time(1),
                start: Address(0x10_0000 * UInt64(number)), length: 4096, backing: .anonymous)
        }
        let html = try SampleCapture(SampleCapture.unpacking(), layers: layers).report().html
        #expect(html.contains("200 more are not listed here."))
    }

    @Test("what is lost is told of the region that lived there then, and of no other")
    func lossesOfRegions() throws {
        func life(_ id: UInt64, at time: UInt64, gone: Bool = false) -> [Event] {
            var transition = Sample.transition(id, pages: false)
            transition.time = Sample.time(time)
            if gone {
                transition.kind = .munmap
                transition.call = .munmap
                transition.previous = [.execute]
                transition.effective = []
                transition.backing = .none
            }
            return [.transition(transition)]
        }
        func loss(at time: UInt64) -> Event {
            .loss(
                Loss(
                    cause: .ringFull, time: Sample.time(time), task: Sample.task, start: 0x7000,
                    length: 4096))
        }
        let events =
            [loss(at: 50)] + life(1, at: 100) + [loss(at: 150)] + life(2, at: 200, gone: true)
            + [loss(at: 250)] + life(3, at: 300) + [loss(at: 350)]
        let overview = try SampleCapture(events).documents().overview()
        try #require(overview.regions.count == 2)
        let ids = overview.regions.map(\.id)
        #expect(overview.losses.map(\.region) == [nil, ids[0], nil, ids[1]])
    }

    @Test("the capture itself is never written over")
    func keptApart() throws {
        let capture = try SampleCapture(SampleCapture.unpacking())
        let before = try Data(contentsOf: URL(fileURLWithPath: capture.path))
        let link = capture.temporary.path + "/link"
        try FileManager.default.linkItem(atPath: capture.path, toPath: link)
        for name in [capture.path, capture.temporary.path + "/./sample.husk", link] {
            for command in [
                ["report"], ["export", "json"], ["export", "ecs"], ["export", "perf-map"],
            ] {
                let outcome = try Running(
                    BuildProducts.husk, command + [capture.path, "--force", "-o", name]
                ).finish()
                #expect(outcome.status == 123, "\(command): \(outcome.errors)")
                #expect(outcome.errors.contains("is the capture itself"))
            }
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: capture.path)) == before)
    }

    @Test("many findings at one place, many kinds, many rules and many matches end soon enough")
    func manyOfAll() throws {
        let capture = try SampleCapture(SampleCapture.unpacking())
        let one = SampleCapture.analysis(of: "x")
        var record = one
        record.findings = (0..<20_000).map { number in
            var finding = one.findings[0]
            finding.kind = "kind-\(number)"
            finding.transitions = []
            return finding
        }
        record.matches = (0..<10_000).map { number in
            var match = one.matches[0]
            match.rule = "rule-\(number)"
            match.strings = []
            return match
        }
        let html = try capture.report(record).html
        #expect(html.contains("19984 other kinds"))
        #expect(html.contains("19500 more are not listed here."))
    }
}
