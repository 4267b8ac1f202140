// SPDX-License-Identifier: MIT
internal import GRDB
public import HuskModel

/// The processes and files of a capture, which rows of other tables name by number.
struct CaptureNames: Sendable {
    private(set) var processes: [Int64: StoredProcess] = [:]
    private var files: [Int64: FileIdentity] = [:]

    init(_ db: Database) throws {
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT id, device_major, device_minor, inode, link_count, name, path FROM file
                """)
        while let row = try rows.next() {
            var fields = RowFields(row)
            let id = try fields.integer()
            files[id] = FileIdentity(
                deviceMajor: try fields.number(), deviceMinor: try fields.number(),
                inode: try fields.unsigned(), linkCount: try fields.number(),
                name: try fields.targetText(), path: try fields.optionalTargetText())
        }
        let stored = try Row.fetchCursor(db, sql: StoredProcess.query)
        while let row = try stored.next() {
            let process = try StoredProcess(row)
            processes[process.id] = process
        }
    }

    func task(
        _ process: Int64, tid: Int32, hostTID: Int32
    ) throws(CaptureFileError) -> TaskIdentity {
        guard let process = processes[process] else { throw .damaged("a process is missing") }
        return TaskIdentity(
            pid: process.pid, tid: tid, hostPID: process.hostPID, hostTID: hostTID)
    }

    /// Three columns: process, tid, host_tid.
    func task(_ fields: inout RowFields) throws(CaptureFileError) -> TaskIdentity {
        try task(
            try fields.integer(), tid: try fields.number(), hostTID: try fields.number())
    }

    /// Three columns: kind, file, offset.
    func backing(_ fields: inout RowFields) throws(CaptureFileError) -> Backing {
        let kind = try fields.text()
        return try backing(kind, try fields.optionalInteger(), try fields.optionalInteger())
    }

    private func backing(
        _ kind: String, _ file: Int64?, _ offset: Int64?
    ) throws(CaptureFileError) -> Backing {
        switch kind {
        case "none": return .none
        case "unknown": return .unknown
        case "special": return .special
        case "anonymous": return .anonymous
        case "heap": return .heap
        case "stack": return .stack
        default: break
        }
        guard let file, let identity = files[file] else { throw .damaged("a file is missing") }
        let start = offset?.restored ?? 0
        switch kind {
        case "file": return .file(identity, offset: start)
        case "memfd": return .memfd(identity, offset: start)
        case "shared-memory": return .sharedMemory(identity, offset: start)
        default: throw .damaged("a backing of no known kind")
        }
    }

    /// Four columns: address, and a backing's three.
    func site(_ fields: inout RowFields) throws(CaptureFileError) -> CallSite? {
        let address = try fields.optionalAddress()
        let kind = try fields.optionalText()
        let file = try fields.optionalInteger()
        let offset = try fields.optionalInteger()
        guard let address, let kind else { return nil }
        return CallSite(address: address, backing: try backing(kind, file, offset))
    }
}

/// A process of a capture.
public struct StoredProcess: Hashable, Sendable {
    /// The row.
    public var id: Int64
    public var pid: Int32
    /// In the initial PID namespace.
    public var hostPID: Int32
    /// What it executed last, or its thread's name; nil: never told.
    public var name: TargetText?
    /// The row of the process that made it; nil: it was there when the trace began.
    public var parent: Int64?
    /// It used its parent's memory (CLONE_VM) until it executed a program.
    public var sharesMemory: Bool
    var parentTID: Int32?
    var parentHostTID: Int32?
    /// When it was born, in the order of what was told; nil: it was there before.
    public var startPosition: Int64?
    /// CLOCK_MONOTONIC, nanoseconds; nil: before the trace.
    public var started: UInt64?
    /// When it ended; nil: it was there at the end.
    public var endPosition: Int64?
    /// Nil: it lived when the trace ended.
    public var ended: UInt64?
    var endTID: Int32?
    var endHostTID: Int32?
    /// As wait(2) tells it.
    public var status: UInt32?

    static let query = """
        SELECT id, pid, host_pid, name, parent, shares_memory, parent_tid, parent_host_tid, \
        start_position, started_ns, end_position, ended_ns, end_tid, end_host_tid, status \
        FROM process ORDER BY id
        """

    init(_ row: Row) throws(CaptureFileError) {
        var fields = RowFields(row)
        id = try fields.integer()
        pid = try fields.number()
        hostPID = try fields.number()
        name = try fields.optionalTargetText()
        parent = try fields.optionalInteger()
        sharesMemory = try fields.flag()
        parentTID = try fields.optionalNumber()
        parentHostTID = try fields.optionalNumber()
        startPosition = try fields.optionalInteger()
        started = try fields.optionalInteger()?.restored
        endPosition = try fields.optionalInteger()
        ended = try fields.optionalInteger()?.restored
        endTID = try fields.optionalNumber()
        endHostTID = try fields.optionalNumber()
        status = try fields.optionalNumber()
    }
}
