// SPDX-License-Identifier: MIT
internal import Glibc
public import HuskModel

/// Why a capture could not be written.
public struct OutputError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One sentence: what could not be written.
    public var message: String
    /// The errno behind it, or 0.
    public var errno: Int32
    /// What the user can do.
    public var hint: String?

    public init(cannot verb: String, _ path: String, errno: Int32) {
        self.init("cannot \(verb) \(path)", errno: errno)
    }

    public init(_ message: String, errno: Int32 = 0, hint: String? = nil) {
        self.message = message
        self.errno = errno
        self.hint = hint
    }

    public var description: String {
        errno == 0 ? message : "\(message): \(String(cString: strerror(errno)))"
    }

    /// Why a file takes no more bytes, for the user.
    static func hint(forWriting errno: Int32) -> String? {
        switch errno {
        case ENOSPC: "the disk is full"
        case EDQUOT: "your share of the disk is used up (quota)"
        case EFBIG: "files may not become that large here: see `ulimit -f`"
        default: nil
        }
    }
}

/// A capture as a folder of raw files.
///
/// Each run of pages becomes `BASE_SHA256[:16].bin` (base in hexadecimal); `manifest.jsonl`
/// tells, line by line, what happened and which file belongs to what (docs/json.md). A run
/// seen again with the same content is not written again. Pages are written as they come: what
/// is kept in memory does not grow with the capture.
///
/// When the disk is full, the capture up to there stays readable: the manifest ends with whole
/// lines, a reserve is given up for the last ones, and what is not stored is told as lost.
///
/// Files are created with mode 0600 in a folder of mode 0700: a capture may hold live malware
/// and the target's secrets.
public final class CaptureFolder {
    public let path: String
    private let folder: OutputFolder
    private let manifest: Int32
    private let json = JSONLines()
    /// Runs that are being written, by transition.
    private var open: [Transition.ID: OpenRuns] = [:]
    /// The first failure; after it no more pages are written.
    public private(set) var failure: OutputError?
    private var isEnding = false
    /// Bytes of lines since the first failure.
    private var linesInReserve = 0
    private var linesLeftOut = 0
    private static let reserveForLines = 1 << 19
    /// Of the manifest: whole lines.
    private var manifestSize: Int64 = 0

    /// Of one transition: the run that may go on, and the names of those that are whole.
    private struct OpenRuns {
        var current: RunFile?
        var names: [String?] = []
    }

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
        folder = try OutputFolder(path, isNew: isNew)
        manifest = try folder.create("manifest.jsonl")
        folder.reserve()
    }

    deinit {
        Glibc.close(manifest)
    }

    // MARK: Writing

    /// An event as it comes, which the assembler that belongs to this folder takes as well.
    ///
    /// - Returns: the transition that it completes, if it does, and those of its runs that could
    ///   not be stored.
    @discardableResult
    public func add(
        _ event: Event, through assembler: inout TransitionAssembler
    ) -> (capture: TransitionCapture?, notStored: [PageRun]) {
        let capture = assembler.take(event)
        if let run = assembler.closedRun { close(run) }
        if case .page(let page) = event { add(page) }
        if let line = json.line(event) { add(line: line) }
        return (capture, capture.map(add) ?? [])
    }

    /// An event that stands for itself.
    public func add(_ loss: Loss) {
        if let line = json.line(.loss(loss)) { add(line: line) }
    }

    private func add(_ page: Page) {
        guard failure == nil, case .content(let content, _) = page.body else { return }
        attempt { () throws(OutputError) in
            let run = open[page.transition]?.current ?? RunFile(folder, base: page.address)
            open[page.transition, default: OpenRuns()].current = run
            try run.append(content.bytes)
        }
    }

    /// The run that has been written last for its transition is whole.
    private func close(_ run: PageRun) {
        var name: String?
        if failure == nil, let file = open[run.transition]?.current {
            attempt { () throws(OutputError) in name = try file.finish(as: run) }
        }
        open[run.transition, default: OpenRuns()].names.append(name)
        open[run.transition]?.current = nil
    }

    /// A transition is complete, or the trace has ended before its end. Returns the runs that could
    /// not be stored.
    @discardableResult
    public func add(_ capture: TransitionCapture) -> [PageRun] {
        let id = capture.transition.id
        // Nothing has closed the last one yet.
        if let last = capture.runs.last, (open[id]?.names.count ?? 0) < capture.runs.count {
            close(last)
        }
        let names = open.removeValue(forKey: id)?.names ?? []
        var files: [String?] = []
        var lost: [PageRun] = []
        for (index, run) in capture.runs.enumerated() {
            let name = index < names.count ? names[index] : nil
            files.append(name)
            if name == nil { lost.append(run) }
        }
        add(line: json.line(capture, files: files))
        return lost
    }

    /// Adds what has become of the regions, when the trace has ended.
    public func add(_ layer: Layer) {
        add(line: json.line(layer))
    }

    /// Writes the manifest's last line and sees to it that everything has reached the disk.
    public func finish(
        _ tally: CaptureTally, records: [RecordCount], copyMethod: String?, target: TargetStatus?
    ) {
        // The last lines find room, if there is none: nothing else is written any more.
        folder.releaseReserve()
        isEnding = true
        add(
            line: json.summary(
                tally, records: records, copyMethod: copyMethod, target: target,
                linesLeftOut: linesLeftOut))
        if fsync(manifest) != 0, failure == nil {
            failure = OutputError("cannot write \(path)/manifest.jsonl", errno: errno)
        }
    }

    /// Takes back what was made, for a trace that has never begun.
    public func discard() {
        folder.releaseReserve()
        folder.remove("manifest.jsonl")
        if isNew { rmdir(path) }
    }

    private func add(line: [UInt8]) {
        // What the reserve holds is for the last line, too.
        guard failure == nil || isEnding || linesInReserve < Self.reserveForLines else {
            linesLeftOut += 1
            return
        }
        if failure != nil { linesInReserve += line.count }
        do throws(OutputError) {
            try write(line: line)
        } catch {
            if failure == nil { failure = error }
            // Pages are not written any more: the reserve is for the lines.
            folder.releaseReserve()
            do throws(OutputError) { try write(line: line) } catch { linesLeftOut += 1 }
        }
    }

    private func write(line: [UInt8]) throws(OutputError) {
        do throws(OutputError) {
            try folder.write(line[...], to: manifest, "manifest.jsonl")
            manifestSize += Int64(line.count)
        } catch {
            // Half a line would spoil those before it for a reader.
            _ = ftruncate(manifest, off_t(manifestSize))
            throw error
        }
    }

    private func attempt(_ body: () throws(OutputError) -> Void) {
        do throws(OutputError) { try body() } catch { if failure == nil { failure = error } }
    }
}
