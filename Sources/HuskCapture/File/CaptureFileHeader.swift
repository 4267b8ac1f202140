// SPDX-License-Identifier: MIT
internal import GRDB
internal import Glibc

/// Whether a file is a capture file at all, asked before and after SQLite has opened it.
enum CaptureFileHeader {
    /// Looks at the file's first 100 bytes (sqlite.org/fileformat2.html, section 1.3).
    static func check(_ path: String) throws(CaptureFileError) {
        let header = try read(path)
        guard header.starts(with: Array("SQLite format 3\0".utf8)), header.count == 100 else {
            throw foreign(path)
        }
        func number(at offset: Int) -> Int32 {
            Int32(bitPattern: header[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) })
        }
        guard number(at: 68) == CaptureSchema.applicationID else { throw foreign(path) }
        // Until the trace has ended, even the number may be in the log only.
        let version = number(at: 60)
        if version == 0, access(path + "-wal", F_OK) == 0 { return }
        try check(version: version)
    }

    private static func check(version: Int32) throws(CaptureFileError) {
        guard version <= CaptureSchema.version else {
            throw CaptureFileError(
                .newerSchema,
                "the capture was written by a newer Husk (schema \(version), this one knows "
                    + "\(CaptureSchema.version))",
                hint: "use that Husk, or a newer one")
        }
    }

    private static func read(_ path: String) throws(CaptureFileError) -> [UInt8] {
        // O_NONBLOCK: a FIFO would be waited for.
        let file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard file >= 0 else {
            throw CaptureFileError(
                .notReadable, "cannot open \(path): \(ErrorNames.text(errno))",
                hint: errno == ENOENT
                    ? "name the file that `husk run -o FILE` has made" : nil)
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw foreign(path)
        }
        var header = [UInt8](repeating: 0, count: 100)
        // Safe: the kernel writes no further than the buffer's end.
        let size = header.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress, $0.count) }
        return Array(header.prefix(max(0, size)))
    }

    private static func foreign(_ path: String) -> CaptureFileError {
        CaptureFileError(
            .foreign, "\(path) is no capture file of Husk's",
            hint: "name the file that `husk run -o FILE` has made")
    }

    /// The schema must be the one that Husk makes, word by word: views, triggers and virtual tables
    /// of someone else's would run when they are asked.
    static func checkSchema(of db: Database) throws {
        // The header may be older than the log beside the file.
        try check(version: try Int32.fetchOne(db, sql: "PRAGMA user_version") ?? 0)
        let expected = Set((CaptureSchema.tables + CaptureSchema.indices).map(normalized))
        var tables = 0
        let rows = try Row.fetchCursor(db, sql: "SELECT type, sql FROM sqlite_schema")
        while let row = try rows.next() {
            var fields = RowFields(row)
            let type = try fields.text()
            // SQLite's own, of a primary key or UNIQUE.
            guard let sql = try fields.optionalText() else { continue }
            guard expected.contains(normalized(sql)) else {
                throw CaptureFileError(
                    .foreign, "the capture has something in it that Husk does not make: a \(type)",
                    hint: "someone has changed it; do not trust it")
            }
            if type == "table" { tables += 1 }
        }
        guard tables == CaptureSchema.tables.count else {
            throw CaptureFileError.damaged("tables are missing")
        }
    }

    private static func normalized(_ sql: String) -> String {
        sql.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}
