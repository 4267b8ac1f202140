// SPDX-License-Identifier: MIT
import HuskAnalysis
import HuskModel

extension FuzzEntry {
    /// Machine code, in listings and comparisons.
    static let code = FuzzEntry(name: "code", largestInput: 1024) { bytes in
        var input = InputBytes(bytes)
        let choice = input.byte()
        let code = input.all()
        let mode: Disassembler.Mode = choice & 1 == 0 ? .bits64 : .bits32
        let base = Address(choice & 2 == 0 ? 0x40_0000 : .max - 20)
        let whole = LinearSweep.instructions(of: code, at: base, mode: mode)
        try hold(whole.flatMap(\.bytes) == code, "a listing has other bytes than the code")
        var address = base
        for instruction in whole {
            try hold(instruction.address == address, "\(instruction) is not at \(address)")
            address = address.advanced(by: UInt64(instruction.bytes.count))
            try holdPlain(instruction.mnemonic, "a mnemonic")
            try holdPlain(instruction.operands, "operands")
        }
        // In how many pieces it comes changes nothing.
        var sweep = LinearSweep(at: base, mode: mode)
        var pieces: [Instruction] = []
        let size = 1 + Int(choice >> 2 & 31)
        for start in stride(from: 0, to: code.count, by: size) {
            pieces += sweep.take(code[start..<min(code.count, start + size)])
        }
        try hold(pieces + sweep.finish() == whole, "pieces of \(size) bytes have another listing")
        let first = Disassembler.instructions(of: code, at: base, mode: mode, limit: 8)
        try hold(
            first.count <= 8 && whole.starts(with: first), "the first instructions are others")

        let half = code.count / 2
        let (old, new) = (Array(code[..<half]), Array(code[half...]))
        for change in CodeDifference.changes(from: old, to: new, at: base) {
            try hold(
                !change.old.isEmpty && change.old.count == change.new.count
                    && change.old != change.new, "\(change) is none")
        }
        let lists = [old, new].map { LinearSweep.instructions(of: $0, at: base, mode: mode) }
        // Addresses that wrap around are in no order.
        guard choice & 2 == 0 else { return }
        let lines = CodeDifference.lines(from: lists[0], to: lists[1])
        var sides: ([Instruction], [Instruction]) = ([], [])
        for line in lines {
            switch line {
            case .same(let instruction):
                sides.0.append(instruction)
                sides.1.append(instruction)
            case .removed(let instruction): sides.0.append(instruction)
            case .added(let instruction): sides.1.append(instruction)
            }
        }
        try hold(sides.0 == lists[0] && sides.1 == lists[1], "a comparison has lost instructions")
    }
}
