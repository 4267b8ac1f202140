// SPDX-License-Identifier: MIT
internal import GRDB
public import HuskModel

/// What a capture has besides its regions, in lists of their own.
extension CaptureFile {
    /// Programs that processes have executed, in their order.
    public func forEachProgram(_ body: (_ process: Int64, ProgramExecution) throws -> Bool) throws {
        try stream { db in
            let decoder = EventDecoder(names: names, info: info)
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT process, tid, host_tid, time_ns, name, backing, file, file_offset \
                    FROM program ORDER BY position
                    """)
            while let row = try rows.next() {
                var owner = RowFields(row)
                let process = try owner.integer()
                var fields = RowFields(row)
                guard try body(process, try decoder.program(&fields)) else { return }
            }
        }
    }

    /// Regions that could change without a system call, in the order in which it was told.
    public func forEachBlindSpot(_ body: (BlindSpot) throws -> Bool) throws {
        try stream { db in
            let stream = try EventDecoder(names: names, info: info).blindSpots(db)
            while let (_, event, _) = try stream.next() {
                guard case .blindSpot(let spot) = event else { continue }
                guard try body(spot) else { return }
            }
        }
    }

    /// The regions that a transition and others of its call belong to.
    public func regions(of transition: Transition.ID) throws(CaptureFileError) -> [Int64] {
        try lookUp { db in
            try Int64.fetchAll(
                db,
                sql: """
                    SELECT DISTINCT region FROM transition WHERE id = ? AND region IS NOT NULL \
                    LIMIT 16
                    """, arguments: [transition.rawValue.stored])
        }
    }

    /// The last position that the file has so far: it grows with each event.
    public func lastPosition() throws(CaptureFileError) -> Int64 {
        try lookUp { db in
            try Int64.fetchOne(
                db,
                sql: """
                    SELECT max(coalesce((SELECT max(position) FROM snapshot), 0), \
                    coalesce((SELECT max(position) FROM transition), 0), \
                    coalesce((SELECT max(position) FROM loss), 0))
                    """) ?? 0
        }
    }

    /// The first snapshot that has a content at an address.
    public func snapshot(
        of content: ContentReference, at address: Address
    ) throws(CaptureFileError) -> StoredSnapshot? {
        try lookUp { db in
            // A row lives no longer than its cursor.
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT \(Self.snapshotSelection) WHERE s.content = ? AND s.address = ? \
                    ORDER BY s.position LIMIT 1
                    """, arguments: [content.rawValue, address.stored])
            guard let row = try rows.next() else { return nil }
            return try snapshot(row)
        }
    }

    /// The content of another page that was captured with a snapshot.
    public func neighbour(
        of snapshot: StoredSnapshot, at address: Address
    ) throws(CaptureFileError) -> ContentReference? {
        // Pages of one transition come one after the other, but for what other CPUs tell meanwhile.
        let reach: Int64 = 256
        return try lookUp { db in
            try Int64.fetchOne(
                db,
                sql: """
                    SELECT s.content FROM snapshot s WHERE s.position BETWEEN ? AND ? \
                    AND +s.transition = (SELECT transition FROM snapshot WHERE position = ?) \
                    AND +s.address = ? AND s.content IS NOT NULL LIMIT 1
                    """,
                arguments: [
                    snapshot.position &- reach, snapshot.position &+ reach, snapshot.position,
                    address.stored,
                ]
            ).map(ContentReference.init(rawValue:))
        }
    }

    /// The first snapshot that has a content.
    public func snapshot(
        of content: ContentReference
    ) throws(CaptureFileError) -> StoredSnapshot? {
        try lookUp { db in
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT \(Self.snapshotSelection) WHERE s.content = ? \
                    ORDER BY s.position LIMIT 1
                    """, arguments: [content.rawValue])
            guard let row = try rows.next() else { return nil }
            return try snapshot(row)
        }
    }

    /// Contents with their bytes, from the one after a number on.
    public func forEachContent(
        after number: Int64, _ body: (ContentReference, [UInt8]) throws -> Bool
    ) throws {
        try stream { db in
            let numbers = try Int64.fetchCursor(
                db, sql: "SELECT id FROM content WHERE id > ? ORDER BY id", arguments: [number])
            while let number = try numbers.next() {
                let content = ContentReference(rawValue: number)
                guard try body(content, try Self.bytes(of: number, db)) else { return }
            }
        }
    }

    /// Pages with content that belong to transitions of the file: what it says that it has.
    public func pageCount() throws(CaptureFileError) -> UInt64 {
        try lookUp { db in
            try Int64.fetchOne(
                db,
                sql: """
                    SELECT count(*) FROM snapshot s JOIN transition t ON t.position = s.transition \
                    WHERE s.content IS NOT NULL
                    """) ?? 0
        }.restored
    }
}
