// SPDX-License-Identifier: MIT
internal import CLibelf

/// The word size of an ELF file.
public enum ELFClass: Hashable, Sendable {
    case bits32, bits64

    /// Bytes of its file header: elf(5).
    public var headerSize: Int {
        self == .bits64 ? MemoryLayout<Elf64_Ehdr>.size : MemoryLayout<Elf32_Ehdr>.size
    }

    /// Bytes of one program header.
    public var programHeaderSize: Int {
        self == .bits64 ? MemoryLayout<Elf64_Phdr>.size : MemoryLayout<Elf32_Phdr>.size
    }

    /// Bytes of one section header.
    public var sectionHeaderSize: Int {
        self == .bits64 ? MemoryLayout<Elf64_Shdr>.size : MemoryLayout<Elf32_Shdr>.size
    }

    /// One past the highest address that it can tell.
    var addressLimit: UInt64 {
        self == .bits64 ? 1 << 63 : 1 << 32
    }
}

/// The file header of an ELF file, as far as loading it needs (gabi, "ELF Header").
public struct ELFHeader: Hashable, Sendable {
    /// What the file is for.
    public enum Kind: Hashable, Sendable {
        /// ET_EXEC: its addresses are fixed.
        case executable
        /// ET_DYN: a shared object, or a program that runs anywhere.
        case shared
        /// ET_REL, ET_CORE or a number without a meaning; such are not loaded.
        case other(UInt16)
    }

    public var elfClass: ELFClass
    public var kind: Kind
    /// Where it starts, before it is moved. 0: nowhere.
    public var entry: UInt64
    /// Offset of the program headers in the file.
    public var programHeaderOffset: UInt64
    public var programHeaderCount: Int

    public init(
        elfClass: ELFClass, kind: Kind, entry: UInt64, programHeaderOffset: UInt64,
        programHeaderCount: Int
    ) {
        self.elfClass = elfClass
        self.kind = kind
        self.entry = entry
        self.programHeaderOffset = programHeaderOffset
        self.programHeaderCount = programHeaderCount
    }

    /// Offset, one past the last program header.
    public var tableEnd: UInt64 {
        let (end, overflow) = programHeaderOffset.addingReportingOverflow(
            UInt64(programHeaderCount * elfClass.programHeaderSize))
        return overflow ? .max : end
    }
}

/// A program header of an ELF file (gabi, "Program Header").
public struct ELFSegment: Hashable, Sendable {
    /// PT_LOAD and so on.
    public var type: UInt32
    /// PF_X = 1, PF_W = 2, PF_R = 4.
    public var flags: UInt32
    public var offset: UInt64
    public var address: UInt64
    public var fileSize: UInt64
    public var memorySize: UInt64
    public var alignment: UInt64

    public init(
        type: UInt32, flags: UInt32, offset: UInt64, address: UInt64, fileSize: UInt64,
        memorySize: UInt64, alignment: UInt64
    ) {
        self.type = type
        self.flags = flags
        self.offset = offset
        self.address = address
        self.fileSize = fileSize
        self.memorySize = memorySize
        self.alignment = alignment
    }

    public var isLoaded: Bool { type == UInt32(PT_LOAD) }
    public var isExecutable: Bool { flags & UInt32(PF_X) != 0 }
    public var isWritable: Bool { flags & UInt32(PF_W) != 0 }

    /// One past its last address in memory; the highest address if it would wrap.
    public var end: UInt64 {
        let (end, overflow) = address.addingReportingOverflow(memorySize)
        return overflow ? .max : end
    }
}
