// SPDX-License-Identifier: MIT
import GRDB
import HuskModel
import ModelSamples
import Testing

@testable import HuskCapture

@Suite("rows of processes")
struct ProcessRowsTests {
    private static let task = TaskIdentity(pid: 10, tid: 10, hostPID: 110, hostTID: 110)

    @Test("each life of a number has its own, also when it is asked for late")
    func lives() throws {
        try withTables { db in
            let (ended, first) = try rowsWithEndedProcess(in: db)
            var rows = ended
            #expect(try rows.row(of: Self.task, at: Sample.time(5), in: db) == first)
            let second = try rows.row(of: Self.task, at: Sample.time(7), in: db)
            #expect(second != first)
            let start = ProcessStart(
                parent: TaskIdentity(pid: 1, tid: 1, hostPID: 101, hostTID: 101),
                time: Sample.time(9), child: 10, hostChild: 110, sharesMemory: false)
            try rows.store(start, at: 2, in: db)
            let third = try rows.row(of: Self.task, at: Sample.time(9), in: db)
            #expect(third != second)
            #expect(try rows.row(of: Self.task, at: Sample.time(8), in: db) == second)
        }
    }

    @Test("what is told after the end makes no process")
    func late() throws {
        try withTables { db in
            let (ended, first) = try rowsWithEndedProcess(in: db)
            var rows = ended
            let unknown = TaskIdentity(pid: 10, tid: 10, hostPID: 0, hostTID: 0)
            #expect(try rows.lastRow(of: Self.task, at: Sample.time(7), in: db) == first)
            #expect(try rows.lastRow(of: unknown, at: Sample.time(7), in: db) == first)
        }
    }

    /// It lives from 1 to 5.
    private func rowsWithEndedProcess(in db: Database) throws -> (ProcessRows, Int64) {
        var rows = ProcessRows()
        let first = try rows.row(of: Self.task, at: Sample.time(1), in: db)
        try rows.store(
            ProcessExit(task: Self.task, time: Sample.time(5), status: 0), at: 1, in: db)
        return (rows, first)
    }

    private func withTables(_ body: (Database) throws -> Void) throws {
        try DatabaseQueue().write { db in
            for table in CaptureSchema.tables { try db.execute(sql: table) }
            try body(db)
        }
    }
}
