// SPDX-License-Identifier: MIT
internal import CCapstone
public import HuskModel

/// Disassembles code from its beginning to its end, as objdump(1) does: a byte that begins no
/// instruction is told as `(bad)`, and the next one is tried.
///
/// Code may come in pieces of any size; what is kept is a part of one instruction.
public struct LinearSweep: Sendable {
    /// No instruction of x86 is longer.
    private static let longest = 15

    private let mode: Disassembler.Mode
    private var pending: [UInt8] = []
    private var address: Address

    public init(at address: Address, mode: Disassembler.Mode = .bits64) {
        self.address = address
        self.mode = mode
    }

    /// All instructions of a piece of code.
    public static func instructions(
        of code: [UInt8], at address: Address, mode: Disassembler.Mode = .bits64
    ) -> [Instruction] {
        var sweep = LinearSweep(at: address, mode: mode)
        return sweep.take(code[...]) + sweep.finish()
    }

    /// Takes the bytes that follow; returns the instructions that are whole for certain.
    public mutating func take(_ bytes: ArraySlice<UInt8>) -> [Instruction] {
        pending += bytes
        return decode(keeping: Self.longest - 1)
    }

    /// Returns the rest.
    public mutating func finish() -> [Instruction] { decode(keeping: 0) }

    private mutating func decode(keeping rest: Int) -> [Instruction] {
        guard pending.count > rest else { return [] }
        var handle: csh = 0
        let word = mode == .bits64 ? CS_MODE_64 : CS_MODE_32
        guard cs_open(CS_ARCH_X86, word, &handle) == CS_ERR_OK else { return [] }
        defer { cs_close(&handle) }
        guard let raw = cs_malloc(handle) else { return [] }
        defer { cs_free(raw, 1) }

        var instructions: [Instruction] = []
        var used = 0
        pending.withUnsafeBufferPointer { buffer in
            // Safe: Capstone reads no further than `left` bytes from `code`.
            while buffer.count - used > rest {
                var code = buffer.baseAddress.map { $0 + used }
                var left = buffer.count - used
                var next = address.rawValue
                let size: Int
                if cs_disasm_iter(handle, &code, &left, &next, raw), raw.pointee.size > 0 {
                    instructions.append(Disassembler.instruction(raw.pointee))
                    size = Int(raw.pointee.size)
                } else {
                    instructions.append(
                        Instruction(
                            address: address, bytes: [buffer[used]], mnemonic: "(bad)",
                            operands: ""))
                    size = 1
                }
                used += size
                address = address.advanced(by: UInt64(size))
            }
        }
        pending.removeFirst(min(used, pending.count))
        return instructions
    }
}
