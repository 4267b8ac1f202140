// SPDX-License-Identifier: MIT
internal import CCapstone

/// How much bytes are like x86 code of one word size: what Capstone makes of samples of them.
///
/// Nearly all bytes are *some* x86 instruction, so that they decode says little. What compilers
/// and people emit is few kinds (moves, calls, jumps, compares); random bytes spread over all.
struct CodeLikeness: Sendable {
    /// Bytes that were tried, and those that are instructions.
    private(set) var sampled = 0
    private(set) var decoded = 0
    private(set) var instructions = 0
    /// Kinds that make up most of all code.
    private(set) var typical = 0
    /// Kinds that user-space code has hardly ever: port I/O, interrupt flags, BCD, segment loads.
    private(set) var unlikely = 0
    /// With a REX prefix that says 64 bits, or a vector prefix: hardly ever in 32-bit code.
    private(set) var wide = 0
    /// Loads of a constant that could be an address of user space, in full: JIT compilers, which
    /// know where everything lies, emit these.
    private(set) var embeddedAddresses = 0

    /// Samples of this many bytes, so that the cost does not grow with the page.
    private static let window = 384
    private static let windows = 3

    init(of code: ArraySlice<UInt8>, bits32: Bool) {
        var handle: csh = 0
        guard cs_open(CS_ARCH_X86, bits32 ? CS_MODE_32 : CS_MODE_64, &handle) == CS_ERR_OK
        else { return }
        defer { cs_close(&handle) }
        guard let instruction = cs_malloc(handle) else { return }
        defer { cs_free(instruction, 1) }

        for window in Self.samples(of: code) {
            sampled += window.count
            // Safe: Capstone advances the pointer and lowers the count together and reads no
            // further; the buffer lives for the time of the closure.
            window.withUnsafeBufferPointer { buffer in
                var cursor = buffer.baseAddress
                var left = buffer.count
                var address: UInt64 = 0
                while left > 0 {
                    if cs_disasm_iter(handle, &cursor, &left, &address, instruction) {
                        note(instruction.pointee)
                    } else {
                        // The last instruction of a window is cut off: no sign of anything.
                        if left < 15, buffer.count == Self.window { sampled -= left; break }
                        cursor = cursor.map { $0 + 1 }
                        left -= 1
                    }
                }
            }
        }
    }

    /// The beginning, the middle and the end, without long runs of padding.
    private static func samples(of code: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        guard code.count > window * windows else { return code.isEmpty ? [] : [code] }
        let gap = (code.count - window) / (windows - 1)
        return (0..<windows).map { index in
            let start = code.startIndex + index * gap
            return code[start..<start + window]
        }
    }

    private mutating func note(_ instruction: cs_insn) {
        instructions += 1
        decoded += Int(instruction.size)
        let id = x86_insn(rawValue: instruction.id)
        let bytes = instruction.bytes
        if Self.unlikelyKinds.contains(id.rawValue) {
            unlikely += 1
        } else if Self.typicalKinds.contains(id.rawValue)
            || Self.isRareByChance(bytes.0, bytes.1, bytes.2)
        {
            typical += 1
        }
        switch bytes.0 {
        case 0x48...0x4F, 0x62, 0xC4, 0xC5: wide += 1
        default: break
        }
        if instruction.size == 10, bytes.0 & 0xFE == 0x48, bytes.1 & 0xF8 == 0xB8 {
            // Of a canonical user-space address the upper 17 bits are zero, and it is not small.
            if bytes.9 == 0, bytes.8 == 0, bytes.7 & 0x80 == 0, bytes.6 | bytes.7 != 0 {
                embeddedAddresses += 1
            }
        }
    }

    /// Opcodes of two bytes and more, and those of vectors: one in sixty of random instructions, and
    /// much of what moves memory.
    private static func isRareByChance(_ first: UInt8, _ second: UInt8, _ third: UInt8) -> Bool {
        switch first {
        case 0x0F, 0xC4, 0xC5, 0x62: true
        case 0x40...0x4F, 0x66, 0xF2, 0xF3:
            second == 0x0F || second & 0xF0 == 0x40 && third == 0x0F
        default: false
        }
    }

    var decodedShare: Double { sampled == 0 ? 0 : Double(decoded) / Double(sampled) }
    var typicalShare: Double { share(typical) }
    var unlikelyShare: Double { share(unlikely) }
    var wideShare: Double { share(wide) }
    var embeddedAddressShare: Double { share(embeddedAddresses) }

    private func share(_ count: Int) -> Double {
        instructions == 0 ? 0 : Double(count) / Double(instructions)
    }

    /// Found by measuring pages of libraries, JIT code, tables and random bytes.
    var looksLikeCode: Bool {
        instructions >= 2 && decodedShare >= 0.95 && typicalShare >= 0.55 && unlikelyShare <= 0.015
    }

    private static let typicalKinds: Set<UInt32> = [
        X86_INS_MOV, X86_INS_MOVABS, X86_INS_LEA, X86_INS_PUSH, X86_INS_POP, X86_INS_CALL,
        X86_INS_JMP, X86_INS_RET, X86_INS_TEST, X86_INS_CMP, X86_INS_JA, X86_INS_JAE,
        X86_INS_JB, X86_INS_JBE, X86_INS_JE, X86_INS_JNE, X86_INS_JG, X86_INS_JGE, X86_INS_JL,
        X86_INS_JLE, X86_INS_JS, X86_INS_JNS, X86_INS_NOP, X86_INS_MOVZX, X86_INS_MOVSX,
        X86_INS_MOVSXD, X86_INS_SYSCALL, X86_INS_LEAVE, X86_INS_ENDBR64, X86_INS_ENDBR32,
        X86_INS_MOVAPS, X86_INS_MOVUPS, X86_INS_MOVDQA, X86_INS_MOVDQU, X86_INS_MOVSD,
        X86_INS_SHL, X86_INS_SHR, X86_INS_VMOVDQU, X86_INS_VMOVDQA, X86_INS_MOVQ,
    ].reduce(into: []) { $0.insert($1.rawValue) }

    private static let unlikelyKinds: Set<UInt32> = [
        X86_INS_IN, X86_INS_OUT, X86_INS_INSB, X86_INS_INSD, X86_INS_OUTSB, X86_INS_OUTSD,
        X86_INS_CLI, X86_INS_STI, X86_INS_IRET, X86_INS_IRETD, X86_INS_IRETQ, X86_INS_RETF,
        X86_INS_RETFQ, X86_INS_LJMP, X86_INS_LCALL, X86_INS_INTO, X86_INS_BOUND, X86_INS_ARPL,
        X86_INS_AAA, X86_INS_AAS, X86_INS_AAD, X86_INS_AAM, X86_INS_DAA, X86_INS_DAS,
        X86_INS_ENTER, X86_INS_LDS, X86_INS_LES, X86_INS_SALC, X86_INS_XLATB, X86_INS_LOOPNE,
        X86_INS_LOOPE, X86_INS_CMC, X86_INS_INT1, X86_INS_LAHF, X86_INS_SAHF, X86_INS_FISTTP,
    ].reduce(into: []) { $0.insert($1.rawValue) }
}
