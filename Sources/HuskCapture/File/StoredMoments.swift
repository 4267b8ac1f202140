// SPDX-License-Identifier: MIT
internal import GRDB
public import HuskModel

/// The pages that generations are counted over: those of a region, or one page of it.
public struct PageScope: Hashable, Sendable {
    /// The process's row.
    public var process: Int64
    public var region: Int64?
    /// Nil: all of the region's.
    public var page: Address?

    public init(process: Int64, region: Int64?, page: Address? = nil) {
        self.process = process
        self.region = region
        self.page = page
    }

    fileprivate var conditions: Conditions {
        var conditions = Conditions()
        if let region {
            // Where there is a page, its index is the better one: hence the +.
            conditions.add(page == nil ? "s.region = ?" : "+s.region = ?", region)
        } else {
            conditions.add("s.region IS NULL")
        }
        if let page { conditions.add("s.address = ?", page.stored) }
        if page != nil || region == nil { conditions.add("s.process = ?", process) }
        conditions.add("s.content IS NOT NULL")
        return conditions
    }
}

extension CaptureFile {
    /// The size of a page, and the distance of their addresses.
    static let pageSize: UInt64 = 4096

    /// The latest snapshot with content of the page that an address lies in.
    public func latestSnapshot(
        holding address: Address, pid: Int32? = nil, region: Int64? = nil
    ) throws(CaptureFileError) -> StoredSnapshot? {
        var conditions = Conditions()
        conditions.add("s.address = ?", Address(address.rawValue & ~(Self.pageSize - 1)).stored)
        conditions.add("s.content IS NOT NULL")
        if let region { conditions.add("+s.region = ?", region) }
        if let pid {
            conditions.addProcess(pid, column: "s.process")
        } else {
            conditions.add("s.process IN (SELECT id FROM process)")
        }
        return try lookUp { db in
            // A row lives no longer than its cursor.
            let rows = try conditions.statement(
                db, "SELECT \(Self.snapshotSelection)", "ORDER BY s.position DESC LIMIT 1")
            guard let row = try rows.next() else { return nil }
            return try snapshot(row)
        }
    }

    /// The generations that pages of the scope have had, lowest and highest; nil: none has content.
    public func generations(of scope: PageScope) throws(CaptureFileError) -> ClosedRange<Int>? {
        try lookUp { db in
            let rows = try scope.conditions.statement(
                db, "SELECT min(s.generation), max(s.generation) FROM snapshot s", "")
            guard let row = try rows.next() else { return nil }
            var fields = RowFields(row)
            let first = try fields.optionalNumber(Int.self)
            let last = try fields.optionalNumber(Int.self)
            guard let first, let last, first <= last else { return nil }
            return first...last
        }
    }

    /// The highest generation below another one; nil: there is none.
    public func generation(
        of scope: PageScope, before generation: Int
    ) throws(CaptureFileError) -> Int? {
        try lookUp { db in
            var conditions = scope.conditions
            conditions.add("s.generation < ?", generation)
            let rows = try conditions.statement(
                db, "SELECT max(s.generation) FROM snapshot s", "")
            guard let row = try rows.next() else { return nil }
            var fields = RowFields(row)
            return try fields.optionalNumber()
        }
    }

    /// The last position before any page of the scope went beyond a generation.
    public func lastPosition(
        of generation: Int, in scope: PageScope
    ) throws(CaptureFileError) -> Int64 {
        try lookUp { db in
            var conditions = scope.conditions
            conditions.add("s.generation > ?", generation)
            // Pages of one transition belong to one moment: before all of them.
            let rows = try conditions.statement(
                db, "SELECT min(s.transition) FROM snapshot s", "")
            guard let row = try rows.next() else { return .max }
            var fields = RowFields(row)
            return try fields.optionalInteger().map { $0 &- 1 } ?? .max
        }
    }

    /// The content that each page of a range had at a position, by address.
    public func forEachPage(
        in range: Range<Address>, of scope: PageScope, at position: Int64,
        _ body: (StoredSnapshot) throws -> Bool
    ) throws {
        try stream { db in
            var conditions = Conditions()
            conditions.add("s.process = ?", scope.process)
            conditions.add(
                "s.address >= ? AND s.address < ?", range.lowerBound.stored,
                range.upperBound.stored)
            conditions.add("s.position <= ?", position)
            conditions.add("s.content IS NOT NULL")
            if let page = scope.page { conditions.add("s.address = ?", page.stored) }
            if let region = scope.region {
                conditions.add("+s.region = ?", region)
            } else {
                conditions.add("s.region IS NULL")
            }
            // The other columns are those of the row that max() chooses.
            let rows = try conditions.statement(
                db, "SELECT max(s.position), \(Self.snapshotSelection)",
                "GROUP BY s.address ORDER BY s.address")
            while let row = try rows.next() {
                guard try body(try snapshot(row, from: 1)) else { return }
            }
        }
    }

    /// The transition that a page belongs to.
    public func transition(
        _ id: Transition.ID
    ) throws(CaptureFileError) -> Transition? {
        try lookUp { db in
            try Row.fetchOne(
                db,
                sql: """
                    SELECT \(EventDecoder.transitionColumns) FROM transition t WHERE t.id = ? \
                    ORDER BY t.position LIMIT 1
                    """, arguments: [id.rawValue.stored]
            ).map { row in
                var fields = RowFields(row)
                _ = try fields.integer()
                return try EventDecoder(names: names, info: info).transition(&fields)
            }
        }
    }

    /// The region that code at an address belonged to, in a process or, for what it has inherited,
    /// in those that it comes from.
    public func region(
        holding address: Address, process: Int64, at time: Timestamp
    ) throws(CaptureFileError) -> StoredRegion? {
        guard let process = names.processes[process] else { return nil }
        for ancestor in lineage(of: process) {
            let found = try lookUp { db in
                try Int64.fetchOne(
                    db,
                    sql: """
                        SELECT id FROM region WHERE process = ? AND start <= ? \
                        AND start + length > ? AND born_ns <= ? \
                        AND (gone_ns IS NULL OR gone_ns >= ?) ORDER BY id DESC LIMIT 1
                        """,
                    arguments: [
                        ancestor.process.id, address.stored, address.stored,
                        time.monotonic.stored, time.monotonic.stored,
                    ])
            }
            if let found { return try region(found) }
        }
        return nil
    }

    /// How the program makes its calls that a process executed last before a position; nil: that
    /// was before the trace.
    public func programABI(
        of process: Int64, at position: Int64
    ) throws(CaptureFileError) -> CallABI? {
        try lookUp { db in
            guard
                let row = try Row.fetchOne(
                    db,
                    sql: """
                        SELECT abi FROM transition WHERE process = ? AND kind = 'execve' \
                        AND position <= ? ORDER BY position DESC LIMIT 1
                        """, arguments: [process, position])
            else { return nil }
            var fields = RowFields(row)
            return try fields.word()
        }
    }
}
