// SPDX-License-Identifier: MIT
internal import CLibelf
internal import HuskModel

/// Where in a rebuilt file everything goes.
///
/// The file begins with its header and the program headers, in place of the captured ones if
/// these are part of the first segment: a static program looks for them there. Each segment
/// follows on a page of its own, so that what lies before it in its first page can be as it was
/// in memory. The section headers come last.
struct RebuildPlan {
    struct Piece {
        var offset: UInt64
        var memory: Range<Address>
        /// So many bytes at its start belong to no segment.
        var lead: UInt64 = 0
    }

    /// Bytes that are written over those of memory.
    struct Patch {
        var offset: UInt64
        var bytes: [UInt8]
        var end: UInt64 { offset + UInt64(bytes.count) }
    }

    var elfClass: ELFClass
    var type: Int32
    var segments: [ELFSegment] = []
    var sections: [ELFSection] = []
    var entry: UInt64 = 0
    var bias: UInt64 = 0
    /// By offset.
    var pieces: [Piece] = []
    var patches: [Patch] = []
    /// Parts of segments that are in no piece: nothing of them is known.
    var unwritten: [Range<Address>] = []
    var remarks: [String] = []
    var buildID: [UInt8]?
    /// Nil: the file brings its own header.
    var tableOffset: UInt64?
    private(set) var contentEnd: UInt64 = 0
    private(set) var trailer: [UInt8] = []

    var size: UInt64 { contentEnd + UInt64(trailer.count) }

    init(_ elfClass: ELFClass, type: Int32) {
        self.elfClass = elfClass
        self.type = type
    }

    /// What is zero because it is not known: ascending.
    func missing(_ reader: MemoryReader) -> [Range<Address>] {
        let holes = pieces.flatMap { piece in
            reader.missing(
                in: piece.memory.lowerBound.advanced(by: piece.lead)..<piece.memory.upperBound)
        }
        return (holes + unwritten).sorted { $0.lowerBound < $1.lowerBound }
    }

    /// Writes the headers, when everything else is decided.
    mutating func seal() {
        contentEnd = pieces.map { $0.offset + $0.memory.byteCount }.max() ?? 0
        guard let tableOffset else { return }
        contentEnd = max(
            contentEnd,
            tableOffset + UInt64(segments.count * elfClass.programHeaderSize))
        contentEnd = contentEnd.roundedUp(to: 8)

        var names: [UInt8] = [0]
        var nameOffsets: [Int] = []
        for name in sections.map(\.name) + [".shstrtab"] {
            nameOffsets.append(names.count)
            names += Array(name.utf8) + [0]
        }
        sections.append(
            ELFSection(
                name: ".shstrtab", type: UInt32(SHT_STRTAB), flags: 0, address: 0,
                offset: contentEnd, size: UInt64(names.count)))
        var encoder = ELFEncoder(elfClass)
        encoder.append(names)
        encoder.align(8)
        let headersOffset = contentEnd + UInt64(encoder.bytes.count)
        encoder.zeros(elfClass.sectionHeaderSize)  // index 0 is none
        for (section, name) in zip(sections, nameOffsets) {
            encoder.sectionHeader(section, name: name)
        }
        trailer = encoder.bytes

        var header = ELFEncoder(elfClass)
        header.fileHeader(
            type: type, machine: elfClass == .bits64 ? EM_X86_64 : EM_386, entry: entry,
            programHeaderOffset: tableOffset, programHeaderCount: segments.count,
            sectionHeaderOffset: headersOffset, sectionHeaderCount: sections.count + 1,
            nameSection: sections.count)
        patches.append(Patch(offset: 0, bytes: header.bytes))
        var table = ELFEncoder(elfClass)
        for segment in segments { table.programHeader(segment) }
        patches.append(Patch(offset: tableOffset, bytes: table.bytes))
    }

    /// Gives the loaded segments their place in the file, and the file its pieces.
    ///
    /// Returns them with offset and size in the file, at their linked addresses. `headEnd` is one
    /// past the headers, `inPlace` whether the first segment begins with them.
    mutating func place(
        _ loads: [ELFSegment], bias: UInt64, headEnd: UInt64, inPlace: Bool, _ reader: MemoryReader
    ) throws(ELFError) -> [ELFSegment] {
        var result: [ELFSegment] = []
        var cursor = inPlace ? 0 : headEnd
        var total: UInt64 = 0
        for (index, load) in loads.enumerated() {
            let start = load.address &+ bias
            let (end, overflow) = start.addingReportingOverflow(load.memorySize)
            guard !overflow else {
                throw ELFError(.malformed, "segment \(index) does not fit into the address space")
            }
            let memory = Address(start)..<Address(end)
            let knownEnd = reader.known(in: memory).last?.upperBound ?? memory.lowerBound
            let size = knownEnd.rawValue - start
            total = total.addingReportingOverflow(size).overflow ? .max : total + size
            guard total <= RebuiltImage.largestContent else {
                throw ELFError(
                    .tooLarge,
                    "the image is longer than \(RebuiltImage.largestContent >> 20) MiB",
                    hint: "write a core file of the process instead")
            }
            if knownEnd < memory.upperBound { unwritten.append(knownEnd..<memory.upperBound) }
            var placed = load
            placed.fileSize = size
            placed.alignment = 4096
            placed.flags &= 7
            let lead = load.address & 0xFFF
            if size == 0 {
                // The kernel maps the page of the file that holds the offset: there must be one.
                placed.offset = lead
            } else if index == 0, inPlace || lead >= headEnd {
                placed.offset = lead
                pieces.append(Piece(offset: lead, memory: memory.lowerBound..<knownEnd))
                cursor = lead + size
            } else {
                let page = cursor.roundedUp(to: 4096)
                placed.offset = page + lead
                pieces.append(
                    Piece(
                        offset: page, memory: Address(start - min(lead, start))..<knownEnd,
                        lead: lead))
                cursor = page + lead + size
            }
            result.append(placed)
        }
        guard total > 0 else {
            throw ELFError(
                .nothingToWrite, "no byte of the image is in the capture",
                hint: "choose a later time")
        }
        return result
    }
}
