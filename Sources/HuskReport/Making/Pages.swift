// SPDX-License-Identifier: MIT
internal import Foundation
internal import HuskAnalysis
internal import HuskCapture
internal import HuskModel

extension CaptureDocuments {
    /// The page that a document's name stands for; nil: the capture has no such page.
    func page(_ name: PageName) throws -> PageDocument? {
        let content = ContentReference(rawValue: name.content)
        guard let snapshot = try file.snapshot(of: content, at: name.address) else { return nil }
        return try page(snapshot, content)
    }

    func page(_ snapshot: StoredSnapshot, _ content: ContentReference) throws -> PageDocument {
        let bytes = try file.bytes(of: content)
        let address = snapshot.page.address
        let mode = try mode(of: snapshot)
        // An instruction may begin on the page before and end on the page behind.
        let before = try neighbour(
            of: snapshot, at: address.rawValue.subtractingReportingOverflow(4096))
        let behind = try neighbour(
            of: snapshot, at: address.rawValue.addingReportingOverflow(UInt64(bytes.count)))
        let base = Address(address.rawValue &- UInt64(before.count))
        let code = before + bytes + behind.prefix(15)
        let lines = try instructions(of: code, at: base, mode: mode).compactMap { instruction in
            let offset =
                Int(truncatingIfNeeded: instruction.address.rawValue &- base.rawValue)
                - before.count
            let text =
                instruction.mnemonic
                + (instruction.operands.isEmpty ? "" : " " + instruction.operands)
            return offset + instruction.bytes.count > 0 && offset < bytes.count
                ? PageDocument.Line(offset: offset, length: instruction.bytes.count, text: text)
                : nil
        }
        return PageDocument(
            bytes: Data(bytes).base64EncodedString(), bits: mode == .bits32 ? 32 : 64,
            lines: lines)
    }

    /// Data may lie before code: where it is known that code was entered, an instruction begins.
    private func instructions(
        of code: [UInt8], at base: Address, mode: Disassembler.Mode
    ) throws -> [Instruction] {
        var instructions: [Instruction] = []
        var start = 0
        for entry in try entries.get() {
            let offset = entry.rawValue.subtractingReportingOverflow(base.rawValue)
            guard !offset.overflow, offset.partialValue < UInt64(code.count),
                case let end = Int(offset.partialValue), end > start
            else { continue }
            instructions += LinearSweep.instructions(
                of: Array(code[start..<end]), at: base.advanced(by: UInt64(start)), mode: mode)
            start = end
        }
        return instructions
            + LinearSweep.instructions(
                of: Array(code[start...]), at: base.advanced(by: UInt64(start)), mode: mode)
    }

    /// Where code was about to run, ascending.
    func findEntries() throws -> [Address] {
        var entries: Set<Address> = []
        try file.forEachExecution { execution in
            entries.insert(execution.address)
            return entries.count < Self.entryLimit
        }
        return entries.sorted()
    }

    private static let entryLimit = 4096

    private func neighbour(
        of snapshot: StoredSnapshot, at address: (partialValue: UInt64, overflow: Bool)
    ) throws -> [UInt8] {
        guard !address.overflow,
            let content = try file.neighbour(of: snapshot, at: Address(address.partialValue))
        else { return [] }
        let bytes = try file.bytes(of: content)
        // Else it would not lie side by side with it.
        return bytes.count == 4096 || address.partialValue > snapshot.page.address.rawValue
            ? bytes : []
    }

    private func mode(of snapshot: StoredSnapshot) throws -> Disassembler.Mode {
        let end = snapshot.page.address.rawValue.addingReportingOverflow(4096)
        guard !end.overflow, end.partialValue <= 1 << 32 else { return .bits64 }
        let abi = try file.transition(snapshot.page.transition)?.abi
        return try origins.mode(
            upTo: Address(end.partialValue), abi: abi, of: snapshot.process,
            at: snapshot.position)
    }
}
