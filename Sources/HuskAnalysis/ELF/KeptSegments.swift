// SPDX-License-Identifier: MIT
internal import CLibelf
internal import HuskModel

/// The program headers besides PT_LOAD that a rebuilt file keeps: those whose contents are there.
struct KeptSegments {
    private var table: ELFSegment?
    private var interpreter: ELFSegment?
    var dynamic: ELFSegment?
    private var notes: [ELFSegment] = []
    private var others: [ELFSegment] = []
    private(set) var sections: [SectionTable.Known] = []
    /// Of NT_GNU_BUILD_ID.
    private(set) var buildID: [UInt8]?

    init(_ segments: [ELFSegment], _ view: ImageView, remarks: inout [String]) throws {
        var seen: Set<UInt32> = []
        for original in segments where !original.isLoaded {
            let isNote = original.type == UInt32(PT_NOTE)
            guard isNote ? notes.count < 16 : seen.insert(original.type).inserted else { continue }
            if original.type == UInt32(PT_GNU_STACK) {
                // Only its flags count, and the size of memory in other systems.
                others.append(
                    ELFSegment(
                        type: original.type, flags: original.flags & 7, offset: 0, address: 0,
                        fileSize: 0, memorySize: original.memorySize, alignment: 16))
                continue
            }
            if original.type == UInt32(PT_PHDR) {
                table = original
                table?.alignment = 8
                continue
            }
            guard let name = Self.names[original.type] else { continue }
            var segment = original
            // Of thread-local storage only the start is in the file; of RELRO less than it may be.
            if original.type != UInt32(PT_TLS) { segment.memorySize = original.fileSize }
            guard original.fileSize <= original.memorySize,
                let offset = view.offset(of: original.address, size: original.fileSize),
                original.alignment & (original.alignment &- 1) == 0
            else {
                remarks.append("left out: \(name), whose contents are not in the capture")
                continue
            }
            segment.offset = offset
            try take(segment, name, view, remarks: &remarks)
        }
    }

    private static let names: [UInt32: String] = [
        UInt32(PT_INTERP): "PT_INTERP", UInt32(PT_DYNAMIC): "PT_DYNAMIC",
        UInt32(PT_NOTE): "PT_NOTE", UInt32(PT_TLS): "PT_TLS",
        UInt32(PT_GNU_EH_FRAME): "PT_GNU_EH_FRAME", UInt32(PT_GNU_RELRO): "PT_GNU_RELRO",
    ]

    private mutating func take(
        _ segment: ELFSegment, _ name: String, _ view: ImageView, remarks: inout [String]
    ) throws {
        let bytes = try view.bytes(at: segment.address, size: min(segment.fileSize, 4096))
        switch Int32(bitPattern: segment.type) {
        case PT_INTERP:
            guard segment.fileSize <= 4096, let bytes, bytes.count > 1,
                bytes.firstIndex(of: 0) == bytes.count - 1
            else {
                remarks.append("left out: PT_INTERP, which is not a path")
                return
            }
            interpreter = segment
            add(".interp", type: SHT_PROGBITS, segment)
        case PT_DYNAMIC:
            dynamic = segment
        case PT_NOTE:
            guard segment.fileSize <= 4096, let bytes,
                let content = Self.notes(bytes, alignment: segment.alignment)
            else {
                remarks.append("left out: PT_NOTE, which holds no notes")
                return
            }
            if let id = content.buildID {
                // A debugger would look up the original's debug information with it, and place
                // that by sections of the same name, which are others here.
                buildID = id
                return
            }
            add(notes.isEmpty ? ".note" : ".note.\(notes.count + 1)", type: SHT_NOTE, segment)
            notes.append(segment)
        default:
            others.append(segment)
        }
    }

    private mutating func add(_ name: String, type: Int32, _ segment: ELFSegment) {
        sections.append(
            SectionTable.Known(
                ELFSection(
                    name: name, type: UInt32(type), flags: UInt64(SHF_ALLOC),
                    address: segment.address, offset: segment.offset, size: segment.fileSize,
                    alignment: type == SHT_NOTE ? max(4, segment.alignment) : 1)))
    }

    private struct Notes {
        var buildID: [UInt8]?
    }

    /// What matters of a list of notes; nil: it is none, or has a rest.
    private static func notes(
        _ bytes: [UInt8], alignment: UInt64
    ) -> Notes? {
        let alignment: UInt64 = alignment == 8 ? 8 : 4
        var position: UInt64 = 0
        var buildID: [UInt8]?
        let end = UInt64(bytes.count)
        while position < end {
            guard end - position >= 12 else { return nil }
            let name = bytes.number(at: Int(position), size: 4)
            let size = bytes.number(at: Int(position) + 4, size: 4)
            let type = bytes.number(at: Int(position) + 8, size: 4)
            guard name > 0, name <= end, size <= end else { return nil }
            let content = (position + 12 + name).roundedUp(to: alignment)
            guard content + size <= end else { return nil }
            if type == UInt64(NT_GNU_BUILD_ID),
                bytes.dropFirst(Int(position) + 12).starts(with: "GNU\0".utf8)
            {
                buildID = Array(bytes[Int(content)..<Int(content + size)])
            }
            position = (content + size).roundedUp(to: alignment)
        }
        return bytes.isEmpty ? nil : Notes(buildID: buildID)
    }

    /// All program headers in the order that gabi asks for: PT_PHDR and PT_INTERP come first.
    func inOrder(loads: [ELFSegment], hasTable: Bool) -> [ELFSegment] {
        (hasTable ? [table].compactMap { $0 } : []) + [interpreter].compactMap { $0 } + loads
            + [dynamic].compactMap { $0 } + notes + others
    }
}
