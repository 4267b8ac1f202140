// SPDX-License-Identifier: MIT
internal import CLibelf

/// Lays out the structures of <elf.h>, of either class, byte by byte.
///
/// libelf can write as well, but it keeps the whole output in memory, or maps the file: a core of
/// 10 GiB goes out as a stream here.
struct ELFEncoder {
    let elfClass: ELFClass
    private(set) var bytes: [UInt8] = []

    init(_ elfClass: ELFClass) {
        self.elfClass = elfClass
    }

    mutating func integer(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// A number of the class's word size: `unsigned long`.
    mutating func word(_ value: UInt64) {
        if elfClass == .bits64 {
            integer(value)
        } else {
            integer(UInt32(truncatingIfNeeded: value))
        }
    }

    /// A field of fixed length: cut off, or filled with zeros.
    mutating func field(_ text: some Collection<UInt8>, length: Int) {
        bytes.append(contentsOf: text.prefix(length))
        zeros(length - min(length, text.count))
    }

    mutating func zeros(_ count: Int) {
        bytes.append(contentsOf: repeatElement(0, count: max(0, count)))
    }

    mutating func append(_ more: some Sequence<UInt8>) {
        bytes.append(contentsOf: more)
    }

    mutating func align(_ alignment: Int) {
        zeros((alignment - bytes.count % alignment) % alignment)
    }

    /// Appends a C structure as it is in memory: x86's own layout and byte order.
    private mutating func structure<Value: BitwiseCopyable>(_ value: Value) {
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
    }

    mutating func fileHeader(
        type: Int32, machine: Int32, entry: UInt64 = 0, programHeaderOffset: UInt64,
        programHeaderCount: Int, sectionHeaderOffset: UInt64 = 0, sectionHeaderCount: Int = 0,
        nameSection: Int = 0
    ) {
        let identity: [UInt8] = [
            0x7F, 0x45, 0x4C, 0x46, UInt8(elfClass == .bits64 ? ELFCLASS64 : ELFCLASS32),
            UInt8(ELFDATA2LSB), UInt8(EV_CURRENT), UInt8(ELFOSABI_NONE),
        ]
        // Counts are bounded by who calls; a wrong header is better than a trap.
        if elfClass == .bits64 {
            var header = Elf64_Ehdr()
            withUnsafeMutableBytes(of: &header.e_ident) { $0.copyBytes(from: identity) }
            header.e_type = UInt16(truncatingIfNeeded: type)
            header.e_machine = UInt16(truncatingIfNeeded: machine)
            header.e_version = UInt32(EV_CURRENT)
            header.e_entry = entry
            header.e_phoff = programHeaderOffset
            header.e_shoff = sectionHeaderOffset
            header.e_ehsize = UInt16(elfClass.headerSize)
            header.e_phentsize = UInt16(elfClass.programHeaderSize)
            header.e_phnum = UInt16(clamping: programHeaderCount)
            header.e_shentsize = UInt16(sectionHeaderCount > 0 ? elfClass.sectionHeaderSize : 0)
            header.e_shnum = UInt16(clamping: sectionHeaderCount)
            header.e_shstrndx = UInt16(clamping: nameSection)
            structure(header)
        } else {
            var header = Elf32_Ehdr()
            withUnsafeMutableBytes(of: &header.e_ident) { $0.copyBytes(from: identity) }
            header.e_type = UInt16(truncatingIfNeeded: type)
            header.e_machine = UInt16(truncatingIfNeeded: machine)
            header.e_version = UInt32(EV_CURRENT)
            header.e_entry = UInt32(truncatingIfNeeded: entry)
            header.e_phoff = UInt32(truncatingIfNeeded: programHeaderOffset)
            header.e_shoff = UInt32(truncatingIfNeeded: sectionHeaderOffset)
            header.e_ehsize = UInt16(elfClass.headerSize)
            header.e_phentsize = UInt16(elfClass.programHeaderSize)
            header.e_phnum = UInt16(clamping: programHeaderCount)
            header.e_shentsize = UInt16(sectionHeaderCount > 0 ? elfClass.sectionHeaderSize : 0)
            header.e_shnum = UInt16(clamping: sectionHeaderCount)
            header.e_shstrndx = UInt16(clamping: nameSection)
            structure(header)
        }
    }

    mutating func programHeader(_ segment: ELFSegment) {
        if elfClass == .bits64 {
            structure(
                Elf64_Phdr(
                    p_type: segment.type, p_flags: segment.flags, p_offset: segment.offset,
                    p_vaddr: segment.address, p_paddr: segment.address, p_filesz: segment.fileSize,
                    p_memsz: segment.memorySize, p_align: segment.alignment))
        } else {
            structure(
                Elf32_Phdr(
                    p_type: segment.type, p_offset: UInt32(truncatingIfNeeded: segment.offset),
                    p_vaddr: UInt32(truncatingIfNeeded: segment.address),
                    p_paddr: UInt32(truncatingIfNeeded: segment.address),
                    p_filesz: UInt32(truncatingIfNeeded: segment.fileSize),
                    p_memsz: UInt32(truncatingIfNeeded: segment.memorySize),
                    p_flags: segment.flags, p_align: UInt32(truncatingIfNeeded: segment.alignment)))
        }
    }

    /// `name` is the offset of the section's name in the table of names.
    mutating func sectionHeader(_ section: ELFSection, name: Int) {
        if elfClass == .bits64 {
            structure(
                Elf64_Shdr(
                    sh_name: UInt32(clamping: name), sh_type: section.type,
                    sh_flags: section.flags, sh_addr: section.address, sh_offset: section.offset,
                    sh_size: section.size, sh_link: section.link, sh_info: section.info,
                    sh_addralign: section.alignment, sh_entsize: section.entrySize))
        } else {
            structure(
                Elf32_Shdr(
                    sh_name: UInt32(clamping: name), sh_type: section.type,
                    sh_flags: UInt32(truncatingIfNeeded: section.flags),
                    sh_addr: UInt32(truncatingIfNeeded: section.address),
                    sh_offset: UInt32(truncatingIfNeeded: section.offset),
                    sh_size: UInt32(truncatingIfNeeded: section.size), sh_link: section.link,
                    sh_info: section.info,
                    sh_addralign: UInt32(truncatingIfNeeded: section.alignment),
                    sh_entsize: UInt32(truncatingIfNeeded: section.entrySize)))
        }
    }

    /// A note (gabi, "Note Section"), filled up to 4 bytes as Linux does for both classes.
    mutating func note(type: UInt32, owner: String, _ content: [UInt8]) {
        integer(UInt32(owner.utf8.count + 1))
        integer(UInt32(clamping: content.count))
        integer(type)
        append(owner.utf8)
        integer(UInt8(0))
        align(4)
        append(content)
        align(4)
    }
}

/// A section header of an ELF file (gabi, "Sections").
public struct ELFSection: Hashable, Sendable {
    public var name: String
    /// SHT_PROGBITS and so on.
    public var type: UInt32
    /// SHF_WRITE = 1, SHF_ALLOC = 2, SHF_EXECINSTR = 4.
    public var flags: UInt64
    public var address: UInt64
    public var offset: UInt64
    public var size: UInt64
    /// The index of the section that this one refers to.
    public var link: UInt32 = 0
    public var info: UInt32 = 0
    public var alignment: UInt64 = 1
    public var entrySize: UInt64 = 0
}
