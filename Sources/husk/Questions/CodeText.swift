// SPDX-License-Identifier: MIT
import Husk
import HuskAnalysis

/// Bytes and instructions as people read them.
enum CodeText {
    static func spaced(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map(\.hexadecimal).joined(separator: " ")
    }

    static func line(_ instruction: Instruction) -> String {
        let bytes = spaced(instruction.bytes)
        return
            ("\(instruction.address.hexadecimal)  \(padded(bytes, 24))"
            + "\(instruction.mnemonic) \(instruction.operands)").trimmingTrailingBlanks()
    }

    static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

/// Lines as `hexdump -C` has them.
struct HexDump {
    private var pending: [UInt8] = []
    private var address: Address
    private var last: [UInt8] = []
    private var isSqueezing = false

    init(at address: Address) {
        self.address = address
    }

    mutating func take(_ bytes: ArraySlice<UInt8>) -> [String] {
        pending += bytes
        var lines: [String] = []
        var used = 0
        while pending.count - used >= 16 {
            if let line = line(Array(pending[used..<used + 16])) { lines.append(line) }
            used += 16
        }
        pending.removeFirst(used)
        return lines
    }

    mutating func finish() -> [String] {
        var lines: [String] = []
        if !pending.isEmpty, let line = line(pending) { lines.append(line) }
        pending = []
        return lines + [address.hexadecimal]
    }

    private mutating func line(_ bytes: [UInt8]) -> String? {
        defer { address = address.advanced(by: UInt64(bytes.count)) }
        if bytes == last {
            defer { isSqueezing = true }
            return isSqueezing ? nil : "*"
        }
        last = bytes
        isSqueezing = false
        let left = CodeText.padded(CodeText.spaced(bytes.prefix(8)), 23)
        let right = CodeText.padded(CodeText.spaced(bytes.dropFirst(8)), 23)
        let text = bytes.map { (0x20..<0x7F).contains($0) ? Character(UnicodeScalar($0)) : "." }
        return "\(address.hexadecimal)  \(left)  \(right)  |\(String(text))|"
    }
}

/// Instructions, of which many equal ones are told by one.
struct Listing {
    private var last: [UInt8] = []
    private var isSqueezing = false

    /// Nil: as the ones before.
    mutating func line(_ instruction: Instruction) -> String? {
        if instruction.bytes == last {
            defer { isSqueezing = true }
            return isSqueezing ? nil : "*"
        }
        last = instruction.bytes
        isSqueezing = false
        return CodeText.line(instruction)
    }
}
