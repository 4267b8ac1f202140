// SPDX-License-Identifier: MIT
internal import GRDB
internal import HuskModel

/// Stores contents once each, by their SHA-256.
///
/// While the trace runs there is no index on that: each batch would write nearly all of its pages
/// anew. Those that were stored lately are known by their key; doubles are joined at the end.
final class ContentStore {
    private static let insert = BoundInsert("content", ["id", "sha256", "size"])
    private static let insertBytes = BoundInsert(
        "content_bytes", ["content", "encoding", "bytes"])

    private let compressor = ContentCompressor()
    private var recent = RecentContents()
    private var next: Int64 = 1
    /// Contents, and the bytes that they take as stored.
    private(set) var count = 0
    private(set) var storedBytes: UInt64 = 0

    func store(_ content: PageContent, in db: Database) throws -> Int64 {
        if let row = recent.row(of: content.key) { return row }
        let row = next
        next += 1
        try Self.insert.run(db) { values in
            values.add(row)
            values.add(content.digest.bytes)
            values.add(content.size)
        }
        let packed = compressor.compress(content.bytes)
        try Self.insertBytes.run(db) { values in
            values.add(row)
            values.add(packed == nil ? "raw" : "zstd")
            if let packed { values.add(packed) } else { values.add(content.bytes) }
        }
        count += 1
        storedBytes += UInt64(packed?.count ?? content.size)
        recent.note(content.key, row)
        return row
    }

    /// Makes one of contents that were stored twice; the indices must be there.
    func joinDoubles(in db: Database) throws {
        guard recent.hasForgotten else { return }
        try db.execute(
            sql: """
                CREATE TEMP TABLE twice AS SELECT c.id AS id, first.id AS first \
                FROM content c JOIN (SELECT sha256, min(id) AS id FROM content GROUP BY sha256 \
                HAVING count(*) > 1) first ON first.sha256 = c.sha256 AND c.id > first.id
                """)
        guard let doubles = try Int.fetchOne(db, sql: "SELECT count(*) FROM twice"), doubles > 0
        else { return }
        let bytes = try Int64.fetchOne(
            db,
            sql: """
                SELECT sum(length(bytes)) FROM content_bytes \
                WHERE content IN (SELECT id FROM twice)
                """)
        for table in ["snapshot", "mapping_page"] {
            try db.execute(
                sql: """
                    UPDATE \(table) SET content = (SELECT first FROM twice WHERE id = content) \
                    WHERE content IN (SELECT id FROM twice)
                    """)
        }
        try db.execute(sql: "DELETE FROM content_bytes WHERE content IN (SELECT id FROM twice)")
        try db.execute(sql: "DELETE FROM content WHERE id IN (SELECT id FROM twice)")
        count -= doubles
        storedBytes -= min(storedBytes, UInt64(max(0, bytes ?? 0)))
    }
}
