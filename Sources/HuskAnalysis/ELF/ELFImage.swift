// SPDX-License-Identifier: MIT
internal import CLibelf
public import HuskModel

/// The headers of an ELF file, read from bytes that may say anything.
///
/// libelf decodes them, from a private copy; what it does not promise to check (that sizes and
/// addresses make sense) is checked here. Nothing about sections is read: they are not loaded,
/// so in memory there are none, and libelf gets to see a header without them.
public struct ELFImage: Hashable, Sendable {
    public var header: ELFHeader
    /// In the order of the file.
    public var segments: [ELFSegment]

    /// The kernel executes no file with a longer table (fs/binfmt_elf.c, load_elf_phdrs).
    public static let largestTable = 65536
    /// The table must end within so many bytes of the file's start.
    public static let largestPrefix = 128 * 1024

    public init(header: ELFHeader, segments: [ELFSegment]) {
        self.header = header
        self.segments = segments
    }

    /// Reads the headers from the first bytes of a file or of an image of it.
    ///
    /// Throws ``ELFError``: not an ELF file, none that is supported, or one whose program headers
    /// are not all in `bytes`. Whether they make sense is asked with ``checkSegments()``.
    public init(_ bytes: [UInt8]) throws(ELFError) {
        let elfClass = try Self.identify(bytes)
        var copy = bytes
        Self.hideSections(in: &copy, elfClass)
        let read: Result<ELFImage, ELFError> = copy.withUnsafeMutableBytes { buffer in
            do throws(ELFError) {
                return .success(try Self.decode(buffer, elfClass))
            } catch {
                return .failure(error)
            }
        }
        self = try read.get()
    }

    /// Checks that it is an ELF file of a supported kind, as far as its first 20 bytes tell.
    private static func identify(_ bytes: [UInt8]) throws(ELFError) -> ELFClass {
        guard bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else {
            throw ELFError(.notELF, "these bytes do not begin with the mark of an ELF file")
        }
        guard bytes.count > Int(EI_NIDENT) + 4 else {
            throw ELFError(.missing, "the ELF header is cut off after \(bytes.count) bytes")
        }
        let elfClass: ELFClass
        switch Int32(bytes[Int(EI_CLASS)]) {
        case ELFCLASS64: elfClass = .bits64
        case ELFCLASS32: elfClass = .bits32
        default:
            throw ELFError(.malformed, "the ELF header has the class \(bytes[Int(EI_CLASS)])")
        }
        guard Int32(bytes[Int(EI_DATA)]) == ELFDATA2LSB else {
            throw ELFError(
                .unsupported, "this ELF file is not little-endian",
                hint: "Husk reads files for x86 and x86-64 only")
        }
        guard Int32(bytes[Int(EI_VERSION)]) == EV_CURRENT else {
            throw ELFError(.malformed, "the ELF header has the version \(bytes[Int(EI_VERSION)])")
        }
        let machine = Int32(bytes[18]) | Int32(bytes[19]) << 8
        guard machine == (elfClass == .bits64 ? EM_X86_64 : EM_386) else {
            throw ELFError(
                .unsupported,
                "this ELF file is for the machine \(machine), of \(elfClass == .bits64 ? 64 : 32) bits",
                hint: "Husk reads files for x86 and x86-64 only")
        }
        guard bytes.count >= elfClass.headerSize else {
            throw ELFError(.missing, "the ELF header is cut off after \(bytes.count) bytes")
        }
        return elfClass
    }

    /// Sets the fields that point to section headers to 0: they would lead libelf astray.
    private static func hideSections(in bytes: inout [UInt8], _ elfClass: ELFClass) {
        let wide = elfClass == .bits64
        for index in wide ? 40..<48 : 32..<36 { bytes[index] = 0 }  // e_shoff
        for index in wide ? 58..<64 : 46..<52 { bytes[index] = 0 }  // e_shentsize, -num, -strndx
    }

    /// libelf keeps this per process.
    private static let isReady = elf_version(UInt32(EV_CURRENT)) != 0

    private static func decode(
        _ buffer: UnsafeMutableRawBufferPointer, _ elfClass: ELFClass
    ) throws(ELFError) -> ELFImage {
        // Safe: the buffer outlives the handle, and libelf reads `count` bytes at most.
        guard isReady, let start = buffer.baseAddress,
            let handle = elf_memory(start.assumingMemoryBound(to: CChar.self), buffer.count)
        else { throw ELFError(.malformed, "libelf does not take this header: \(libelfMessage())") }
        defer { elf_end(handle) }
        var raw = GElf_Ehdr()
        guard gelf_getehdr(handle, &raw) != nil else {
            throw ELFError(.malformed, "libelf does not take this header: \(libelfMessage())")
        }
        let kind: ELFHeader.Kind =
            switch Int32(raw.e_type) {
            case ET_EXEC: .executable
            case ET_DYN: .shared
            default: .other(raw.e_type)
            }
        let header = ELFHeader(
            elfClass: elfClass, kind: kind, entry: raw.e_entry, programHeaderOffset: raw.e_phoff,
            programHeaderCount: Int(raw.e_phnum))
        try check(header, entrySize: Int(raw.e_phentsize), available: buffer.count)
        var segments: [ELFSegment] = []
        segments.reserveCapacity(header.programHeaderCount)
        for index in 0..<header.programHeaderCount {
            var segment = GElf_Phdr()
            guard gelf_getphdr(handle, Int32(index), &segment) != nil else {
                throw ELFError(
                    .malformed, "program header \(index) cannot be read: \(libelfMessage())")
            }
            segments.append(
                ELFSegment(
                    type: segment.p_type, flags: segment.p_flags, offset: segment.p_offset,
                    address: segment.p_vaddr, fileSize: segment.p_filesz,
                    memorySize: segment.p_memsz, alignment: segment.p_align))
        }
        return ELFImage(header: header, segments: segments)
    }

    private static func check(
        _ header: ELFHeader, entrySize: Int, available: Int
    ) throws(ELFError) {
        guard header.programHeaderCount > 0 else {
            throw ELFError(.malformed, "the ELF file has no program headers")
        }
        guard entrySize == header.elfClass.programHeaderSize else {
            throw ELFError(.malformed, "its program headers are \(entrySize) bytes each")
        }
        guard header.programHeaderCount * entrySize <= largestTable else {
            throw ELFError(
                .malformed, "it has \(header.programHeaderCount) program headers",
                hint: "no kernel executes a file with more than \(largestTable) bytes of them")
        }
        guard header.programHeaderOffset >= UInt64(header.elfClass.headerSize) else {
            throw ELFError(.malformed, "its program headers lie within the ELF header")
        }
        guard header.tableEnd <= UInt64(available) else {
            throw ELFError(
                .missing,
                "its program headers end at offset \(header.tableEnd), of which \(available) "
                    + "bytes are here")
        }
    }

    private static func libelfMessage() -> String {
        elf_errmsg(elf_errno()).map { String(cString: $0) } ?? "no reason given"
    }
}

extension ELFImage {
    /// The segments that are loaded.
    public var loads: [ELFSegment] { segments.filter(\.isLoaded) }

    /// Where the file's first byte lies when it is not moved: of ET_DYN usually 0. nil: nothing
    /// is loaded.
    ///
    /// That of the lowest segment, as the kernel computes it (fs/binfmt_elf.c, load_elf_binary).
    public var linkedBase: UInt64? {
        guard let first = loads.min(by: { $0.address < $1.address }) else { return nil }
        return (first.address & ~0xFFF) &- (first.offset & ~0xFFF)
    }

    /// Whether its program headers make sense: something is loaded, ascending, without overlap, in
    /// the address space, and as little as a file holds.
    ///
    /// Throws ``ELFError`` with the first reason why not.
    public func checkSegments() throws(ELFError) {
        switch header.kind {
        case .executable, .shared: break
        case .other(let type): throw ELFError(.unsupported, "its type \(type) is not loaded")
        }
        var end: UInt64 = 0
        var isFirst = true
        for (index, segment) in segments.enumerated() where segment.isLoaded {
            guard segment.fileSize <= segment.memorySize else {
                throw ELFError(
                    .malformed, "segment \(index) is longer in the file than in memory")
            }
            guard !segment.offset.addingReportingOverflow(segment.fileSize).overflow,
                segment.memorySize < header.elfClass.addressLimit,
                segment.address < header.elfClass.addressLimit,
                segment.end <= header.elfClass.addressLimit
            else { throw ELFError(.malformed, "segment \(index) does not fit into memory") }
            guard segment.offset & 0xFFF == segment.address & 0xFFF else {
                throw ELFError(
                    .malformed, "segment \(index) cannot be mapped: offset and address disagree")
            }
            guard isFirst || segment.address >= end else {
                throw ELFError(
                    .malformed, "segment \(index) overlaps the one before, or is out of order")
            }
            end = segment.end
            isFirst = false
        }
        guard !isFirst else { throw ELFError(.malformed, "nothing of it is loaded") }
        guard loads.contains(where: { $0.memorySize > 0 }) else {
            throw ELFError(.malformed, "its segments are empty")
        }
    }

    /// Reads the headers of an image at an address.
    ///
    /// Throws ``ELFError``, or what the reader's source throws.
    public init(at base: Address, in reader: MemoryReader) throws {
        let head = try reader.knownPrefix(at: base, limit: ELFClass.bits64.headerSize)
        // Counts are looked at once more when all of the table has been read.
        let probe = head.count == ELFClass.bits64.headerSize ? Self.neededBytes(head) : 0
        self = try ELFImage(
            probe > head.count ? try reader.knownPrefix(at: base, limit: probe) : head)
    }

    /// How long a prefix of the file holds all program headers, as far as the header can be
    /// believed; ``largestPrefix`` at most.
    private static func neededBytes(_ head: [UInt8]) -> Int {
        let wide = Int32(head[Int(EI_CLASS)]) == ELFCLASS64
        func number(_ offset: Int, _ size: Int) -> UInt64 {
            (0..<size).reversed().reduce(0) { $0 << 8 | UInt64(head[offset + $1]) }
        }
        let offset = wide ? number(32, 8) : number(28, 4)
        let table =
            wide ? number(54, 2) * number(56, 2) : number(42, 2) * number(44, 2)
        let (end, overflow) = offset.addingReportingOverflow(table)
        return overflow ? largestPrefix : Int(min(end, UInt64(largestPrefix)))
    }
}
