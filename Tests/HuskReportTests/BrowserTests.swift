// SPDX-License-Identifier: MIT
import Foundation
import HuskCapture
import HuskModel
import HuskTestSupport
import ModelSamples
import Testing

@testable import HuskReport

extension Trait where Self == ConditionTrait {
    /// Skips, with the reason, where there is no browser.
    static var needsBrowser: Self {
        .enabled(if: Browser.missing == nil, "\(Browser.missing ?? "")")
    }
}

@Suite("report in a browser", .needsBrowser, .serialized)
struct BrowserTests {
    private func url(of capture: SampleCapture) -> String {
        "file://" + capture.temporary.path + "/report.html"
    }

    @Test("renders without an error, is found by search, is accessible")
    func renders() throws {
        let capture = try SampleCapture(SampleCapture.unpacking())
        _ = try capture.report(SampleCapture.analysis(of: "words"))
        let sight = try Browser.look(
            at: url(of: capture), ["--search", "SECOND generation", "--open-hit"])
        #expect(sight.console.isEmpty, "\(sight.console)")
        #expect(sight.injected == 0)
        #expect(sight.violations.isEmpty, "\(sight.violations)")
        #expect(sight["regionsShown"] as? Int == 1)
        #expect((sight["search", "hits"] as? Int ?? 0) >= 1)
        let lines = try #require(sight["search", "disassembly"] as? [String])
        #expect(!lines.isEmpty)
    }

    @Test("hostile names stay text, and can do nothing")
    func hostile() throws {
        let text = SampleCapture.hostile
        let escaped = TargetText(text).escaped
        let capture = try SampleCapture(
            SampleCapture.unpacking(process: text), command: [escaped],
            options: [escaped: escaped])
        var record = SampleCapture.analysis(of: text)
        record.appearances[0].entropy = 5
        try CaptureFile(path: capture.path).store(record)
        _ = try capture.report(try CaptureFile(path: capture.path).analysis())
        let shown = "<img src=x onerror=\"window.__husk_pwned=1\">"
        let sight = try Browser.look(
            at: url(of: capture), ["--open-region", "1", "--expect-text", shown])
        #expect(sight.injected == 0)
        #expect(sight.console.isEmpty, "\(sight.console)")
        #expect(sight["expected", shown] as? Bool == true)
    }

    @Test("an empty capture and one with losses only are pages that can be read")
    func little() throws {
        for events in [
            [],
            [
                Event.loss(
                    Loss(cause: .ringFull, time: Sample.time(1), task: Sample.task, length: 4096))
            ],
        ] {
            let capture = try SampleCapture(events)
            _ = try capture.report()
            let sight = try Browser.look(at: url(of: capture))
            #expect(sight.console.isEmpty, "\(sight.console)")
            #expect(sight.violations.isEmpty, "\(sight.violations)")
            #expect(sight["regionsShown"] as? Int == 0)
        }
    }

    /// How fast is told by `Benchmarks/run report`; here it must only be usable at all.
    @Test("100,000 snapshots open, and answer")
    func large() throws {
        let capture = try LargeCapture.make(snapshots: 100_000)
        let (_, outcome) = try capture.report()
        #expect(outcome.pages == 100_000)
        let sight = try Browser.look(at: url(of: capture), ["--time"])
        #expect(sight.console.isEmpty, "\(sight.console)")
        #expect(sight["regionsShown"] as? Int == LargeCapture.regions)
        let interactive = try #require(sight["timing", "interactiveMs"] as? Double)
        print("100,000 snapshots: interactive after \(interactive) ms")
        #expect(interactive < 30_000)
    }

    @Test("husk view shows what is written while it is written")
    func live() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/live.husk"
        let writer = try CaptureFileWriter(
            path: path, replaces: false,
            run: RunDescription(huskVersion: "1.2", command: ["./sample"], options: [:]))
        let events = SampleCapture.unpacking()
        for event in events.prefix(4) { writer.add(event) }
        let viewer = try Running(BuildProducts.husk, ["view", path])
        #expect(viewer.wait { viewer.outputSoFar.contains("\n") })
        let address = viewer.outputSoFar.trimmingCharacters(in: .whitespacesAndNewlines)
        // Meanwhile more comes.
        let adding = Thread {
            for number in 0..<40 as Range<UInt64> {
                for var event in events.dropFirst(4) {
                    if case .transition(var transition) = event {
                        transition.id = .init(rawValue: 1000 + number)
                        transition.start = Address(0x10_0000 + number * 0x10_000)
                        event = .transition(transition)
                    }
                    writer.add(event)
                }
                usleep(250_000)
            }
        }
        adding.start()
        let sight = try Browser.look(at: address, ["--live"])
        #expect(sight.console.isEmpty, "\(sight.console)")
        let before = sight["live", "before", "regions"] as? Int ?? 0
        let after = sight["live", "after", "regions"] as? Int ?? 0
        #expect(after > before, "\(sight.values)")
        while !adding.isFinished { usleep(50_000) }
        _ = writer.drain()
        viewer.signal(SIGINT)
        #expect(viewer.finish(within: 10).status == 0)
    }
}

/// Many snapshots of many regions.
enum LargeCapture {
    static let regions = 2500

    static func make(snapshots: Int) throws -> SampleCapture {
        var events: [Event] = []
        let each = snapshots / regions
        var id: UInt64 = 0
        for region in 0..<regions {
            let start = Address(0x10_0000 + UInt64(region) * 0x10_0000)
            for generation in 0..<each / 4 {
                id += 100
                var transition = Sample.transition(id, start: start, length: 4 * 4096)
                transition.time = Sample.time(id * 10_000)
                transition.number.sequence = id
                if region % 3 == 0 {
                    transition.label = RegionLabel(.jit, by: .caller, TargetText("V8"))
                }
                events.append(.transition(transition))
                for page in 0..<4 as Range<UInt64> {
                    var sample = Sample.page(id, start.advanced(by: page * 4096), fill: 0)
                    var bytes = [UInt8](repeating: 0x90, count: 4096)
                    for index in 0..<8 {
                        bytes[index] = UInt8(truncatingIfNeeded: id >> (8 * index))
                    }
                    bytes[8] = UInt8(page)
                    sample.body = .content(PageContent(bytes), reader: .bpfNoFault)
                    sample.generation = generation
                    sample.time = transition.time
                    sample.number.sequence = id + page + 1
                    events.append(.page(sample))
                }
                var end = Sample.end(id, captured: 4)
                end.time = transition.time
                events.append(.transitionEnd(end))
            }
        }
        return try SampleCapture(events)
    }
}
