// SPDX-License-Identifier: MIT
internal import Foundation
internal import GRDB
public import HuskModel

/// What a capture file says of its run, and its sums.
public struct CaptureInfo: Hashable, Sendable {
    /// Made at random for each capture.
    public var uuid: String
    public var huskVersion: String
    /// Escaped; nil: the trace was attached to processes.
    public var command: [String]?
    /// The machine's name; escaped.
    public var host: String
    /// Its release; escaped.
    public var kernel: String
    public var machine: String
    public var cpus: Int
    /// Options of the run, by name; escaped.
    public var options: [String: String] = [:]
    /// CLOCK_MONOTONIC, nanoseconds.
    public var started: UInt64
    /// To be added to a monotonic time, modulo 2^64, for nanoseconds since 1970.
    public var wallOffset: UInt64
    /// Where system calls were seen (`tracepoints`, `functions`).
    public var probes: String?
    /// How pages were copied (`task-work`, `syscall-exit`).
    public var copyMethod: String?
    /// False: the trace still runs, or was cut off. Sums are those of the last batch then.
    public var isFinished: Bool
    /// CLOCK_MONOTONIC, nanoseconds; nil: it is unfinished.
    public var ended: UInt64?
    /// Nil: not known, it is unfinished.
    public var isComplete: Bool?
    /// Changes of protection that succeeded.
    public var transitions: UInt64
    /// Calls that asked for execution and failed.
    public var attempts: UInt64
    /// Looks at memory that can change without a call, and captures of what was written.
    public var looks: UInt64
    /// Different regions (start and length) that were executable.
    public var regions: UInt64
    /// Code in writable memory that was caught before it ran.
    public var executions: UInt64
    /// Regions whose bytes could change with no call.
    public var blindSpots: UInt64
    /// Processes that were born in the tree.
    public var children: UInt64
    /// Snapshots with content, and their bytes.
    public var pages: UInt64
    public var bytes: UInt64
    /// Pages that could not be read.
    public var unreadable: UInt64
    /// Losses of all causes, in pages where their range is known.
    public var lost: UInt64
    /// Pages that should be in the capture.
    public var expectedPages: UInt64
    /// Pages that were named, not captured.
    public var referenced: UInt64
    /// Different contents, and the bytes that they take in the file.
    public var contents: UInt64
    public var storedBytes: UInt64
    /// Of a command that has exited.
    public var targetExitCode: Int32?
    /// Of a command that a signal has ended.
    public var targetSignal: Int32?
    /// By cause, in pages where their range is known.
    public var losses: [String: UInt64] = [:]
    /// By CPU: the record numbers that were given, and those that never came.
    public var records: [RecordCount] = []

    init(_ db: Database) throws {
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT uuid, husk_version, command, host, kernel, machine, cpus, started_ns, \
                wall_offset_ns, probes, copy_method, state, ended_ns, complete, transitions, \
                attempts, looks, regions, executions, blind_spots, children, pages, bytes, \
                unreadable, lost, expected_pages, referenced, contents, stored_bytes, \
                target_exit_code, target_signal FROM capture WHERE id = 1
                """)
        guard let row else { throw CaptureFileError.damaged("it does not say what run it is of") }
        var fields = RowFields(row)
        uuid = try fields.targetText().escaped
        huskVersion = try fields.targetText().escaped
        command = try fields.optionalText().flatMap(Self.command)
        host = try fields.targetText().escaped
        kernel = try fields.targetText().escaped
        machine = try fields.targetText().escaped
        cpus = try fields.number()
        started = try fields.unsigned()
        wallOffset = try fields.unsigned()
        probes = try fields.optionalTargetText()?.escaped
        copyMethod = try fields.optionalTargetText()?.escaped
        isFinished = try fields.text() == "finished"
        ended = try fields.optionalInteger()?.restored
        isComplete = try fields.optionalInteger().map { $0 != 0 }
        transitions = try fields.unsigned()
        attempts = try fields.unsigned()
        looks = try fields.unsigned()
        regions = try fields.unsigned()
        executions = try fields.unsigned()
        blindSpots = try fields.unsigned()
        children = try fields.unsigned()
        pages = try fields.unsigned()
        bytes = try fields.unsigned()
        unreadable = try fields.unsigned()
        lost = try fields.unsigned()
        expectedPages = try fields.unsigned()
        referenced = try fields.unsigned()
        contents = try fields.unsigned()
        storedBytes = try fields.unsigned()
        targetExitCode = try fields.optionalNumber()
        targetSignal = try fields.optionalNumber()
        try readLists(db)
    }

    private mutating func readLists(_ db: Database) throws {
        let limit = 10_000
        for row in try Row.fetchAll(db, sql: "SELECT name, value FROM option LIMIT \(limit)") {
            var fields = RowFields(row)
            let name = try fields.targetText().escaped
            options[name] = try fields.targetText().escaped
        }
        for row in try Row.fetchAll(db, sql: "SELECT cause, pages FROM loss_sum LIMIT \(limit)") {
            var fields = RowFields(row)
            let cause = try fields.targetText().escaped
            losses[cause] = try fields.unsigned()
        }
        let rows = try Row.fetchAll(
            db, sql: "SELECT cpu, given, missing FROM record_count ORDER BY cpu LIMIT \(limit)")
        for row in rows {
            var fields = RowFields(row)
            records.append(
                RecordCount(
                    cpu: try fields.number(), given: try fields.unsigned(),
                    missing: try fields.unsigned()))
        }
    }

    private static func command(_ text: String) -> [String]? {
        let words = try? JSONDecoder().decode([String].self, from: Data(text.utf8))
        // Written escaped; whoever has changed the file may not have.
        return words?.map { TargetText(escaped: $0).escaped }
    }
}

extension CaptureInfo {
    /// Whether it is complete, by its own word and by its own numbers.
    public var isCompleteByItsNumbers: Bool {
        isComplete == true && !contradictsItself
    }

    /// It says that it is complete, and has numbers that say otherwise: the file has been changed.
    public var contradictsItself: Bool {
        isComplete == true
            && (lost > 0 || unreadable > 0 || pages != expectedPages
                || losses.values.contains { $0 > 0 })
    }

    /// A time of the file (CLOCK_MONOTONIC, nanoseconds), with the time of day.
    public func timestamp(_ monotonic: UInt64) -> Timestamp {
        Timestamp(monotonic: monotonic, wall: monotonic &+ wallOffset)
    }
}
