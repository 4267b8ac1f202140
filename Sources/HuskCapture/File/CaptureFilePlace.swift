// SPDX-License-Identifier: MIT
internal import Glibc

/// Where a capture file is to be: nothing that is there is lost by accident, no link is followed.
enum CaptureFilePlace {
    /// The same place in a form that SQLite takes for a name: some are URIs to it, or no files.
    static func forSQLite(_ path: String) -> String {
        path.hasPrefix("/") ? path : "./" + path
    }

    /// A database has these beside it; its own name is the first.
    static let suffixes = ["", "-wal", "-shm", "-journal"]

    /// Makes an empty file of mode 0600. Returns the one that was there, if it is replaced.
    static func prepare(_ path: String, replaces: Bool) throws(OutputError) -> ReplacedCapture? {
        try check(path, replaces: replaces)
        let replaced = try ReplacedCapture(at: path)
        // A log of no file that is there any more.
        remove(path)
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            let reason = errno
            if let failure = replaced?.putBack() { throw failure }
            throw OutputError(
                "cannot create \(path)", errno: reason,
                hint: reason == ENOENT ? "its folder does not exist" : nil)
        }
        // What SQLite puts beside it belongs to the same.
        InvokingUser.own(file)
        close(file)
        return replaced
    }

    /// Whether a file may be written there: nothing is, or a regular file that may be replaced.
    static func check(_ path: String, replaces: Bool) throws(OutputError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard replaces else {
            throw OutputError(
                "\(path) exists already", hint: "name a new file, or replace it with --force")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw OutputError(
                "\(path) is no regular file: it is not replaced", hint: "name another file")
        }
    }

    /// What is made of a capture is not written over it, or over its log.
    static func keepApart(_ path: String, from capture: String) throws(OutputError) {
        var status = stat()
        guard stat(path, &status) == 0 else { return }
        for suffix in suffixes {
            var other = stat()
            guard stat(capture + suffix, &other) == 0 else { continue }
            guard (other.st_dev, other.st_ino) != (status.st_dev, status.st_ino) else {
                throw OutputError(
                    "\(path) is the capture itself: it is not replaced", hint: "name another file")
            }
        }
    }

    /// With what SQLite may have left beside it.
    static func remove(_ path: String) {
        for suffix in suffixes { unlink(path + suffix) }
    }
}

/// Some room on the disk that is given up when the disk is full, for the last words.
final class FileReserve: Sendable {
    private let path: String
    private static let size: off_t = 2 << 20

    init(beside file: String) {
        path = file + "-reserve"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        if posix_fallocate(descriptor, 0, Self.size) != 0 { unlink(path) }
        close(descriptor)
    }

    func release() {
        unlink(path)
    }
}
