// SPDX-License-Identifier: MIT
internal import Foundation
internal import GRDB
internal import HuskModel

/// The one row of the table `capture`: what the run was, and its sums.
enum RunRow {
    static func insert(_ run: RunDescription, in db: Database) throws {
        try CaptureSchema.create(in: db)
        let command = try run.command.map { command in
            let encoder = JSONEncoder()
            encoder.outputFormatting = .withoutEscapingSlashes
            return String(decoding: try encoder.encode(command), as: UTF8.self)
        }
        try db.execute(
            literal: """
                INSERT INTO capture (id, uuid, husk_version, command, host, kernel, machine, cpus, \
                started_ns, wall_offset_ns, state) VALUES (1, \(UUID().uuidString), \
                \(run.huskVersion), \(command), \(run.host), \(run.kernel), \(run.machine), \
                \(run.cpus), \(SystemClock.monotonic.stored), \
                \((SystemClock.wall &- SystemClock.monotonic).stored), 'open')
                """)
        for (name, value) in run.options.sorted(by: { $0.key < $1.key }) {
            try db.execute(literal: "INSERT INTO option VALUES (\(name), \(value))")
        }
    }

    /// Takes over the offset of the clocks that the tracer has measured.
    static func noteClock(of time: Timestamp, in db: Database) throws {
        try db.execute(
            literal: "UPDATE capture SET wall_offset_ns = \((time.wall &- time.monotonic).stored)")
    }

    /// The sums so far.
    static func update(
        _ tally: CaptureTally, contents: Int, storedBytes: UInt64, in db: Database
    ) throws {
        try db.execute(
            literal: """
                UPDATE capture SET transitions = \(tally.transitions), attempts = \(tally.attempts),
                looks = \(tally.looks), regions = \(tally.regions),
                executions = \(tally.executions), blind_spots = \(tally.blindSpots),
                children = \(tally.children), pages = \(tally.pages),
                bytes = \(tally.bytes.stored), unreadable = \(tally.unreadable),
                lost = \(tally.lost.stored), expected_pages = \(tally.expectedPages.stored),
                referenced = \(tally.referenced.stored), contents = \(contents),
                stored_bytes = \(storedBytes.stored)
                """)
    }

    static func noteContents(_ count: Int, storedBytes: UInt64, in db: Database) throws {
        try db.execute(
            literal: "UPDATE capture SET contents = \(count), stored_bytes = \(storedBytes.stored)")
    }

    /// The last word.
    static func finish(
        _ tally: CaptureTally, records: [RecordCount], probes: String?, copyMethod: String?,
        target: TargetStatus?, contents: Int, storedBytes: UInt64, in db: Database
    ) throws {
        try update(tally, contents: contents, storedBytes: storedBytes, in: db)
        let ended = SystemClock.monotonic.stored
        try db.execute(
            literal: """
                UPDATE capture SET state = 'finished', ended_ns = \(ended),
                complete = \(tally.isComplete), probes = \(probes),
                copy_method = \(copyMethod), target_exit_code = \(target?.exitCode),
                target_signal = \(target?.signal)
                """)
        for count in records {
            try db.execute(
                literal: """
                    INSERT INTO record_count VALUES (\(count.cpu), \(count.given.stored), \
                    \(count.missing.stored))
                    """)
        }
        for (cause, pages) in tally.losses {
            try db.execute(
                literal: "INSERT INTO loss_sum VALUES (\(cause.rawValue), \(pages.stored))")
        }
    }
}
