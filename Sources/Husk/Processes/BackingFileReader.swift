// SPDX-License-Identifier: MIT
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

    /// The hash of a range of the file, as far as the file goes; nil if the file cannot be had.
    /// Hashes are kept for as long as the file is not written to.
    func reference(to file: FileIdentity, at offset: UInt64, length: UInt64) -> FileReference? {
        guard let handle = open(file), offset <= UInt64(Int.max), length <= UInt64(Int.max) - offset
        else { return nil }
        let descriptor = handle.descriptor.number
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        let key = ReferenceKey(
            file: file, offset: offset, length: length,
            changed: [
                status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
                status.st_ctim.tv_nsec,
            ])
        if let known = references[key] { return known }
        var chunks: [[UInt8]] = []
        var size: UInt64 = 0
        while size < length {
            let wanted = Int(min(length - size, 1 << 20))
            let position = Int(offset + size)
            var failed = false
            let chunk = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
                // Safe: pread writes at most `wanted` bytes, `count` says how many.
                let result = retryingInterrupted {
                    pread(descriptor, buffer.baseAddress, wanted, position)
                }
                failed = result < 0
                count = max(0, result)
            }
            if failed { return nil }
            if chunk.isEmpty { break }
            size += UInt64(chunk.count)
            chunks.append(chunk)
        }
        let reference = FileReference(digest: Digest(of: chunks), length: size)
        references[key] = reference
        return reference
    }

    private struct ReferenceKey: Hashable {
        var file: FileIdentity
        var offset: UInt64
        var length: UInt64
        /// Its times of modification and of change.
        var changed: [Int]
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
        guard fstat(number, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
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
