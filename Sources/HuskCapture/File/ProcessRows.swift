// SPDX-License-Identifier: MIT
internal import GRDB
internal import HuskModel

/// Which row of `process` a task's events belong to: one for each life of a process's number, as
/// numbers come again.
struct ProcessRows {
    private struct Life {
        var id: Int64
        /// CLOCK_MONOTONIC, ns; 0: from before the first event of this number.
        var since: UInt64
        var ended: UInt64?
    }

    /// The latest life of each number in the initial PID namespace.
    private var lives: [Int32: Life] = [:]
    /// The latest row of each number in Husk's own.
    private var latest: [Int32: Int64] = [:]
    private var next: Int64 = 1
    /// Those before the latest, once they have been asked for.
    private var earlierLives: [Int32: [Life]]?

    private static let insert = TableInsert(
        "process",
        [
            "id", "pid", "host_pid", "name", "parent", "parent_tid", "parent_host_tid",
            "shares_memory", "start_position", "started_ns",
        ])

    /// The row of the process that had a task's number at a time; made if it is not known yet.
    mutating func row(
        of task: TaskIdentity, at time: Timestamp, name: TargetText? = nil, in db: Database
    ) throws -> Int64 {
        // Of one that has ended only this number is known when its losses are told at last.
        if task.hostPID == 0, let known = latest[task.pid] { return known }
        var since: UInt64 = 0
        if task.hostPID != 0, let life = lives[task.hostPID] {
            if time.monotonic < life.since, let id = try earlier(than: life, task, time, in: db) {
                return id
            }
            // After its end it is another one, whose beginning was not told.
            guard let ended = life.ended, time.monotonic > ended else { return life.id }
            since = time.monotonic
        }
        let id = add(task.pid, task.hostPID, since: since)
        try Self.insert.run(
            db, [id, task.pid, task.hostPID, name?.escaped, nil, nil, nil, false, nil, nil])
        return id
    }

    /// The same for what may be told long after the process's end, with the time of the telling.
    mutating func lastRow(
        of task: TaskIdentity, at time: Timestamp, in db: Database
    ) throws -> Int64 {
        try lives[task.hostPID]?.id ?? row(of: task, at: time, in: db)
    }

    mutating func store(_ start: ProcessStart, at position: Int64, in db: Database) throws {
        let parent = try row(of: start.parent, at: start.time, in: db)
        let id = add(start.child, start.hostChild, since: start.time.monotonic)
        try Self.insert.run(
            db,
            [
                id, start.child, start.hostChild, nil, parent, start.parent.tid,
                start.parent.hostTID, start.sharesMemory, position, start.time.monotonic.stored,
            ])
    }

    mutating func store(_ exit: ProcessExit, at position: Int64, in db: Database) throws {
        let id = try row(of: exit.task, at: exit.time, in: db)
        if lives[exit.task.hostPID]?.id == id {
            lives[exit.task.hostPID]?.ended = exit.time.monotonic
        }
        try db.execute(
            literal: """
                UPDATE process SET end_position = \(position), \
                ended_ns = \(exit.time.monotonic.stored), end_tid = \(exit.task.tid), \
                end_host_tid = \(exit.task.hostTID), status = \(exit.status) WHERE id = \(id)
                """)
    }

    private mutating func add(_ pid: Int32, _ hostPID: Int32, since: UInt64) -> Int64 {
        let id = next
        next += 1
        if hostPID != 0 { lives[hostPID] = Life(id: id, since: since) }
        latest[pid] = id
        return id
    }

    /// Layers are stored when the trace ends: their process's number may have come again by then.
    /// (In one pass, when the first of them asks: an index would be paid for by every trace.)
    private mutating func earlier(
        than life: Life, _ task: TaskIdentity, _ time: Timestamp, in db: Database
    ) throws -> Int64? {
        if earlierLives == nil {
            var found: [Int32: [Life]] = [:]
            let rows = try Row.fetchCursor(
                db, sql: "SELECT id, host_pid, started_ns FROM process ORDER BY id")
            while let row = try rows.next() {
                let (id, hostPID) = (row[0] as Int64, row[1] as Int32)
                guard lives[hostPID]?.id != id else { continue }
                let since = (row[2] as Int64?).map { UInt64(bitPattern: $0) } ?? 0
                found[hostPID, default: []].append(Life(id: id, since: since))
            }
            earlierLives = found
        }
        return earlierLives?[task.hostPID]?.last {
            $0.id < life.id && $0.since <= time.monotonic
        }?.id
    }
}
