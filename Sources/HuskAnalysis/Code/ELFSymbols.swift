// SPDX-License-Identifier: MIT
internal import CLibelf
internal import Glibc
public import HuskModel

/// The functions of a program or library on this machine, for naming a place in its code.
public struct ELFSymbols: Sendable {
    private struct Function: Sendable {
        var address: UInt64
        var size: UInt64
        var name: TargetText
    }

    private struct Segment: Sendable {
        var offset: UInt64
        var size: UInt64
        var address: UInt64
    }

    private static let symbolLimit = 4_000_000
    /// Names longer than this are none.
    private static let nameLimit = 4096

    private var functions: [Function] = []
    private var segments: [Segment] = []

    /// Nil: the path does not lead to that very file any more, it cannot be read, or is no ELF.
    public init?(of file: FileIdentity) {
        guard file.linkCount > 0, let path = file.path, path.bytes.first == UInt8(ascii: "/"),
            !path.bytes.contains(0)
        else { return nil }
        let name = path.bytes.map { CChar(bitPattern: $0) } + [0]
        // O_NONBLOCK: a FIFO would be waited for.
        let descriptor = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            UInt64(status.st_ino) == file.inode,
            Self.major(status.st_dev) == file.deviceMajor,
            Self.minor(status.st_dev) == file.deviceMinor
        else { return nil }
        read(descriptor)
        guard !functions.isEmpty else { return nil }
        functions.sort { $0.address < $1.address }
    }

    /// The function that a byte of the file is in, and how far into it; nil: in none.
    public func function(at offset: UInt64) -> (name: TargetText, offset: UInt64)? {
        guard
            let segment = segments.first(where: {
                $0.offset <= offset && offset - $0.offset < $0.size
            })
        else { return nil }
        let address = segment.address &+ (offset - segment.offset)
        var low = 0
        var high = functions.count
        while low < high {
            let middle = (low + high) / 2
            if functions[middle].address <= address { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return nil }
        let function = functions[low - 1]
        let distance = address - function.address
        // Hand-written code says no size: up to the next one.
        guard function.size == 0 || distance <= function.size else { return nil }
        return (function.name, distance)
    }

    /// As major(3), which is a macro.
    private static func major(_ device: dev_t) -> UInt32 {
        UInt32(truncatingIfNeeded: device >> 8 & 0xFFF | device >> 32 & ~0xFFF)
    }

    private static func minor(_ device: dev_t) -> UInt32 {
        UInt32(truncatingIfNeeded: device & 0xFF | device >> 12 & ~0xFF)
    }

    private mutating func read(_ descriptor: Int32) {
        guard elf_version(UInt32(EV_CURRENT)) != UInt32(EV_NONE),
            let elf = elf_begin(descriptor, ELF_C_READ, nil)
        else { return }
        defer { elf_end(elf) }
        guard elf_kind(elf) == ELF_K_ELF else { return }
        readSegments(elf)
        var section: OpaquePointer?
        while let next = elf_nextscn(elf, section) {
            section = next
            var header = GElf_Shdr()
            guard gelf_getshdr(next, &header) != nil,
                header.sh_type == UInt32(SHT_SYMTAB) || header.sh_type == UInt32(SHT_DYNSYM),
                header.sh_entsize > 0, let data = elf_getdata(next, nil)
            else { continue }
            readSymbols(elf, data, header)
        }
    }

    private mutating func readSegments(_ elf: OpaquePointer) {
        var count = 0
        guard elf_getphdrnum(elf, &count) == 0 else { return }
        for index in 0..<min(count, 4096) {
            var header = GElf_Phdr()
            guard gelf_getphdr(elf, Int32(index), &header) != nil,
                header.p_type == UInt32(PT_LOAD)
            else { continue }
            segments.append(
                Segment(offset: header.p_offset, size: header.p_filesz, address: header.p_vaddr))
        }
    }

    private mutating func readSymbols(
        _ elf: OpaquePointer, _ data: UnsafeMutablePointer<Elf_Data>, _ header: GElf_Shdr
    ) {
        let count = min(
            header.sh_size / header.sh_entsize, UInt64(Self.symbolLimit - functions.count))
        for index in 0..<Int32(clamping: count) {
            var symbol = GElf_Sym()
            guard gelf_getsym(data, index, &symbol) != nil else { return }
            let kind = Int32(symbol.st_info & 0xF)
            guard kind == STT_FUNC || kind == STT_GNU_IFUNC, symbol.st_shndx != SHN_UNDEF,
                let name = elf_strptr(elf, Int(header.sh_link), Int(symbol.st_name))
            else { continue }
            // Safe: libelf gives a string that ends within its section.
            let length = strnlen(name, Self.nameLimit)
            guard length > 0, length < Self.nameLimit else { continue }
            let bytes = UnsafeBufferPointer(start: name, count: length).map {
                UInt8(bitPattern: $0)
            }
            functions.append(
                Function(
                    address: symbol.st_value, size: symbol.st_size,
                    name: TargetText(bytes: bytes)))
        }
    }
}
