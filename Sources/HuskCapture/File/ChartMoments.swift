// SPDX-License-Identifier: MIT
internal import GRDB
public import HuskModel

/// What a chart over time shows of a region: one transition, or several of a kind that came within
/// one span of time.
public struct ChartMoment: Hashable, Sendable {
    /// The first one's.
    public var time: Timestamp
    public var region: Int64
    public var kind: TransitionKind
    /// The last one's.
    public var previous: Protection?
    public var effective: Protection
    /// Transitions that it stands for.
    public var count: UInt64
    /// Captured with content, and lost, in pages.
    public var pages: UInt64
    public var lost: UInt64
    /// The highest generation of what was captured; nil: nothing was, or it is not known.
    public var generation: Int?
}

extension CaptureFile {
    /// For how many transitions each one's generation is looked up.
    private static let generationLimit: UInt64 = 20_000

    /// Moments of regions, by time. Of more transitions than `limit` those of one kind that a region
    /// had within a span are told as one, so that there are some `limit` (or some for each region).
    ///
    /// - Returns: the span in nanoseconds; 0: each moment is one transition.
    public func forEachChartMoment(
        limit: UInt64, _ body: (ChartMoment) throws -> Void
    ) throws -> UInt64 {
        let total = try lookUp { db in
            try Int64.fetchOne(
                db, sql: "SELECT count(*) FROM transition WHERE region IS NOT NULL") ?? 0
        }
        if total.restored <= limit {
            try forEachSingleMoment(
                knowsGenerations: isIndexed && total.restored <= Self.generationLimit, body)
            return 0
        }
        let bounds = try lookUp { db in
            try Row.fetchOne(
                db,
                sql: """
                    SELECT min(time_ns), max(time_ns), count(DISTINCT region) FROM transition \
                    WHERE region IS NOT NULL
                    """)
        }
        var fields = RowFields(bounds ?? Row())
        let first = try fields.optionalInteger() ?? 0
        let last = try fields.optionalInteger() ?? 0
        let regions = try fields.count()
        let spans = max(16, min(2000, Int64(clamping: limit) / Int64(max(1, regions))))
        // Times may be anything, in any order.
        let duration = last.subtractingReportingOverflow(first)
        let span = max(1, duration.overflow ? Int64.max : duration.partialValue / spans)
        try forEachJoinedMoment(since: first, span: span, body)
        return span.restored
    }

    private func forEachSingleMoment(
        knowsGenerations: Bool, _ body: (ChartMoment) throws -> Void
    ) throws {
        let generation =
            knowsGenerations
            ? "(SELECT max(s.generation) FROM snapshot s WHERE s.transition = t.position)" : "NULL"
        try forEachMoment(
            """
            SELECT t.time_ns, t.region, t.kind, t.previous, t.effective, 1, \
            coalesce(t.captured, 0), coalesce(t.lost, 0), \(generation) \
            FROM transition t WHERE t.region IS NOT NULL ORDER BY t.time_ns
            """, [], body)
    }

    private func forEachJoinedMoment(
        since first: Int64, span: Int64, _ body: (ChartMoment) throws -> Void
    ) throws {
        // The columns that are not sums are those of the row that max() chooses.
        try forEachMoment(
            """
            SELECT min(time_ns), region, kind, previous, effective, count(*), \
            sum(coalesce(captured, 0)), sum(coalesce(lost, 0)), NULL, max(position) \
            FROM transition WHERE region IS NOT NULL \
            GROUP BY region, (time_ns - ?) / ?, kind, effective ORDER BY min(time_ns)
            """, [first, span], body)
    }

    private func forEachMoment(
        _ sql: String, _ arguments: StatementArguments, _ body: (ChartMoment) throws -> Void
    ) throws {
        try stream { db in
            let rows = try Row.fetchCursor(db, sql: sql, arguments: arguments)
            while let row = try rows.next() {
                var fields = RowFields(row)
                try body(
                    ChartMoment(
                        time: info.timestamp(try fields.unsigned()), region: try fields.integer(),
                        kind: try fields.word(), previous: try fields.optionalProtection(),
                        effective: try fields.protection(), count: try fields.unsigned(),
                        pages: try fields.unsigned(), lost: try fields.unsigned(),
                        generation: try fields.optionalNumber()))
            }
        }
    }
}
