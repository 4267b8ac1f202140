// SPDX-License-Identifier: MIT
internal import Glibc
public import HuskModel

/// Why a capture could not be written.
public struct OutputError: Error, Hashable, Sendable, CustomStringConvertible {
    public var message: String
    public var errno: Int32
    public var hint: String?

    public init(cannot verb: String, _ path: String, errno: Int32) {
        self.init("cannot \(verb) \(path)", errno: errno)
    }

    init(_ message: String, errno: Int32 = 0, hint: String? = nil) {
        self.message = message
        self.errno = errno
        self.hint = hint
    }

    public var description: String {
        errno == 0 ? message : "\(message): \(String(cString: strerror(errno)))"
    }
}

/// A capture as a folder of raw files.
///
/// Each run of pages becomes `BASE_SHA256[:16].bin` (base in hexadecimal); `manifest.jsonl`
/// tells, line by line, what happened and which file belongs to what (docs/json.md). A run
/// seen again with the same content is not written again.
///
/// Files are created with mode 0600 in a folder of mode 0700: a capture may hold live malware
/// and the target's secrets.
public final class CaptureFolder {
    public let path: String
    private let folder: Int32
    private let manifest: Int32
    private let json = JSONLines()
    private var written: Set<String> = []
    /// The first failure; after it nothing more is written.
    public private(set) var failure: OutputError?

    private let isNew: Bool

    /// Makes the folder, or takes an existing one if it is empty.
    public init(path: String) throws(OutputError) {
        self.path = path
        isNew = mkdir(path, 0o700) == 0
        if !isNew, errno != EEXIST {
            throw OutputError(
                "cannot make the folder \(path)", errno: errno,
                hint: errno == ENOENT ? "its parent folder does not exist" : nil)
        }
        folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else {
            throw OutputError("cannot open the folder \(path)", errno: errno)
        }
        do throws(OutputError) {
            try Self.checkEmpty(folder, path)
            manifest = try Self.create("manifest.jsonl", in: folder, path)
        } catch {
            close(folder)
            throw error
        }
    }

    deinit {
        close(manifest)
        close(folder)
    }

    // MARK: Writing

    public func add(_ capture: TransitionCapture) {
        guard failure == nil else { return }
        do throws(OutputError) {
            var files: [String?] = []
            for run in capture.runs { files.append(try write(run)) }
            try append(json.line(capture, files: files))
        } catch {
            failure = error
        }
    }

    /// An event that stands for itself; the parts of a transition are added as a whole.
    public func add(_ event: Event) {
        if let line = json.line(event) { add(line: line) }
    }

    /// Adds what has become of the regions, when the trace has ended.
    public func add(_ layer: Layer) {
        add(line: json.line(layer))
    }

    /// Writes the manifest's last line and sees to it that everything has reached the disk.
    public func finish(_ tally: CaptureTally, copyMethod: String?, target: TargetStatus?) {
        add(line: json.summary(tally, copyMethod: copyMethod, target: target))
        guard failure == nil else { return }
        if fsync(manifest) != 0 {
            failure = OutputError("cannot write \(path)/manifest.jsonl", errno: errno)
        }
    }

    /// Takes back what was made, for a trace that has never begun.
    public func discard() {
        unlinkat(folder, "manifest.jsonl", 0)
        if isNew { rmdir(path) }
    }

    private func add(line: [UInt8]) {
        guard failure == nil else { return }
        do throws(OutputError) { try append(line) } catch { failure = error }
    }

    private func append(_ line: [UInt8]) throws(OutputError) {
        try Self.write(line[...], to: manifest, "\(path)/manifest.jsonl")
    }

    private func write(_ run: PageRun) throws(OutputError) -> String {
        let name = "\(run.base.hexadecimal)_\(run.digest.hexadecimal.prefix(16)).bin"
        guard !written.contains(name) else { return name }
        let file = try Self.create(name, in: folder, path)
        defer { close(file) }
        do throws(OutputError) {
            for page in run.pages {
                try Self.write(page.contentSlice ?? [], to: file, "\(path)/\(name)")
            }
        } catch {
            unlinkat(folder, name, 0)  // half a file would be taken for a whole one
            throw error
        }
        written.insert(name)
        return name
    }

    // MARK: Files

    private static func create(
        _ name: String, in folder: Int32, _ path: String
    ) throws(OutputError) -> Int32 {
        // O_EXCL does not follow a link that someone has put there.
        let file = openat(
            folder, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw OutputError("cannot create \(path)/\(name)", errno: errno)
        }
        return file
    }

    private static func write(
        _ bytes: ArraySlice<UInt8>, to file: Int32, _ name: String
    ) throws(OutputError) {
        var rest = bytes
        while !rest.isEmpty {
            let size = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if size < 0, errno == EINTR { continue }
            guard size > 0 else {
                throw OutputError(
                    "cannot write \(name)", errno: errno,
                    hint: errno == ENOSPC ? "the disk is full" : nil)
            }
            rest = rest.dropFirst(size)
        }
    }

    private static func checkEmpty(_ folder: Int32, _ path: String) throws(OutputError) {
        // fdopendir takes the descriptor over, so it gets its own.
        guard let entries = fdopendir(openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))
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
