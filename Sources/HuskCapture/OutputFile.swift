// SPDX-License-Identifier: MIT
internal import Glibc

/// A file that is made of a capture. It appears whole or not at all: it is written under another
/// name, and no link is followed.
public final class OutputFile {
    /// Where the file will be.
    public let path: String
    private let temporary: String
    private let descriptor: Int32
    private var waiting: [UInt8] = []
    private var isFinished = false

    private static let patience = 1 << 20

    /// - Parameters:
    ///   - path: of the file to be made. It is there when all of it has been written.
    ///   - replaces: an existing regular file is replaced; the capture that it is made of never is.
    ///   - capture: the path of that.
    ///   - isExecutable: a program.
    public init(
        path: String, replaces: Bool, of capture: String, isExecutable: Bool = false
    ) throws(OutputError) {
        self.path = path
        try CaptureFilePlace.check(path, replaces: replaces)
        try CaptureFilePlace.keepApart(path, from: capture)
        temporary = "\(path).part-\(getpid())"
        descriptor = open(
            temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
            isExecutable ? 0o700 : 0o600)
        guard descriptor >= 0 else {
            throw OutputError(
                "cannot create \(path)", errno: errno,
                hint: errno == ENOENT ? "its folder does not exist" : nil)
        }
        InvokingUser.own(descriptor)
    }

    deinit {
        close(descriptor)
        if !isFinished { unlink(temporary) }
    }

    /// Writes the next bytes; some wait in memory until ``finish()``.
    public func write(_ bytes: ArraySlice<UInt8>) throws(OutputError) {
        waiting.append(contentsOf: bytes)
        if waiting.count >= Self.patience { try flush() }
    }

    private func flush() throws(OutputError) {
        var rest = waiting[...]
        while !rest.isEmpty {
            // Safe: the kernel reads no more than there is.
            let size = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if size < 0, errno == EINTR { continue }
            guard size > 0 else {
                throw OutputError(
                    "cannot write \(path)", errno: errno,
                    hint: OutputError.hint(forWriting: errno))
            }
            rest = rest.dropFirst(size)
        }
        waiting.removeAll(keepingCapacity: true)
    }

    /// All is written: the file gets its name.
    public func finish() throws(OutputError) {
        try flush()
        guard rename(temporary, path) == 0 else {
            throw OutputError(cannot: "create", path, errno: errno)
        }
        isFinished = true
    }
}
