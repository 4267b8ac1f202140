// SPDX-License-Identifier: MIT
internal import CLibelf
internal import HuskModel

extension RebuildPlan {
    /// An image with headers whose segments are where they run.
    init(
        loaded found: FoundImage, _ headers: ELFImage, _ addresses: RebuiltImage.Addresses,
        entry: Address?, _ reader: MemoryReader
    ) throws {
        try headers.checkSegments()
        let elfClass = headers.header.elfClass
        let isMoved = headers.header.kind == .shared && addresses == .captured
        self.init(
            elfClass, type: headers.header.kind == .shared && !isMoved ? ET_DYN : ET_EXEC)
        if isMoved, elfClass == .bits32,
            headers.loads.contains(where: {
                let (end, overflow) = $0.end.addingReportingOverflow(found.bias)
                return overflow || end > elfClass.addressLimit
            })
        {
            throw ELFError(
                .malformed, "a 32-bit file cannot have the addresses at which it was captured",
                hint: "it was mapped above 4 GiB; take the addresses it was linked at")
        }
        // Addresses of the file, minus those in its headers.
        let shift = isMoved ? found.bias : 0
        bias = found.bias &- shift

        let loads = headers.loads
        let first = loads[0]
        let inPlace =
            first.offset == 0 && headers.header.tableEnd <= first.memorySize
            && (found.base.range(of: headers.header.tableEnd).map {
                reader.missing(in: $0).isEmpty
            } ?? false)
        let table =
            inPlace ? headers.header.programHeaderOffset : UInt64(elfClass.headerSize)
        tableOffset = table
        let headEnd = table + UInt64(headers.segments.count * elfClass.programHeaderSize)
        let placed = try place(
            loads, bias: found.bias, headEnd: headEnd, inPlace: inPlace, reader)
        let view = ImageView(
            loads: placed, bias: found.bias, elfClass: elfClass, reader: reader)

        self.entry = try Self.entry(entry, headers.header.entry, view) &+ shift
        // A header's own entry may be anywhere.
        if elfClass == .bits32 { self.entry &= UInt64(UInt32.max) }
        var kept = try KeptSegments(headers.segments, view, remarks: &remarks)
        buildID = kept.buildID
        var tables: DynamicTables?
        if let dynamic = kept.dynamic {
            tables = isMoved ? nil : try DynamicTables(dynamic, view, remarks: &remarks)
            if tables == nil { kept.dynamic = nil }
            if isMoved {
                remarks.append("left out: .dynamic, as its addresses are the linked ones")
            }
        }
        segments = kept.inOrder(loads: placed, hasTable: inPlace)
        if let index = segments.firstIndex(where: { $0.type == UInt32(PT_PHDR) }) {
            // It covers the table as it is now, which may be shorter.
            let size = UInt64(segments.count * elfClass.programHeaderSize)
            segments[index].offset = table
            segments[index].address = placed[0].address + table
            segments[index].fileSize = size
            segments[index].memorySize = size
        }
        let sections = SectionTable(
            loads: placed, firstOffset: inPlace ? headEnd : 0,
            known: kept.sections + (tables?.sections ?? []))
        self.sections = sections.sections
        if let tables, let offset = kept.dynamic?.offset {
            patches.append(Patch(offset: offset, bytes: tables.dynamic))
            if let symbols = tables.symbols(numberedAs: self.sections) {
                patches.append(symbols)
            }
        }
        for index in segments.indices where segments[index].type != UInt32(PT_GNU_STACK) {
            segments[index].address &+= shift
        }
        for index in self.sections.indices { self.sections[index].address &+= shift }
    }

    private static func entry(
        _ captured: Address?, _ linked: UInt64, _ view: ImageView
    ) throws(ELFError) -> UInt64 {
        guard let captured else { return linked }
        let address = captured.rawValue &- view.bias
        guard view.loads.contains(where: { $0.address <= address && address < $0.end }) else {
            throw ELFError(
                .malformed, "the entry \(captured) is not in the image",
                hint: "name an address in one of its segments, or none")
        }
        return address
    }

    /// An ELF file that lies in a buffer: it is taken as it is.
    init(file found: FoundImage, _ headers: ELFImage, _ reader: MemoryReader) throws {
        let elfClass = headers.header.elfClass
        self.init(elfClass, type: headers.header.kind == .executable ? ET_EXEC : ET_DYN)
        segments = headers.segments
        entry = headers.header.entry
        // What the headers do not name, its section headers and .symtab, may follow in memory.
        let wide = elfClass == .bits64
        let head = try reader.knownPrefix(at: found.base, limit: elfClass.headerSize)
        guard head.count == elfClass.headerSize else {
            throw ELFError(.missing, "the header at \(found.base) is not in the capture")
        }
        func number(_ range: Range<Int>) -> UInt64 {
            head[range].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        let offset = number(wide ? 40..<48 : 32..<36)
        let table = number(wide ? 58..<60 : 46..<48) &* number(wide ? 60..<62 : 48..<50)
        let (sectionsEnd, overflow) = offset.addingReportingOverflow(table)
        let (sectionsLimit, wraps) = found.base.rawValue.addingReportingOverflow(
            overflow ? .max : sectionsEnd)
        // All up to there must be known: a file of holes is not what was in the buffer.
        let hasSections =
            offset > 0 && table > 0 && !overflow && !wraps
            && sectionsEnd <= RebuiltImage.largestContent
            && reader.missing(in: found.base.advanced(by: offset)..<Address(sectionsLimit)).isEmpty
            && reader.missing(
                in: min(found.range.upperBound, Address(sectionsLimit))..<Address(sectionsLimit)
            ).isEmpty
        let end = max(found.range.upperBound.rawValue, hasSections ? sectionsLimit : 0)
        guard end > found.base.rawValue,
            end - found.base.rawValue <= RebuiltImage.largestContent
        else { throw ELFError(.tooLarge, "the ELF file in memory is too long") }
        pieces = [Piece(offset: 0, memory: found.base..<Address(end))]
        if headers.loads.contains(where: {
            $0.fileSize > 0 && $0.offset &+ ($0.fileSize - 1) >= end - found.base.rawValue
        }) {
            remarks.append("cut off: the file's headers name more of it than is in memory")
        }
        if !hasSections {
            // Tools take a table that is not there for damage.
            let places = wide ? [40..<48, 60..<64] : [32..<36, 48..<52]
            patches = places.map {
                Patch(offset: UInt64($0.lowerBound), bytes: Array(repeating: 0, count: $0.count))
            }
            if offset > 0 { remarks.append("left out: section headers, which are not in memory") }
        }
    }

    /// Regions without an ELF header: each becomes a segment, at its own address.
    init(
        regions found: FoundImage, is32Bit: Bool, entry: Address?, _ reader: MemoryReader
    ) throws {
        let fits = (found.parts.last?.end.rawValue ?? 0) <= 1 << 32
        self.init(is32Bit && fits ? .bits32 : .bits64, type: ET_EXEC)
        guard found.parts.count <= ImageFinder.largestParts else {
            throw ELFError(.tooLarge, "\(found.parts.count) regions are too many for an ELF file")
        }
        let loads = found.parts.filter { $0.start < $0.end }.map { part in
            ELFSegment(
                type: UInt32(PT_LOAD), flags: part.protection.segmentFlags, offset: 0,
                address: part.start.rawValue, fileSize: 0,
                memorySize: part.end.rawValue - part.start.rawValue, alignment: 4096)
        }
        // Without this header the kernel makes readable memory of it executable.
        let stack = ELFSegment(
            type: UInt32(PT_GNU_STACK), flags: UInt32(PF_R | PF_W), offset: 0, address: 0,
            fileSize: 0, memorySize: 0, alignment: 16)
        let table = UInt64(elfClass.headerSize)
        tableOffset = table
        let placed = try place(
            loads, bias: 0,
            headEnd: table + UInt64((loads.count + 1) * elfClass.programHeaderSize),
            inPlace: false, reader)
        segments = placed + [stack]
        sections = SectionTable(loads: placed, firstOffset: 0, known: []).sections
        if let entry {
            guard found.parts.contains(where: { $0.start <= entry && entry < $0.end }) else {
                throw ELFError(
                    .malformed, "the entry \(entry) is not in the image",
                    hint: "name an address in one of its regions, or none")
            }
            self.entry = entry.rawValue
        } else {
            self.entry = try Self.firstCode(in: found, reader)?.rawValue ?? 0
            remarks.append("the entry is a guess: the first page with code")
        }
    }

    /// The start of the first executable page that is not all zeros.
    private static func firstCode(
        in found: FoundImage, _ reader: MemoryReader
    ) throws -> Address? {
        for part in found.parts where part.protection.contains(.execute) && part.start < part.end {
            for known in reader.known(in: part.start..<part.end) {
                var start = known.lowerBound
                while start < known.upperBound {
                    let left = known.upperBound.rawValue - start.rawValue
                    let end = start.advanced(by: min(4096 - (start.rawValue & 0xFFF), left))
                    if try reader.read(start..<end).bytes.contains(where: { $0 != 0 }) {
                        return start
                    }
                    start = end
                }
            }
        }
        return nil
    }
}
