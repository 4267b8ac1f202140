// SPDX-License-Identifier: MIT
import HuskAnalysis
import HuskModel
import Testing

@Suite("Code")
struct CodeTests {
    @Test("a sweep goes on behind bytes that are no instruction, however they are cut")
    func sweep() {
        let code: [UInt8] = [0xB8, 0x2A, 0, 0, 0, 0x06, 0xC3]
        let whole = LinearSweep.instructions(of: code, at: 0x1000)
        #expect(whole.map(\.mnemonic) == ["mov", "(bad)", "ret"])
        #expect(whole.map(\.address) == [0x1000, 0x1005, 0x1006])
        var sweep = LinearSweep(at: 0x1000)
        var parts: [Instruction] = []
        for byte in code { parts += sweep.take([byte]) }
        #expect(parts + sweep.finish() == whole)
        let narrow = LinearSweep.instructions(of: [0x40], at: 0, mode: .bits32)
        #expect(narrow.map(\.mnemonic) == ["inc"])
    }

    @Test("changes are ranges, close ones together")
    func changes() {
        let old = [UInt8](repeating: 0, count: 64)
        var new = old
        for index in [1, 3, 40] { new[index] = 9 }
        let changes = CodeDifference.changes(from: old, to: new, at: 0x1000)
        #expect(changes.map(\.address) == [0x1001, 0x1028])
        #expect(changes.map(\.new) == [[9, 0, 9], [9]])
        #expect(CodeDifference.changes(from: old, to: old, at: 0).isEmpty)
    }

    @Test("instructions are paired by their address")
    func lines() {
        // mov eax, 1; ret beside xor eax, eax; nop; nop; nop; ret
        let old = LinearSweep.instructions(of: [0xB8, 1, 0, 0, 0, 0xC3], at: 0)
        let new = LinearSweep.instructions(of: [0x31, 0xC0, 0x90, 0x90, 0x90, 0xC3], at: 0)
        let lines = CodeDifference.lines(from: old, to: new)
        #expect(lines.count == 6)
        #expect(lines.first == .removed(old[0]))
        #expect(lines.last == .same(old[1]))
        #expect(CodeDifference.lines(from: [], to: new) == new.map { .added($0) })
        #expect(CodeDifference.lines(from: old, to: old) == old.map { .same($0) })
    }
}
