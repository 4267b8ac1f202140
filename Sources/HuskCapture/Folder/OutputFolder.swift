// SPDX-License-Identifier: MIT
internal import Glibc
internal import HuskModel

/// The folder that a capture is written to: its files, and a reserve for when the disk is full.
final class OutputFolder {
    let path: String
    private let descriptor: Int32
    private var hasReserve = false
    private var temporaries = 0

    private static let reserveName = ".reserve"
    /// Enough for the lines that tell what is missing.
    private static let reserveSize: off_t = 1 << 20

    /// Opens an empty folder.
    ///
    /// - Parameter isNew: it has just been made.
    init(_ path: String, isNew: Bool) throws(OutputError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw OutputError("cannot open the folder \(path)", errno: errno)
        }
        try checkEmpty()
        if isNew { InvokingUser.own(descriptor) }
    }

    /// A link is no folder to write to: it may lead anywhere.
    static func refuseLink(_ path: String) throws(OutputError) {
        var name = path[...]
        while name.count > 1, name.hasSuffix("/") { name.removeLast() }
        var status = stat()
        guard lstat(String(name), &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return }
        throw OutputError(
            "\(path) is a symbolic link: it is not followed", hint: "name the folder itself")
    }

    deinit {
        releaseReserve()
        close(descriptor)
    }

    // MARK: Files

    func create(_ name: String) throws(OutputError) -> Int32 {
        // O_EXCL does not follow a link that someone has put there.
        let file = openat(
            descriptor, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw OutputError("cannot create \(path)/\(name)", errno: errno)
        }
        InvokingUser.own(file)
        return file
    }

    /// Nil: there is a file of this name, so its content is the same.
    func createIfNew(_ name: String) throws(OutputError) -> Int32? {
        do throws(OutputError) {
            return try create(name)
        } catch {
            guard error.errno == EEXIST else { throw error }
            return nil
        }
    }

    func write(
        _ bytes: ArraySlice<UInt8>, to file: Int32, _ name: String
    ) throws(OutputError) {
        var rest = bytes
        while !rest.isEmpty {
            let size = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if size < 0, errno == EINTR { continue }
            guard size > 0 else {
                throw OutputError(
                    "cannot write \(path)/\(name)", errno: errno,
                    hint: OutputError.hint(forWriting: errno))
            }
            rest = rest.dropFirst(size)
        }
    }

    func rename(_ old: String, to new: String) throws(OutputError) {
        guard renameat(descriptor, old, descriptor, new) == 0 else {
            throw OutputError("cannot create \(path)/\(new)", errno: errno)
        }
    }

    /// For a file that has no name yet.
    func temporaryName() -> String {
        temporaries += 1
        return ".run-\(temporaries)"
    }

    func remove(_ name: String) {
        unlinkat(descriptor, name, 0)
    }

    // MARK: The reserve

    /// Sets some room aside, if the file system can.
    func reserve() {
        guard let file = try? create(Self.reserveName) else { return }
        hasReserve = true
        if posix_fallocate(file, 0, Self.reserveSize) != 0 { releaseReserve() }
        close(file)
    }

    func releaseReserve() {
        guard hasReserve else { return }
        hasReserve = false
        remove(Self.reserveName)
    }

    private func checkEmpty() throws(OutputError) {
        // fdopendir takes the descriptor over, so it gets its own.
        guard let entries = fdopendir(openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        else {
            throw OutputError("cannot read the folder \(path)", errno: errno)
        }
        defer { closedir(entries) }
        while let entry = readdir(entries) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                Array($0.prefix { $0 != 0 })
            }
            guard name == Array(".".utf8) || name == Array("..".utf8) else {
                throw OutputError(
                    "the folder \(path) is not empty",
                    hint: "captures are not mixed: name a new folder, or empty this one")
            }
        }
    }
}
