// SPDX-License-Identifier: MIT
internal import CCapstone
public import HuskModel

/// One machine instruction.
public struct Instruction: Hashable, Sendable {
    public var address: Address
    /// Of the instruction itself.
    public var bytes: [UInt8]
    /// Capstone's text, in Intel syntax.
    public var mnemonic: String
    public var operands: String
}

/// Turns machine code into instructions, with Capstone. Intel syntax.
public enum Disassembler {
    /// The code's word size.
    public enum Mode: Sendable {
        case bits32, bits64
    }

    /// At most `limit` instructions from the start of `code`. Stops at bytes that are no
    /// instruction; code from a target may be anything.
    public static func instructions(
        of code: [UInt8], at address: Address, mode: Mode = .bits64, limit: Int
    ) -> [Instruction] {
        guard limit > 0 else { return [] }
        var handle: csh = 0
        let word = mode == .bits64 ? CS_MODE_64 : CS_MODE_32
        guard cs_open(CS_ARCH_X86, word, &handle) == CS_ERR_OK else { return [] }
        defer { cs_close(&handle) }

        return code.withUnsafeBufferPointer { buffer in
            // Safe: Capstone reads `buffer.count` bytes at most, and what it allocates is
            // copied before it is freed.
            var first: UnsafeMutablePointer<cs_insn>?
            let count = cs_disasm(
                handle, buffer.baseAddress, buffer.count, address.rawValue, limit, &first)
            guard count > 0, let first else { return [] }
            defer { cs_free(first, count) }
            return UnsafeBufferPointer(start: first, count: count).map(instruction)
        }
    }

    static func instruction(_ raw: cs_insn) -> Instruction {
        Instruction(
            address: Address(raw.address),
            bytes: withUnsafeBytes(of: raw.bytes) { Array($0.prefix(Int(raw.size))) },
            mnemonic: text(raw.mnemonic), operands: text(raw.op_str))
    }

    private static func text<Characters>(_ characters: Characters) -> String {
        withUnsafeBytes(of: characters) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
