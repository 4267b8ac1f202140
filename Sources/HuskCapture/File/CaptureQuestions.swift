// SPDX-License-Identifier: MIT
internal import GRDB
public import HuskModel

/// A region of a capture, with what is known of it.
public struct StoredRegion: Hashable, Sendable {
    /// Where it was, and from when to when.
    public var life: RegionLife
    /// The process's row.
    public var process: Int64
    /// With content.
    public var snapshots: UInt64
    /// The highest generation of any of its pages.
    public var generation: Int
}

/// A page at one moment, as it is listed.
public struct StoredSnapshot: Hashable, Sendable {
    /// In the order of what was told.
    public var position: Int64
    /// Without its bytes: ``content`` names them.
    public var page: Page
    /// The region's row.
    public var region: Int64?
    /// The process's row.
    public var process: Int64
    /// What the page held; nil: it could not be read.
    public var content: ContentReference?
    /// Of the region.
    public var label: RegionLabel.Kind?
}

/// One content of one page, from when it was seen first.
public struct StoredGeneration: Hashable, Sendable {
    public var pid: Int32
    public var address: Address
    public var size: Int
    /// How often the address had changed before.
    public var generation: Int
    /// When it was seen first.
    public var first: Timestamp
    /// When it was seen last.
    public var last: Timestamp
    /// How often it was captured.
    public var snapshots: UInt64
    /// The SHA-256 of the content.
    public var digest: Digest
    public var content: ContentReference
    /// The region's row.
    public var region: Int64?
}

extension CaptureFile {
    // MARK: Lists

    /// All of the tree, in the order in which they were seen.
    public var processes: [StoredProcess] {
        names.processes.values.sorted { $0.id < $1.id }
    }

    /// A process by its row.
    public func process(_ row: Int64) -> StoredProcess? { names.processes[row] }

    /// Regions in the order in which they were born.
    public func forEachRegion(
        _ filter: CaptureFilter = CaptureFilter(), _ body: (StoredRegion) throws -> Bool
    ) throws {
        try stream { db in
            var conditions = Conditions()
            conditions.addProcess(filter.pid, column: "r.process")
            conditions.addAddresses(filter.addresses, start: "r.start", length: "r.length")
            if let times = filter.times {
                // What lived at some moment of that time.
                let (first, last) = absolute(times)
                conditions.add(
                    "r.born_ns <= ? AND (r.gone_ns IS NULL OR r.gone_ns >= ?)", last, first)
            }
            conditions.addProtection(filter.protection, column: "r.protection")
            conditions.addLabels(filter, column: "r.label")
            if let size = filter.minimumSize {
                conditions.add("r.length >= ?", Int64(clamping: size))
            }
            if filter.digest != nil {
                var inner = Conditions()
                inner.addDigest(filter.digest, column: "c.sha256")
                conditions.add(
                    """
                    r.id IN (SELECT s.region FROM snapshot s JOIN content c ON c.id = s.content\
                    \(inner.sql))
                    """)
                conditions.append(inner.arguments)
            }
            if let generation = filter.generation {
                conditions.add(
                    "EXISTS (SELECT 1 FROM snapshot s WHERE s.region = r.id AND s.generation = ?)",
                    generation)
            }
            let rows = try conditions.statement(
                db, isIndexed ? Self.regionSelection : Self.unindexedRegionSelection,
                "ORDER BY r.id")
            while let row = try rows.next() {
                guard try body(try region(row)) else { return }
            }
        }
    }

    /// A region by its row (`r9` is 9); nil: there is none.
    public func region(_ id: Int64) throws(CaptureFileError) -> StoredRegion? {
        try lookUp { db in
            try Row.fetchOne(
                db, sql: Self.regionSelection + " WHERE r.id = ?",
                arguments: [id]
            ).map(region)
        }
    }

    private static let regionColumns = """
        r.id, r.process, r.start, r.length, r.born_ns, r.gone_ns, r.protection, r.shared, \
        r.backing, r.file, r.file_offset, r.label, r.label_source, r.label_detail, r.transitions
        """

    private static let regionSelection = """
        SELECT \(regionColumns), (SELECT count(*) FROM snapshot s WHERE s.region = r.id), \
        (SELECT max(generation) FROM snapshot s WHERE s.region = r.id) FROM region r
        """

    /// While there is no index, all snapshots are counted at once.
    private static let unindexedRegionSelection = """
        SELECT \(regionColumns), coalesce(c.snapshots, 0), c.generation FROM region r LEFT JOIN \
        (SELECT region, count(*) AS snapshots, max(generation) AS generation FROM snapshot \
        GROUP BY region) c ON c.region = r.id
        """

    private func region(_ row: Row) throws -> StoredRegion {
        var fields = RowFields(row)
        let id = try fields.integer()
        let process = try fields.integer()
        let task = try names.task(process, tid: 0, hostTID: 0)
        let start = try fields.address()
        let length = try fields.unsigned()
        let born = info.timestamp(try fields.unsigned())
        let gone = try fields.optionalInteger().map { info.timestamp($0.restored) }
        var life = RegionLife(
            id: id, task: task, start: start, length: length, born: born, gone: gone,
            protection: try fields.protection(), backing: .none,
            isShared: try fields.flag())
        life.backing = try names.backing(&fields)
        life.label = try fields.label()
        life.transitions = try fields.number()
        return StoredRegion(
            life: life, process: process, snapshots: try fields.unsigned(),
            generation: try fields.optionalNumber() ?? 0)
    }

    /// Snapshots in the order in which they were taken.
    public func forEachSnapshot(
        _ filter: CaptureFilter = CaptureFilter(), region: Int64? = nil,
        _ body: (StoredSnapshot) throws -> Bool
    ) throws {
        try stream { db in
            var conditions = snapshotConditions(filter)
            if let region { conditions.add("s.region = ?", region) }
            let rows = try conditions.statement(
                db, "SELECT \(Self.snapshotSelection)", "ORDER BY s.position")
            while let row = try rows.next() {
                guard try body(try snapshot(row)) else { return }
            }
        }
    }

    /// Columns and tables of what ``snapshot(_:)`` takes.
    static let snapshotSelection = """
        s.position, s.region, s.process, r.label, s.process, s.tid, s.host_tid, s.address, \
        s.size, s.time_ns, s.generation, s.content, s.reader, s.unreadable, s.error, s.cpu, \
        s.sequence, t.id, t.kind, t.previous, t.effective, t.instruction_pointer, c.sha256, \
        c.size FROM snapshot s JOIN transition t ON t.position = s.transition \
        LEFT JOIN content c ON c.id = s.content LEFT JOIN region r ON r.id = s.region
        """

    /// - Parameter first: the column to begin with.
    func snapshot(_ row: Row, from first: Int = 0) throws -> StoredSnapshot {
        var fields = RowFields(row, from: first)
        let position = try fields.integer()
        let region = try fields.optionalInteger()
        let process = try fields.integer()
        let label = try fields.optionalWord(RegionLabel.Kind.self)
        let (page, content) = try EventDecoder(names: names, info: info).page(&fields)
        return StoredSnapshot(
            position: position, page: page, region: region, process: process, content: content,
            label: label)
    }

    private func snapshotConditions(_ filter: CaptureFilter) -> Conditions {
        var conditions = Conditions()
        conditions.addProcess(filter.pid, column: "s.process")
        if let range = filter.addresses {
            // A page is no larger than this: so the index finds them.
            let first = range.lowerBound.rawValue
            conditions.add(
                "s.address >= ? AND s.address < ?",
                (first < 4095 ? 0 : first - 4095).stored, range.upperBound.stored)
            // The index begins with the process.
            if filter.pid == nil { conditions.add("s.process IN (SELECT id FROM process)") }
        }
        conditions.addTimes(filter.times, since: info.started, column: "s.time_ns")
        conditions.addProtection(filter.protection, column: "t.effective")
        conditions.addLabels(filter, column: "r.label")
        if let size = filter.minimumSize {
            conditions.add("r.length >= ?", Int64(clamping: size))
        }
        conditions.addDigest(filter.digest, column: "c.sha256")
        if let generation = filter.generation { conditions.add("s.generation = ?", generation) }
        return conditions
    }

    /// Contents of pages, by address; of each page in the order of its generations.
    public func forEachGeneration(
        _ filter: CaptureFilter = CaptureFilter(), _ body: (StoredGeneration) throws -> Bool
    ) throws {
        try stream { db in
            var conditions = snapshotConditions(filter)
            conditions.add("s.content IS NOT NULL")
            let rows = try conditions.statement(
                db,
                """
                SELECT s.process, s.address, s.size, s.generation, min(s.time_ns), \
                max(s.time_ns), count(*), s.region, c.sha256, c.id \
                FROM snapshot s JOIN transition t ON t.position = s.transition \
                JOIN content c ON c.id = s.content LEFT JOIN region r ON r.id = s.region
                """,
                "GROUP BY s.process, s.address, s.generation "
                    + "ORDER BY s.process, s.address, s.generation")
            while let row = try rows.next() {
                var fields = RowFields(row)
                let task = try names.task(try fields.integer(), tid: 0, hostTID: 0)
                let address = try fields.address()
                let size = try fields.size()
                let generation = try fields.count()
                let first = info.timestamp(try fields.unsigned())
                let last = info.timestamp(try fields.unsigned())
                let snapshots = try fields.unsigned()
                let region = try fields.optionalInteger()
                let found = StoredGeneration(
                    pid: task.pid, address: address, size: size, generation: generation,
                    first: first, last: last, snapshots: snapshots, digest: try fields.digest(),
                    content: ContentReference(rawValue: try fields.integer()), region: region)
                guard try body(found) else { return }
            }
        }
    }

    /// Losses in the order in which they were told.
    public func forEachLoss(
        _ filter: CaptureFilter = CaptureFilter(), _ body: (Loss) throws -> Bool
    ) throws {
        try stream { db in
            var conditions = Conditions()
            conditions.addProcess(filter.pid, column: "process")
            conditions.addAddresses(filter.addresses, start: "start", length: "length")
            conditions.addTimes(filter.times, since: info.started, column: "time_ns")
            let rows = try conditions.statement(
                db,
                """
                SELECT position, cause, time_ns, process, tid, host_tid, transition, start, \
                length, count FROM loss
                """, "ORDER BY position")
            let decoder = EventDecoder(names: names, info: info)
            while let row = try rows.next() {
                var fields = RowFields(row)
                _ = try fields.integer()
                guard try body(try decoder.loss(&fields)) else { return }
            }
        }
    }

    /// The layers of code. Of an unfinished capture they are made anew of its events.
    public func layers() throws -> [Layer] {
        guard info.isFinished else {
            var tracker = LayerTracker()
            try forEachEvent(pages: false) { _, event, _ in
                tracker.take(event)
                return true
            }
            return tracker.layers
        }
        return try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT id, number, parent, process, tid, host_tid, time_ns, start, length, \
                    backing, file, file_offset, requester, requester_backing, requester_file, \
                    requester_offset, writer, writer_backing, writer_file, writer_offset, entry, \
                    label, label_source, label_detail FROM layer ORDER BY id
                    """
            ).map(layer)
        }
    }

    private func layer(_ row: Row) throws -> Layer {
        var fields = RowFields(row)
        let id = try fields.number(Int.self)
        let number = try fields.number(Int.self)
        let parent = try fields.optionalNumber(Int.self)
        // Layers are made in order: one that comes later cannot have made this one.
        if let parent, parent >= id { throw CaptureFileError.damaged("layers go in a circle") }
        let task = try names.task(&fields)
        return Layer(
            id: id, number: number, parent: parent, task: task,
            time: info.timestamp(try fields.unsigned()), start: try fields.address(),
            length: try fields.unsigned(), backing: try names.backing(&fields),
            requester: try names.site(&fields), writer: try names.site(&fields),
            entry: try fields.optionalAddress(), label: try fields.label())
    }

    /// Transitions of a region, without their pages, in their order.
    public func forEachTransition(
        _ filter: CaptureFilter = CaptureFilter(), region: Int64? = nil,
        _ body: (_ position: Int64, Transition) throws -> Bool
    ) throws {
        try stream { db in
            var conditions = transitionConditions(filter)
            if let region { conditions.add("t.region = ?", region) }
            let rows = try conditions.statement(
                db, "SELECT \(EventDecoder.transitionColumns) FROM transition t",
                "ORDER BY t.position")
            let decoder = EventDecoder(names: names, info: info)
            while let row = try rows.next() {
                var fields = RowFields(row)
                let position = try fields.integer()
                guard try body(position, try decoder.transition(&fields)) else { return }
            }
        }
    }

    func transitionConditions(_ filter: CaptureFilter) -> Conditions {
        var conditions = Conditions()
        conditions.addProcess(filter.pid, column: "t.process")
        conditions.addAddresses(filter.addresses, start: "t.start", length: "t.length")
        conditions.addTimes(filter.times, since: info.started, column: "t.time_ns")
        conditions.addProtection(filter.protection, column: "t.effective")
        conditions.addLabels(filter, column: "t.label")
        if let size = filter.minimumSize {
            conditions.add("t.length >= ?", Int64(clamping: size))
        }
        return conditions
    }

    private func absolute(_ times: ClosedRange<UInt64>) -> (first: Int64, last: Int64) {
        let first = info.started.addingReportingOverflow(times.lowerBound)
        let last = info.started.addingReportingOverflow(times.upperBound)
        return (
            Int64(clamping: first.overflow ? .max : first.partialValue),
            Int64(clamping: last.overflow ? .max : last.partialValue)
        )
    }
}
