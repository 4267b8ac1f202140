// SPDX-License-Identifier: MIT
internal import Foundation
internal import GRDB
internal import HuskModel

/// Stores contents once each, by their SHA-256.
final class ContentStore {
    private static let find = "SELECT id FROM content WHERE sha256 = ?"
    private static let insert = TableInsert("content", ["id", "sha256", "size"])
    private static let insertBytes = TableInsert(
        "content_bytes", ["content", "encoding", "bytes"])
    /// How many keys are kept in memory; beyond, a SHA-256 and a look into the index tell.
    private static let knownLimit = 1 << 17

    private let compressor = ContentCompressor()
    private var known: [ContentKey: Int64] = [:]
    private var next: Int64 = 1
    /// Different contents, and the bytes that they take as stored.
    private(set) var count = 0
    private(set) var storedBytes: UInt64 = 0

    func store(_ content: PageContent, in db: Database) throws -> Int64 {
        if let id = known[content.key] { return id }
        let digest = content.digest.data
        let id: Int64
        if let found = try Int64.fetchOne(
            db.cachedStatement(sql: Self.find), arguments: [digest])
        {
            id = found
        } else {
            id = next
            next += 1
            try Self.insert.run(db, [id, digest, content.size])
            let packed = compressor.compress(content.bytes)
            let bytes = packed ?? Array(content.bytes)
            try Self.insertBytes.run(db, [id, packed == nil ? "raw" : "zstd", Data(bytes)])
            count += 1
            storedBytes += UInt64(bytes.count)
        }
        if known.count >= Self.knownLimit { known.removeAll(keepingCapacity: true) }
        known[content.key] = id
        return id
    }
}
