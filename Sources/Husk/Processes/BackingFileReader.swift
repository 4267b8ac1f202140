// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc
internal import HuskModel

/// Reads pages from the file behind a mapping, when the process can no longer be read.
///
/// A page of a private file mapping that is not resident and was never swapped out has never
/// been written: its content is the file's. The file is opened by its path and taken only if
/// it is still the same one (device and inode): another namespace, or someone who has put a
/// file in its place, gives no bytes instead of wrong ones.
final class BackingFileReader {
    private var identity: FileIdentity?
    private var file: FileHandle?

    /// A descriptor that is closed with its owner; a class, because it is optional.
    private final class FileHandle {
        let descriptor: OwnedDescriptor
        init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }
    }

    /// The page at `offset`, filled up with zeros beyond the end of the file as the kernel
    /// does; nil if it cannot be had, or lies beyond the end altogether.
    func readPage(of file: FileIdentity, at offset: UInt64, size: Int) -> [UInt8]? {
        guard let offset = Int(exactly: offset), let handle = open(file) else { return nil }
        var page = [UInt8](repeating: 0, count: size)
        let descriptor = handle.descriptor.number
        // Safe: pread writes at most `size` bytes to our own array.
        let count = retryingInterrupted { pread(descriptor, &page, size, offset) }
        return count > 0 ? page : nil
    }

    /// The hash of a range of the file, as far as the file goes. Nil if the file cannot be had,
    /// is very large, or may have been written to since `time`: then its bytes are not those that
    /// were mapped. Hashes are kept for as long as the file stays as it is.
    func reference(
        to file: FileIdentity, at offset: UInt64, length: UInt64, mappedAt time: Timestamp
    ) -> FileReference? {
        guard let handle = open(file), offset <= UInt64(Int.max),
            length <= Self.largestReference, length <= UInt64(Int.max) - offset,
            let changed = Self.lastChange(of: handle.descriptor),
            changed &+ Self.clockStep < time.wall
        else { return nil }
        let key = ReferenceKey(file: file, offset: offset, length: length, changed: changed)
        if let known = references[key] { return known }
        var hasher = DigestBuilder()
        var size: UInt64 = 0
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while size < length {
            let wanted = Int(min(length - size, UInt64(chunk.count)))
            // Safe: pread writes at most `wanted` bytes to our own array.
            let count = retryingInterrupted {
                pread(handle.descriptor.number, &chunk, wanted, Int(offset + size))
            }
            if count < 0 { return nil }
            if count == 0 { break }
            hasher.add(chunk[..<count])
            size += UInt64(count)
        }
        guard Self.lastChange(of: handle.descriptor) == changed else { return nil }
        let reference = FileReference(digest: hasher.finish(), length: size)
        references[key] = reference
        return reference
    }

    private static let largestReference: UInt64 = 1 << 30
    /// Files are dated by the kernel's coarse clock, which moves on with each tick: 10 ms at most.
    private static let clockStep: UInt64 = 10_000_000

    /// When the file was last changed (ctime: utimensat(2) cannot set it back), in ns since 1970.
    private static func lastChange(of descriptor: borrowing OwnedDescriptor) -> UInt64? {
        var status = stat()
        guard fstat(descriptor.number, &status) == 0, status.st_ctim.tv_sec >= 0 else { return nil }
        return UInt64(status.st_ctim.tv_sec) &* 1_000_000_000 &+ UInt64(status.st_ctim.tv_nsec)
    }

    /// A regular file, and none of a file system in user space: its server may be the target, and
    /// never answer.
    static func isReadable(_ descriptor: borrowing OwnedDescriptor) -> Bool {
        var status = stat()
        let fuse: Int64 = 0x6573_5546  // FUSE_SUPER_MAGIC, linux/magic.h
        return fstat(descriptor.number, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
            && husk_file_system_type(descriptor.number) != fuse
    }

    private struct ReferenceKey: Hashable {
        var file: FileIdentity
        var offset: UInt64
        var length: UInt64
        var changed: UInt64
    }

    private var references: [ReferenceKey: FileReference] = [:]

    private func open(_ file: FileIdentity) -> FileHandle? {
        if identity == file { return self.file }
        identity = file
        self.file = nil
        guard let path = file.path else { return nil }
        // O_NONBLOCK: a target can put a FIFO anywhere, and opening one would wait.
        let number = Glibc.open(path.cString, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
        guard number >= 0 else { return nil }
        let descriptor = OwnedDescriptor(number)
        var status = stat()
        guard Self.isReadable(descriptor), fstat(number, &status) == 0,
            UInt64(status.st_ino) == file.inode,
            Self.device(status.st_dev) == (file.deviceMajor, file.deviceMinor)
        else { return nil }
        self.file = FileHandle(descriptor)
        return self.file
    }

    /// glibc's encoding of a device number (makedev(3), sys/sysmacros.h).
    private static func device(_ number: dev_t) -> (major: UInt32, minor: UInt32) {
        let number = UInt64(number)
        return (
            UInt32(truncatingIfNeeded: (number >> 8 & 0xFFF) | (number >> 32 & ~0xFFF)),
            UInt32(truncatingIfNeeded: (number & 0xFF) | (number >> 12 & ~0xFF))
        )
    }
}

extension TargetText {
    /// For system calls: the bytes and a zero.
    fileprivate var cString: [CChar] {
        bytes.map { CChar(bitPattern: $0) } + [0]
    }
}
