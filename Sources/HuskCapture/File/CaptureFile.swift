// SPDX-License-Identifier: MIT
internal import Foundation
internal import GRDB
internal import Glibc
public import HuskModel

/// A capture file, open for questions.
///
/// Opened read-only, also while its trace still runs. Nothing in it is trusted: its schema must be
/// the one that Husk makes, values must be of their kind, and contents are checked against their
/// SHA-256 when they are read.
///
/// The format: docs/capture-format.md.
public final class CaptureFile: Sendable {
    /// As it was opened.
    public let path: String
    let queue: DatabaseQueue
    let names: CaptureNames
    /// Of the run, as it was when the file was opened.
    public let info: CaptureInfo
    /// The write-ahead log beside the file could not be used: what it holds is not seen.
    public let ignoresLog: Bool
    /// It has the indices that are made when a trace has ended; a full disk may have kept them away.
    let isIndexed: Bool

    /// - Throws: it cannot be read, is no capture file, is a newer Husk's, or is damaged.
    public init(path: String) throws(CaptureFileError) {
        self.path = path
        try CaptureFileHeader.check(path)
        (queue, ignoresLog) = try Self.open(path)
        (names, info, isIndexed) = try Self.reading(queue) { db in
            try CaptureFileHeader.checkSchema(of: db)
            let indices = try Int.fetchOne(
                db, sql: "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql NOT NULL")
            return (
                try CaptureNames(db), try CaptureInfo(db), indices == CaptureSchema.indices.count
            )
        }
    }

    static func open(
        _ path: String
    ) throws(CaptureFileError) -> (DatabaseQueue, ignoresLog: Bool) {
        let safePath = CaptureFilePlace.forSQLite(path)
        do {
            let queue = try DatabaseQueue(
                path: safePath, configuration: CaptureDatabase.reading())
            _ = try queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM sqlite_schema") }
            return (queue, false)
        } catch {
            // A log that was left behind needs a file beside it, which cannot be made here.
            let hasLog = access(path + "-wal", F_OK) == 0
            let reason = translated(error)
            // Whoever has it to himself changes it: read without locks it would be half of each.
            guard hasLog, reason.code != .inUse, let queue = try? openImmutable(safePath) else {
                throw reason
            }
            return (queue, true)
        }
    }

    private static func openImmutable(_ path: String) throws -> DatabaseQueue {
        let allowed = CharacterSet.urlPathAllowed.subtracting(CharacterSet(charactersIn: "?#%"))
        let name = path.addingPercentEncoding(withAllowedCharacters: allowed) ?? path
        let queue = try DatabaseQueue(
            path: "file:\(name)?immutable=1", configuration: CaptureDatabase.reading())
        _ = try queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM sqlite_schema") }
        return queue
    }

    /// Of the file, in bytes, without a log beside it; 0: not known.
    public var size: UInt64 {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(max(0, status.st_size)) : 0
    }

    /// A write-ahead log lies beside it: the trace that writes it still runs, or was cut off.
    public var hasLog: Bool { access(path + "-wal", F_OK) == 0 }

    // MARK: Reading

    static func reading<Value>(
        _ queue: DatabaseQueue, _ body: (Database) throws -> Value
    ) throws(CaptureFileError) -> Value {
        do {
            // Closures that are given rows ask for contents.
            return try queue.unsafeReentrantRead(body)
        } catch {
            throw translated(error)
        }
    }

    func read<Value>(_ body: (Database) throws -> Value) throws(CaptureFileError) -> Value {
        try Self.reading(queue, body)
    }

    /// One look into the file, also from within a closure that is given rows of it.
    func lookUp<Value>(_ body: (Database) throws -> Value) throws(CaptureFileError) -> Value {
        do {
            return try queue.unsafeReentrantRead(body)
        } catch {
            throw Self.translated(error)
        }
    }

    /// Errors of the caller's own, thrown by a closure that it gave, pass through.
    func stream(_ body: (Database) throws -> Void) throws {
        do {
            try queue.unsafeReentrantRead(body)
        } catch let error as DatabaseError {
            throw Self.translated(error)
        }
    }

    static func translated(_ error: any Error) -> CaptureFileError {
        if let error = error as? CaptureFileError { return error }
        // SQLite quotes what is in the file: names of tables, pieces of SQL.
        func safe(_ text: String) -> String { TargetText(text).escaped }
        guard let error = error as? DatabaseError else { return .damaged(safe("\(error)")) }
        let message = error.message.map(safe)
        switch error.resultCode {
        case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_READONLY, .SQLITE_IOERR:
            return CaptureFileError(
                .notReadable, "the capture cannot be read: \(message ?? "SQLite")",
                hint: "is its folder readable, and is the trace that writes it another user's?")
        case .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_PROTOCOL:
            return CaptureFileError(
                .inUse, "the capture is in use by another process: \(message ?? "SQLite")",
                hint: "try it again when that has ended; `fuser FILE` tells which it is")
        default:
            return .damaged(message ?? "SQLite cannot read it")
        }
    }
}

// MARK: - Contents

extension CaptureFile: ContentSource {
    /// Contents are pages; nothing that says it is larger is expanded.
    static let contentLimit = 1 << 20

    public func bytes(of content: ContentReference) throws -> [UInt8] {
        try lookUp { db in try Self.bytes(of: content.rawValue, db) }
    }

    static func bytes(of content: Int64, _ db: Database) throws -> [UInt8] {
        let statement = try db.cachedStatement(
            sql: """
                SELECT size, sha256, encoding, bytes FROM content JOIN content_bytes \
                ON content_bytes.content = content.id WHERE content.id = ?
                """)
        guard let row = try Row.fetchOne(statement, arguments: [content]) else {
            throw CaptureFileError.damaged("content \(content) is missing")
        }
        var fields = RowFields(row)
        let size = try fields.integer()
        let digest = try fields.digest()
        let encoding = try fields.text()
        let stored = try fields.blob()
        guard (1...Int64(contentLimit)).contains(size) else {
            throw CaptureFileError.damaged("content \(content) says that it has \(size) bytes")
        }
        let bytes: [UInt8]?
        switch encoding {
        case "raw": bytes = stored.count == Int(size) ? stored : nil
        case "zstd": bytes = ContentExpansion.expand(stored, size: Int(size))
        default: bytes = nil
        }
        guard let bytes, Digest(of: bytes) == digest else {
            throw CaptureFileError.damaged("content \(content) is not what its SHA-256 says")
        }
        return bytes
    }
}
