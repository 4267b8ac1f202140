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
        let lead = before.count
        let code = before + bytes + behind.prefix(15)
        let base = Address(address.rawValue &- UInt64(lead))
        var lines: [PageDocument.Line] = []
        for instruction in LinearSweep.instructions(of: code, at: base, mode: mode) {
            let offset =
                Int(truncatingIfNeeded: instruction.address.rawValue &- base.rawValue)
                - lead
            guard offset + instruction.bytes.count > 0 else { continue }
            guard offset < bytes.count else { break }
            let text =
                instruction.mnemonic
                + (instruction.operands.isEmpty ? "" : " " + instruction.operands)
            lines.append(.init(offset: offset, length: instruction.bytes.count, text: text))
        }
        return PageDocument(
            bytes: Data(bytes).base64EncodedString(), bits: mode == .bits32 ? 32 : 64,
            lines: lines)
    }

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
