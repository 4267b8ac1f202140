// SPDX-License-Identifier: MIT
import HuskModel
import ModelSamples
import Testing

@Suite("Putting transitions together")
struct AssemblyTests {
    @Test("keeps two interleaved threads apart")
    func interleaved() {
        var assembler = TransitionAssembler()
        let events: [Event] = [
            .transition(Sample.transition(1)), .transition(Sample.transition(100)),
            .page(Sample.page(100, 0x9000, fill: 9)), .page(Sample.page(1, 0x7000, fill: 7)),
        ]
        for event in events {
            let completed = assembler.take(event)
            #expect(completed == nil)
        }
        let second = assembler.take(.transitionEnd(Sample.end(100, captured: 1)))
        let first = assembler.take(.transitionEnd(Sample.end(1, captured: 1)))
        #expect(second?.runs.map(\.base) == [0x9000])
        #expect(first?.runs.map(\.base) == [0x7000])
    }

    @Test("splits pages into runs at holes and at pages without content")
    func runs() {
        var assembler = TransitionAssembler()
        _ = assembler.take(.transition(Sample.transition(1, length: 6 * 4096)))
        for (address, fill) in [
            (0x7000, 1), (0x8000, 2), (0x9000, nil), (0xA000, 3), (0xC000, 4),
        ] as [(Address, UInt8?)] {
            _ = assembler.take(.page(Sample.page(1, address, fill: fill)))
        }
        let end = Sample.end(1, captured: 4, unreadable: 1)
        let whole = assembler.take(.transitionEnd(end))
        #expect(whole?.runs.map(\.base) == [0x7000, 0xA000, 0xC000])
        #expect(whole?.runs.map(\.size) == [8192, 4096, 4096])
        #expect(whole?.unreadable.map(\.address) == [0x9000])
    }

    @Test("gives up what has no end only when nothing more comes")
    func unfinished() {
        var assembler = TransitionAssembler()
        _ = assembler.take(.transition(Sample.transition(1)))
        _ = assembler.take(.page(Sample.page(1, 0x7000, fill: 1)))
        let rest = assembler.finish()
        #expect(rest.count == 1)
        #expect(rest.first?.end == nil)
        #expect(rest.first?.pageCount == 1)
    }

    @Test("a failed call is complete at once")
    func attempt() {
        var assembler = TransitionAssembler()
        let attempt = Sample.transition(1, result: -13, pages: false)
        #expect(attempt.failure == 13)
        let whole = assembler.take(.transition(attempt))
        #expect(whole?.transition == attempt)
    }
}

@Suite("The sums of a capture")
struct TallyTests {
    @Test("count what was captured, and equal content once")
    func sums() {
        var tally = CaptureTally()
        tally.add(.transition(Sample.transition(1, length: 8192)))
        tally.add(.page(Sample.page(1, 0x7000, fill: 1)))
        tally.add(.page(Sample.page(1, 0x8000, fill: 1)))
        tally.add(.transition(Sample.transition(5, result: -13, pages: false)))
        #expect(tally.transitions == 1)
        #expect(tally.attempts == 1)
        #expect(tally.regions == 1)
        #expect(tally.pages == 2)
        #expect(tally.bytes == 8192)
        #expect(tally.distinctContents.count == 1)
        #expect(tally.isComplete)
    }

    /// Found by `make soak`: the regions of all processes that had ever been stayed in memory.
    @Test("a process that has the number of one that has ended has regions of its own")
    func regionsOfEndedProcesses() {
        let transition = Sample.transition(1)
        let exit = ProcessExit(task: transition.task, time: Sample.time(1), status: 0)
        var tally = CaptureTally()
        tally.add(.transition(transition))
        tally.add(.transition(transition))
        #expect(tally.regions == 1)
        tally.add(.processExit(exit))
        tally.add(.transition(transition))
        #expect(tally.regions == 2)
    }

    @Test("a capture with a loss or an unreadable page is not complete")
    func incomplete() {
        var lost = CaptureTally()
        lost.add(
            .loss(Loss(cause: .ringFull, time: Sample.time(1), start: 0x7000, length: 3 * 4096)))
        #expect(!lost.isComplete)
        #expect(lost.losses == [.ringFull: 3])

        var unreadable = CaptureTally()
        unreadable.add(.page(Sample.page(1, 0x7000, fill: nil)))
        #expect(!unreadable.isComplete)
    }

    @Test("a loss of an absurd length does not trap")
    func absurd() {
        var tally = CaptureTally()
        tally.add(.loss(Loss(cause: .vanished, time: Sample.time(1), start: 0, length: .max)))
        tally.add(.loss(Loss(cause: .vanished, time: Sample.time(1), start: 0, length: .max)))
        #expect(!tally.isComplete)
    }
}
