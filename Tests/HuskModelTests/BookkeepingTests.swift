// SPDX-License-Identifier: MIT
import HuskModel
import Testing

@Suite("Record numbers")
struct SequenceLedgerTests {
    private func ledger(_ numbers: [UInt64]) -> SequenceLedger {
        var ledger = SequenceLedger()
        for number in numbers { ledger.note(RecordNumber(cpu: 0, sequence: number)) }
        return ledger
    }

    @Test("that all arrive leave nothing missing, in whatever order they come")
    func complete() {
        #expect(ledger([0, 1, 2, 3]).missing(on: 0, given: 4).isEmpty)
        #expect(ledger([2, 0, 3, 1]).missing(on: 0, given: 4).isEmpty)
    }

    @Test("that do not arrive are found: in the middle, at the end, on a silent CPU")
    func gaps() {
        #expect(ledger([0, 3, 4]).missing(on: 0, given: 5) == [1..<3])
        #expect(ledger([0, 4, 2]).missing(on: 0, given: 5) == [1..<2, 3..<4])
        #expect(ledger([0, 1]).missing(on: 0, given: 4) == [2..<4])
        #expect(ledger([0]).missing(on: 7, given: 2) == [0..<2])
    }

    @Test("at the end of their range do not trap")
    func extremes() {
        #expect(ledger([.max]).missing(on: 0, given: 0) == [0..<UInt64.max])
    }
}

@Suite("Generations")
struct GenerationsTests {
    private let first = PageContent([1])
    private let second = PageContent([2])

    private func expect(
        _ expected: Int, _ generation: Int, _ location: SourceLocation = #_sourceLocation
    ) {
        #expect(generation == expected, sourceLocation: location)
    }

    @Test("count the changes of content, not the captures")
    func changes() {
        var generations = Generations()
        expect(0, generations.note(first, at: 0x1000, of: 1))
        expect(0, generations.note(first, at: 0x1000, of: 1))
        expect(1, generations.note(second, at: 0x1000, of: 1))
        expect(2, generations.note(first, at: 0x1000, of: 1))
        #expect(generations.current(at: 0x1000, of: 1) == 2)
    }

    @Test("belong to one process and one address")
    func separate() {
        var generations = Generations()
        _ = generations.note(first, at: 0x1000, of: 1)
        expect(0, generations.note(second, at: 0x2000, of: 1))
        expect(0, generations.note(second, at: 0x1000, of: 2))
        generations.forget(process: 1)
        expect(0, generations.note(second, at: 0x1000, of: 1))
    }
}

@Suite("Digests")
struct DigestTests {
    @Test("are SHA-256")
    func vector() {
        // FIPS 180-4, example 1.
        #expect(
            Digest(of: Array("abc".utf8)).hexadecimal
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            Digest(ofChunks: [[UInt8]("a".utf8)[...], [UInt8]("bc".utf8)[...]])
                == Digest(of: Array("abc".utf8)))
    }
}
