// SPDX-License-Identifier: MIT
internal import Glibc
internal import HuskModel

/// The folder of a capture that is read again. It may have been tampered with: nothing in it is
/// followed out of it, and nothing in it is waited for.
final class StoredFolder {
    private let descriptor: Int32

    init(path: String) throws(VerificationError) {
        descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let reason = errno
            throw VerificationError(
                "cannot open the folder \(path)", errno: reason,
                hint: reason == ENOTDIR || reason == ENOENT
                    ? "name the folder that `husk run -o DIR/` has made" : nil)
        }
    }

    deinit {
        close(descriptor)
    }

    /// Why a file of the folder cannot be read.
    enum Failure: Error {
        case missing
        case isLink
        case isNoFile
        case system(Int32)

        var message: String {
            switch self {
            case .missing: "it is missing"
            case .isLink: "it is a symbolic link"
            case .isNoFile: "it is no regular file"
            case .system(let errno): "it cannot be read: \(ErrorNames.text(errno))"
            }
        }
    }

    /// - Parameter name: a name, not a path: the caller has seen to that.
    func open(_ name: String) throws(Failure) -> StoredFile {
        // O_NONBLOCK: a FIFO that someone has put there would be waited for.
        let file = openat(
            descriptor, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard file >= 0 else {
            switch errno {
            case ENOENT: throw .missing
            case ELOOP: throw .isLink
            case ENXIO: throw .isNoFile  // a socket, a device without a driver
            default: throw .system(errno)
            }
        }
        return try StoredFile(descriptor: file)
    }

    /// What lies in the folder; false: it could not be read.
    func forEachName(_ body: (TargetText) -> Void) -> Bool {
        // fdopendir takes the descriptor over, so it gets its own.
        let own = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard own >= 0 else { return false }
        guard let entries = fdopendir(own) else {
            close(own)
            return false
        }
        defer { closedir(entries) }
        while let entry = readdir(entries) {
            // Safe: the kernel ends the name with a zero, within the entry.
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != Array(".".utf8), name != Array("..".utf8) { body(TargetText(bytes: name)) }
        }
        return true
    }
}

/// A regular file of a capture, open for reading.
struct StoredFile: ~Copyable {
    private let descriptor: Int32
    /// When it was opened.
    let size: UInt64

    fileprivate init(descriptor: Int32) throws(StoredFolder.Failure) {
        var status = stat()
        let failure: StoredFolder.Failure? =
            if fstat(descriptor, &status) != 0 {
                .system(errno)
            } else if status.st_mode & S_IFMT != S_IFREG {
                .isNoFile
            } else {
                nil
            }
        if let failure {
            close(descriptor)
            throw failure
        }
        self.descriptor = descriptor
        size = UInt64(max(0, status.st_size))
    }

    deinit {
        close(descriptor)
    }

    /// Reads until `buffer` is full or the file ends; returns how much.
    borrowing func read(into buffer: inout [UInt8]) throws(StoredFolder.Failure) -> Int {
        var filled = 0
        while filled < buffer.count {
            // Safe: the kernel writes no further than the buffer's end.
            let size = buffer.withUnsafeMutableBytes {
                Glibc.read(
                    descriptor, $0.baseAddress.map { $0 + filled }, $0.count - filled)
            }
            if size < 0, errno == EINTR { continue }
            guard size >= 0 else { throw .system(errno) }
            if size == 0 { break }
            filled += size
        }
        return filled
    }
}
