// SPDX-License-Identifier: MIT
internal import Foundation
internal import GRDB
internal import GRDBSQLite
internal import Glibc

/// How the database of a capture file is opened.
enum CaptureDatabase {
    /// How long a reader, or who stores an analysis, waits for another process, in seconds.
    static let patience = 5.0

    /// A write-ahead log: readers see whole batches while the trace runs, and a crash costs the last
    /// one. When the trace has ended it is folded into the file (``DatabaseQueue/close(afterMakingOneFile:)``).
    static func writing() -> Configuration {
        var configuration = Configuration()
        configuration.label = "husk-capture"
        // The writer gives out the keys itself; `husk verify` checks them.
        configuration.foreignKeysEnabled = false
        configuration.journalMode = .default
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA page_size = \(CaptureSchema.pageSize)")
            try db.execute(sql: "PRAGMA application_id = \(CaptureSchema.applicationID)")
            _ = try String.fetchOne(db, sql: "PRAGMA journal_mode = WAL")
            // A power cut may cost the last batches, never the file.
            try db.execute(sql: "PRAGMA synchronous = NORMAL")
            try db.execute(sql: "PRAGMA cache_size = -8192")
        }
        return configuration
    }

    /// For a file that may be hostile: its schema runs nothing, and its cells are checked.
    static func reading() -> Configuration {
        var configuration = Configuration()
        configuration.label = "husk-read"
        configuration.readonly = true
        // Another Husk may be storing an analysis, or folding a log into the file.
        configuration.busyMode = .timeout(patience)
        configuration.foreignKeysEnabled = false
        configuration.prepareDatabase(harden)
        return configuration
    }

    /// Why something could not be written, and whether it is because there is no room for it.
    static func reason(of error: DatabaseError) -> (text: String, isRoom: Bool) {
        let text = error.message ?? "SQLite"
        switch error.resultCode {
        case .SQLITE_FULL: return ("the disk is full", true)
        // SQLite does not say that it was EFBIG.
        case .SQLITE_IOERR where mayBeTooLarge:
            let hint = OutputError.hint(forWriting: EFBIG)
            return (hint.map { "\(text), \($0)" } ?? text, true)
        default: return (text, false)
        }
    }

    /// The size of files has a limit (setrlimit(2)).
    private static var mayBeTooLarge: Bool {
        var limit = rlimit()
        return getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0
            && limit.rlim_cur != rlim_t.max
    }

    @Sendable
    static func harden(_ db: Database) throws {
        // Safe: the connection is open for as long as the closure runs; both options take two
        // integers (sqlite3.h).
        _ = sqlite3_limit(db.sqliteConnection, SQLITE_LIMIT_LENGTH, 64 << 20)
        _ = sqlite3_limit(db.sqliteConnection, SQLITE_LIMIT_ATTACHED, 0)
        try db.execute(sql: "PRAGMA trusted_schema = OFF")
        try db.execute(sql: "PRAGMA cell_size_check = ON")
        try db.execute(sql: "PRAGMA mmap_size = 0")
    }
}

extension DatabaseQueue {
    /// Folds the log into the file, so that the capture is one file that opens in a folder that
    /// cannot be written to.
    ///
    /// For that no one else may have it open. Those who look at it are waited for, for a while; then
    /// the log stays beside the file, which is whole with it.
    func close(afterMakingOneFile: Bool, patience: Duration = .seconds(3)) throws {
        let deadline = ContinuousClock.now + patience
        while !(try isMadeOneFile()), ContinuousClock.now < deadline { usleep(20_000) }
        try close()
    }

    private func isMadeOneFile() throws -> Bool {
        do {
            return try writeWithoutTransaction { db in
                _ = try Row.fetchAll(db, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
                return try String.fetchOne(db, sql: "PRAGMA journal_mode = DELETE") == "delete"
            }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
            return false
        }
    }
}
