// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc
internal import HuskModel

/// Another process's memory, read from outside while that process runs (or is held by a probe).
///
/// Two things must not happen. Bytes of another process must not be taken for the target's, when
/// its number has been given away or it has executed another program meanwhile: who calls checks
/// that before and after (``EventBuilder``). And Husk must not wait for the target: a page that is
/// not resident may be one that a userfaultfd of the target's serves, or never will. So only pages
/// that are there are read from the process; others from the file behind them.
struct OutsideMemory {
    let pid: Int32
    /// A thread that has the memory: the process's first one may have ended.
    private var knownHolder: Int32?
    /// Opened when first needed: most processes are never read from outside.
    private var memory: FileHandle?
    private var pagemap: PageMap?
    private var mapped: (range: Range<Address>, file: FileHandle)?

    /// A descriptor that is closed with its last owner; a class, because it is optional.
    private final class FileHandle {
        let descriptor: OwnedDescriptor
        init?(_ path: String) {
            let number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
            guard number >= 0 else { return nil }
            descriptor = OwnedDescriptor(number)
        }
    }

    struct Errno: Error {
        var rawValue: Int32
    }

    static let pageSize = 4096

    init(of pid: Int32) {
        self.pid = pid
    }

    /// The whole page at `address`, which must be resident: process_vm_readv(2).
    func readPage(at address: UInt64) -> Result<[UInt8], Errno> {
        let result = readPage(at: address, of: knownHolder ?? pid)
        guard case .failure(let failure) = result, failure.rawValue == ESRCH else { return result }
        return readPage(at: address, of: ProcessFacts.memoryHolder(of: pid))
    }

    private func readPage(at address: UInt64, of thread: Int32) -> Result<[UInt8], Errno> {
        var failure: Int32 = 0
        let size = Self.pageSize
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            // Safe: at most `size` bytes are written to our own buffer; the remote address
            // is only a number to this process.
            let result = husk_process_read(thread, address, buffer.baseAddress, size)
            count = result == size ? size : 0
            failure = result < 0 ? Int32(-result) : EFAULT
        }
        return bytes.isEmpty ? .failure(Errno(rawValue: failure)) : .success(bytes)
    }

    /// The same, also where the process itself has no right to read (-WX, --X).
    mutating func readWhateverProtection(at address: UInt64) -> Result<[UInt8], Errno> {
        if case .success(let bytes) = readPage(at: address) { return .success(bytes) }
        return readProtectedPage(at: address)
    }

    /// The same through /proc/PID/mem, which passes over protection (FOLL_FORCE).
    mutating func readProtectedPage(at address: UInt64) -> Result<[UInt8], Errno> {
        if memory == nil { memory = FileHandle("/proc/\(holder())/mem") }
        guard let memory else { return .failure(Errno(rawValue: errno)) }
        guard let offset = Int(exactly: address) else { return .failure(Errno(rawValue: EFAULT)) }
        return Self.readPage(of: memory, at: offset)
    }

    private mutating func holder() -> Int32 {
        let found = knownHolder ?? ProcessFacts.memoryHolder(of: pid)
        knownHolder = found
        return found
    }

    enum FilePage {
        case page([UInt8])
        /// The file ends before it: there is no such page.
        case behindEnd
        case unknown
    }

    /// A page from the file behind a mapping, through /proc/PID/map_files: also of files that
    /// have no name any more, or one in another mount namespace.
    ///
    /// - Parameter range: the mapping, or a part of one.
    mutating func readMappedFile(_ range: Range<Address>, at offset: UInt64) -> FilePage {
        if mapped?.range != range {
            mapped = openMappedFile(range, of: holder()).map { (range, $0) }
        }
        guard let file = mapped?.file, let offset = Int(exactly: offset),
            BackingFileReader.isReadable(file.descriptor)
        else { return .unknown }
        var page = [UInt8](repeating: 0, count: Self.pageSize)
        // Safe: pread writes at most one page to our own array.
        let count = retryingInterrupted {
            pread(file.descriptor.number, &page, Self.pageSize, offset)
        }
        return count > 0 ? .page(page) : count == 0 ? .behindEnd : .unknown
    }

    /// Whether a mapping, or the one that a range is a part of, is made of huge pages from the pool.
    func isOfHugePages(_ range: Range<Address>) -> Bool {
        let hugetlbfs: Int64 = 0x9584_58F6  // HUGETLBFS_MAGIC, linux/magic.h
        return openMappedFile(range, of: ProcessFacts.memoryHolder(of: pid)).map {
            husk_file_system_type($0.descriptor.number) == hugetlbfs
        } ?? false
    }

    /// The folder has a file for each mapping as the kernel has it, no other ones.
    private func openMappedFile(_ range: Range<Address>, of thread: Int32) -> FileHandle? {
        func open(_ range: Range<Address>) -> FileHandle? {
            let name = "\(range.lowerBound.hexadecimal)-\(range.upperBound.hexadecimal)"
            return FileHandle("/proc/\(thread)/map_files/\(name)")
        }
        if let file = open(range) { return file }
        let whole = MemoryMaps.regions(of: pid)?.first {
            $0.start <= range.lowerBound && range.upperBound <= $0.end
        }
        return whole.flatMap { open($0.start..<$0.end) }
    }

    private static func readPage(of file: FileHandle, at offset: Int) -> Result<[UInt8], Errno> {
        var page = [UInt8](repeating: 0, count: pageSize)
        // Safe: pread writes at most one page to our own array.
        let count = retryingInterrupted {
            pread(file.descriptor.number, &page, pageSize, offset)
        }
        return count == pageSize
            ? .success(page) : .failure(Errno(rawValue: count < 0 ? Int32(-count) : EFAULT))
    }

    /// Which pages of a range are in memory or swapped out; nil if that cannot be told.
    mutating func populatedPages(in range: Range<Address>) -> PageMap.Populated? {
        if pagemap == nil { pagemap = PageMap(of: holder()) }
        return pagemap?.populatedPages(in: range)
    }

    /// Whether a page exists; nil if that cannot be told.
    mutating func isPopulated(_ address: UInt64) -> Bool? {
        guard address <= .max - UInt64(Self.pageSize) else { return nil }
        return populatedPages(in: Address(address)..<Address(address + UInt64(Self.pageSize)))
            .map { !$0.addresses.isEmpty }
    }
}
