// SPDX-License-Identifier: MIT
import HuskAnalysis
import HuskModel
import Testing

@Suite("Disassembly")
struct DisassemblerTests {
    @Test("reads the classic six bytes")
    func classic() {
        let code: [UInt8] = [0xB8, 0x2A, 0, 0, 0, 0xC3]
        let instructions = Disassembler.instructions(of: code, at: 0x7000, limit: 10)
        #expect(instructions.map(\.mnemonic) == ["mov", "ret"])
        #expect(instructions.map(\.operands) == ["eax, 0x2a", ""])
        #expect(instructions.map(\.address) == [0x7000, 0x7005])
        #expect(instructions.map(\.bytes) == [[0xB8, 0x2A, 0, 0, 0], [0xC3]])
    }

    @Test("stops at bytes that are no instruction, and at the limit")
    func limits() {
        let code: [UInt8] = [0x90, 0x06, 0x90]  // 06 is `push es`: not in 64-bit code
        #expect(Disassembler.instructions(of: code, at: 0, limit: 10).count == 1)
        #expect(Disassembler.instructions(of: code, at: 0, mode: .bits32, limit: 10).count == 3)
        #expect(Disassembler.instructions(of: [0x90, 0x90], at: 0, limit: 1).count == 1)
        #expect(Disassembler.instructions(of: [], at: 0, limit: 10).isEmpty)
        #expect(Disassembler.instructions(of: code, at: 0, limit: -1).isEmpty)
        #expect(Disassembler.instructions(of: code, at: 0xFFFF_FFFF_FFFF_FFFF, limit: 9).count == 1)
    }
}
