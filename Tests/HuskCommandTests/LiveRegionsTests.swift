// SPDX-License-Identifier: MIT
import Husk
import ModelSamples
import Testing

@testable import HuskCommand

@Suite("Regions for the live table")
struct LiveRegionsTests {
    private func transition(
        _ number: UInt64, at start: Address, length: UInt64 = 4096, time: UInt64
    ) -> Transition {
        var transition = Sample.transition(number, start: start, length: length)
        transition.time = Sample.time(time)
        return transition
    }

    @Test("carry what has come of them, the latest first")
    func counted() {
        var regions = LiveRegions()
        regions.take(.transition(transition(1, at: 0x1000, time: 1)))
        regions.take(.transition(transition(2, at: 0x9000, time: 2)))
        var page = Sample.page(1, 0x1000, fill: 1)
        page.generation = 3
        regions.take(.page(page))
        regions.take(.page(Sample.page(2, 0x9000, fill: nil)))
        regions.take(.transition(transition(3, at: 0x1000, time: 5)))
        let latest = regions.latest(10)
        #expect(latest.map(\.start) == [0x1000, 0x9000])
        #expect(latest.map(\.pages) == [1, 0])
        #expect(latest.map(\.generation) == [3, 0])
        #expect(latest.map(\.transitions) == [2, 1])
        #expect(latest.map(\.protection) == [[.execute], [.execute]])
        #expect(latest[0].process.escaped == "target")
        #expect(regions.latest(1).count == 1)
    }

    @Test("that have gone are said to be, with their process")
    func gone() {
        var regions = LiveRegions()
        regions.take(.transition(transition(1, at: 0x1000, time: 1)))
        regions.take(.processExit(ProcessExit(task: Sample.task, time: Sample.time(7), status: 0)))
        let latest = regions.latest(10)
        #expect(latest.map(\.isGone) == [true])
        #expect(latest.first?.changed == Sample.time(7).monotonic)
    }

    @Test("of hidden kinds are not shown")
    func hidden() {
        var regions = LiveRegions(hidden: [.jit])
        var change = transition(1, at: 0x1000, time: 1)
        change.label = RegionLabel(.jit, by: .caller)
        regions.take(.transition(change))
        regions.take(.transition(transition(2, at: 0x9000, time: 2)))
        #expect(regions.latest(10).map(\.start) == [0x9000])
    }

    @Test("are bounded: those that have gone leave first, then the oldest")
    func bounded() {
        var regions = LiveRegions(limit: 64)
        var most = 0
        for number in 1...UInt64(10_000) {
            regions.take(
                .transition(
                    transition(number, at: Address(number << 16), time: number)))
            most = max(most, regions.count)
        }
        #expect(most <= 65)
        #expect(regions.latest(1).first?.start == Address(10_000 << 16))
        // One that was forgotten is a new one when it changes again.
        regions.take(.transition(transition(10_001, at: Address(1 << 16), time: 10_001)))
        #expect(regions.latest(1).first?.start == Address(1 << 16))
        #expect(regions.latest(1).first?.transitions == 1)
    }
}
