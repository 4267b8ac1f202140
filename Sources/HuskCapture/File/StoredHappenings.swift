// SPDX-License-Identifier: MIT
internal import GRDB
public import HuskModel

/// A transition as a capture has it, with what became of its pages in one.
public struct TransitionSummary: Hashable, Sendable {
    public var position: Int64
    public var transition: Transition
    public var region: Int64?
    /// Nil: it has no pages, or its end never came.
    public var end: TransitionEnd?
    /// Of its page, if it has captured exactly one.
    public var digest: Digest?
}

/// One line of a timeline.
public enum Happening: Hashable, Sendable {
    case transition(TransitionSummary)
    /// Any other event that stands for itself.
    case event(Event)
}

extension CaptureFile {
    /// Transitions with their ends.
    public func forEachTransitionSummary(
        _ filter: CaptureFilter = CaptureFilter(), _ body: (TransitionSummary) throws -> Bool
    ) throws {
        try stream { db in
            let rows = try transitionRows(db, filter)
            while let row = try rows.next() {
                guard try body(try storedTransition(row)) else { return }
            }
        }
    }

    /// Those of one region.
    public func forEachTransitionSummary(
        ofRegion region: Int64, _ body: (TransitionSummary) throws -> Bool
    ) throws {
        try stream { db in
            let rows = try transitionRows(db, CaptureFilter(), region: region)
            while let row = try rows.next() {
                guard try body(try storedTransition(row)) else { return }
            }
        }
    }

    /// What has happened, in its order, transitions with their ends.
    ///
    /// Labels and sizes select transitions and what has a range; what is about a whole process
    /// (its start, its programs, its end) is selected by its number and the time.
    public func forEachHappening(
        _ filter: CaptureFilter = CaptureFilter(), _ body: (Happening) throws -> Bool
    ) throws {
        try stream { db in
            let decoder = EventDecoder(names: names, info: info)
            let streams: [EventStream] = [
                try decoder.programs(db), try decoder.views(db), try decoder.blindSpots(db),
                try decoder.labels(db), try decoder.executions(db), try decoder.losses(db),
                decoder.starts(), decoder.exits(),
            ]
            let rows = try transitionRows(db, filter)
            var transition = try rows.next().map(storedTransition)
            while true {
                let others = streams.min { $0.position < $1.position }
                let position = others?.position ?? .max
                if let found = transition, found.position <= position {
                    guard try body(.transition(found)) else { return }
                    transition = try rows.next().map(storedTransition)
                } else if let (_, event, _) = try others?.next() {
                    guard matches(event, filter) else { continue }
                    guard try body(.event(event)) else { return }
                } else {
                    return
                }
            }
        }
    }

    private func transitionRows(
        _ db: Database, _ filter: CaptureFilter, region: Int64? = nil
    ) throws -> RowCursor {
        var conditions = transitionConditions(filter)
        if let region { conditions.add("t.region = ?", region) }
        if filter.generation != nil || filter.digest != nil {
            var inner = Conditions()
            inner.addDigest(filter.digest, column: "c.sha256")
            if let generation = filter.generation { inner.add("s.generation = ?", generation) }
            conditions.add(
                """
                t.position IN (SELECT s.transition FROM snapshot s \
                JOIN content c ON c.id = s.content\(inner.sql))
                """)
            conditions.append(inner.arguments)
        }
        // Without its index the page of a transition cannot be looked up in time.
        let digest =
            isIndexed
            ? """
            CASE WHEN t.captured = 1 THEN (SELECT c.sha256 FROM snapshot s \
            JOIN content c ON c.id = s.content WHERE s.transition = t.position LIMIT 1) END
            """ : "NULL"
        return try conditions.statement(
            db,
            """
            SELECT \(EventDecoder.transitionColumns), t.region, \(digest), t.end_cpu, \
            t.end_sequence, t.end_ns, t.captured, t.untouched, t.unchanged, t.unreadable, t.lost, \
            t.stalled_ns FROM transition t
            """, "ORDER BY t.position")
    }

    private func storedTransition(_ row: Row) throws -> TransitionSummary {
        var fields = RowFields(row)
        let position = try fields.integer()
        let transition = try EventDecoder(names: names, info: info).transition(&fields)
        var found = TransitionSummary(
            position: position, transition: transition, region: try fields.optionalInteger())
        found.digest = try fields.optionalDigest()
        guard let cpu = try fields.optionalNumber(UInt32.self) else { return found }
        let number = RecordNumber(cpu: cpu, sequence: try fields.unsigned())
        found.end = TransitionEnd(
            transition: transition.id, number: number, task: transition.task,
            time: info.timestamp(try fields.unsigned()), captured: try fields.unsigned(),
            untouched: try fields.unsigned(), unchanged: try fields.unsigned(),
            unreadable: try fields.unsigned(), lost: try fields.unsigned(),
            stalledNanoseconds: try fields.unsigned())
        return found
    }

    /// Executions that were caught, in their order.
    public func forEachExecution(
        _ filter: CaptureFilter = CaptureFilter(), _ body: (Execution) throws -> Bool
    ) throws {
        try stream { db in
            var conditions = Conditions()
            conditions.addProcess(filter.pid, column: "process")
            conditions.addAddresses(
                filter.addresses, start: "region_start", length: "region_length")
            conditions.addTimes(filter.times, since: info.started, column: "time_ns")
            let rows = try conditions.statement(
                db, "SELECT \(EventDecoder.executionColumns) FROM execution", "ORDER BY position")
            let decoder = EventDecoder(names: names, info: info)
            while let row = try rows.next() {
                var fields = RowFields(row)
                _ = try fields.integer()
                guard try body(try decoder.execution(&fields)) else { return }
            }
        }
    }
}

// MARK: - Filters of what is no transition

extension CaptureFile {
    private func matches(_ event: Event, _ filter: CaptureFilter) -> Bool {
        // These say nothing of contents.
        if filter.generation != nil || filter.digest != nil || filter.protection != nil {
            return false
        }
        if let pid = filter.pid, !event.pids.contains(pid) { return false }
        if !matches(event.time, filter) { return false }
        if let label = event.label {
            if filter.hiddenLabels.contains(label) { return false }
            if !filter.labels.isEmpty, !filter.labels.contains(label) { return false }
        } else if !filter.labels.isEmpty {
            return false
        }
        guard let ranges = event.ranges else {
            return filter.addresses == nil && filter.minimumSize == nil
        }
        if let wanted = filter.addresses,
            !ranges.contains(where: { wanted.overlaps($0) && !$0.isEmpty })
        {
            return false
        }
        if let size = filter.minimumSize {
            return ranges.contains { $0.upperBound.rawValue - $0.lowerBound.rawValue >= size }
        }
        return true
    }

    /// Whether a time lies in what is asked for.
    public func matches(_ time: Timestamp, _ filter: CaptureFilter) -> Bool {
        guard let times = filter.times else { return true }
        let since = time.monotonic < info.started ? 0 : time.monotonic - info.started
        return times.contains(since)
    }
}

extension Event {
    fileprivate var pids: [Int32] {
        switch self {
        case .transition(let transition): [transition.task.pid]
        case .page(let page): [page.task.pid]
        case .transitionEnd(let end): [end.task.pid]
        case .loss(let loss): loss.task.map { [$0.pid] } ?? []
        case .processExit(let exit): [exit.task.pid]
        case .processStart(let start): [start.child, start.parent.pid]
        case .programExecution(let execution): [execution.task.pid]
        case .sharedView(let view): [view.executable.pid, view.writable.pid]
        case .blindSpot(let spot): [spot.task.pid]
        case .label(let region): [region.task.pid]
        case .execution(let execution): [execution.task.pid]
        }
    }

    fileprivate var label: RegionLabel.Kind? {
        if case .label(let region) = self { region.label.kind } else { nil }
    }

    /// Nil: it is about no range.
    fileprivate var ranges: [Range<Address>]? {
        func range(_ start: Address, _ length: UInt64) -> Range<Address> {
            let (end, overflow) = start.rawValue.addingReportingOverflow(length)
            return start..<Address(overflow ? .max : end)
        }
        return switch self {
        case .loss(let loss): loss.start.map { [range($0, loss.length)] }
        case .sharedView(let view):
            [
                range(view.executable.start, view.executable.length),
                range(view.writable.start, view.writable.length),
            ]
        case .blindSpot(let spot): [range(spot.start, spot.length)]
        case .label(let region): [range(region.start, region.length)]
        case .execution(let execution): [execution.region]
        case .transition, .page, .transitionEnd, .processExit, .processStart, .programExecution:
            nil
        }
    }
}
