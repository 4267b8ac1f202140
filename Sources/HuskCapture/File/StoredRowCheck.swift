// SPDX-License-Identifier: MIT
internal import GRDB
internal import HuskModel

/// Whether the events of a capture file can have been told one after the other, and whether what
/// was made of them while the trace ran (regions, layers, generations) is what they make again.
struct StoredRowCheck {
    /// Of a transition whose end has not come.
    private struct Open {
        var start: Address
        var length: UInt64
        var isLook: Bool
        /// Of which there are snapshots.
        var pages: Set<Address> = []
    }

    private typealias Subject = VerificationReport.Finding.Subject

    private let file: CaptureFile
    /// The trace has ended, and by its own word nothing is missing.
    private let isWhole: Bool
    private var open: [Transition.ID: Open] = [:]
    private var lastPosition: Int64 = 0
    private var generations = Generations()
    private var layers = LayerTracker()
    private var regions = RegionTracker()
    /// As they are now: those that have gone were compared then.
    private var living: [Int64: RegionLife] = [:]
    private var regionCount: Int64 = 0
    private var eventsUntilLook = Self.eventsPerLook

    private static let eventsPerLook = 1024

    init(_ file: CaptureFile) {
        self.file = file
        isWhole = file.info.isFinished && file.info.isComplete == true
    }

    // MARK: Events

    /// The next event, in the order of the file.
    mutating func take(
        _ event: Event, at position: Int64, _ report: inout VerificationReport
    ) throws {
        if position <= lastPosition {
            report.add(
                .init(subject: .database, message: "two events have the position \(position)"))
        }
        lastPosition = position
        layers.take(event)
        let region = regions.take(event)
        switch event {
        case .transition(let transition):
            try checkRegion(of: transition, at: position, region, &report)
            begin(transition, &report)
        case .page(let page): check(page, &report)
        case .transitionEnd(let end): check(end, &report)
        case .processStart(let start): generations.forget(process: start.child)
        case .programExecution(let execution): generations.forget(process: execution.task.pid)
        case .processExit(let exit): generations.forget(process: exit.task.pid)
        case .execution(let execution):
            // (Its address may be outside: an instruction that has written to it, or the one before.)
            check(execution.region.lowerBound, execution.region.upperBound, "an execution", &report)
        case .blindSpot(let spot): check(spot.start, spot.length, "a blind spot", &report)
        case .label(let label): check(label.start, label.length, "a label", &report)
        case .sharedView(let view):
            for region in [view.executable, view.writable] {
                check(region.start, region.length, "a shared view", &report)
            }
        case .loss: break
        }
        eventsUntilLook -= 1
        if eventsUntilLook == 0 { try lookAtRegions(&report) }
    }

    private func check(
        _ start: Address, _ length: UInt64, _ name: String, _ report: inout VerificationReport
    ) {
        guard length == 0 || start.rawValue.addingReportingOverflow(length - 1).overflow else {
            return
        }
        report.add(
            .init(
                subject: .database, message: "\(name) has \(length) bytes: that cannot be",
                address: start))
    }

    private func check(
        _ start: Address, _ end: Address, _ name: String, _ report: inout VerificationReport
    ) {
        check(start, end.rawValue &- start.rawValue, name, &report)
    }

    // MARK: Transitions and their pages

    private mutating func begin(_ transition: Transition, _ report: inout VerificationReport) {
        guard transition.hasPages else { return }
        let id = transition.id.hexadecimal
        if transition.start.rawValue % 4096 != 0 || transition.length % 4096 != 0 {
            report.add(
                .init(
                    subject: .counts, message: "it is of no whole pages", transition: id,
                    address: transition.start))
        }
        check(transition.start, transition.length, "transition \(id)", &report)
        let isLook = transition.kind == .look
        let known = open.updateValue(
            Open(start: transition.start, length: transition.length, isLook: isLook),
            forKey: transition.id)
        if known != nil {
            report.add(.init(subject: .counts, message: "there are two of it", transition: id))
        }
    }

    private mutating func check(_ page: Page, _ report: inout VerificationReport) {
        func tell(_ message: String) {
            report.add(
                .init(
                    subject: .counts, message: message, transition: page.transition.hexadecimal,
                    address: page.address))
        }
        guard let transition = open[page.transition] else {
            tell("a page is told before its transition or after its end")
            return
        }
        let offset = page.address.rawValue &- transition.start.rawValue
        if page.size != 4096 || page.address.rawValue % 4096 != 0 {
            tell("this is no whole page")
        } else if page.address < transition.start || offset >= transition.length {
            tell("a page is outside of its transition")
        } else if open[page.transition]?.pages.insert(page.address).inserted == false {
            tell("a page is there twice")
        }
        // What was lost has a generation as well.
        guard isWhole, case .content(let content, _) = page.body else { return }
        let generation = generations.note(content, at: page.address, of: page.task.pid)
        if generation != page.generation {
            tell(
                "it says generation \(page.generation); by the contents of this page before it is "
                    + "\(generation)")
        }
    }

    private mutating func check(_ end: TransitionEnd, _ report: inout VerificationReport) {
        guard let transition = open.removeValue(forKey: end.transition) else {
            report.add(
                .init(
                    subject: .counts, message: "it has an end, and should have no pages",
                    transition: end.transition.hexadecimal))
            return
        }
        var sum = ManifestSums.Sum()
        for part in [end.captured, end.untouched, end.unchanged, end.unreadable, end.lost] {
            sum += part
        }
        let pages = transition.length / 4096
        // A look leaves out what is not there; what is missing may be told in two ways.
        let isExact = !transition.isLook && end.unreadable == 0 && end.lost == 0
        if isExact ? sum.value != pages : sum.value > pages {
            report.add(
                .init(
                    subject: .counts,
                    message: "its counts are of \(sum.value) pages; it has \(pages)",
                    transition: end.transition.hexadecimal))
        }
    }

    // MARK: Regions, layers

    private func checkRegion(
        of transition: Transition, at position: Int64, _ region: Int64?,
        _ report: inout VerificationReport
    ) throws {
        let stored = try file.lookUp { db in
            let statement = try db.cachedStatement(
                sql: "SELECT region FROM transition WHERE position = ?")
            return try Int64.fetchOne(statement, arguments: [position])
        }
        if stored != region {
            report.add(
                .init(
                    subject: .database, message: "it is not of the region that its row names",
                    transition: transition.id.hexadecimal, address: transition.start))
        }
    }

    private mutating func lookAtRegions(_ report: inout VerificationReport) throws {
        eventsUntilLook = Self.eventsPerLook
        for region in regions.takeChanges() {
            regionCount = max(regionCount, region.id)
            living[region.id] = region
            guard region.gone != nil else { continue }
            living[region.id] = nil
            try compare(region, &report)
        }
    }

    private func compare(_ region: RegionLife, _ report: inout VerificationReport) throws {
        let stored: RegionLife? = try file.lookUp { db in
            let statement = try db.cachedStatement(
                sql: """
                    SELECT process, start, length, born_ns, gone_ns, protection, shared, backing, \
                    file, file_offset, label, label_source, label_detail, transitions \
                    FROM region WHERE id = ?
                    """)
            guard let row = try Row.fetchOne(statement, arguments: [region.id]) else { return nil }
            var fields = RowFields(row)
            // Its thread has no column.
            let task = try file.names.task(
                try fields.integer(), tid: region.task.tid, hostTID: region.task.hostTID)
            let (start, length) = (try fields.address(), try fields.unsigned())
            let born = file.info.timestamp(try fields.unsigned())
            let gone = try fields.optionalInteger().map { file.info.timestamp($0.restored) }
            let protection = try fields.protection()
            let isShared = try fields.flag()
            let backing = try file.names.backing(&fields)
            let label = try fields.label()
            return RegionLife(
                id: region.id, task: task, start: start, length: length, born: born, gone: gone,
                protection: protection, backing: backing, isShared: isShared, label: label,
                transitions: try fields.number())
        }
        guard stored != region else { return }
        report.add(
            .init(
                subject: .database,
                message: stored == nil
                    ? "region r\(region.id) is missing"
                    : "region r\(region.id) is not what its transitions make",
                address: region.start))
    }

    /// Call it when all events have come.
    mutating func finish(_ report: inout VerificationReport) throws {
        try lookAtRegions(&report)
        for region in living.values.sorted(by: { $0.id < $1.id }) { try compare(region, &report) }
        let count = try file.lookUp { try Int64.fetchOne($0, sql: "SELECT count(*) FROM region") }
        if let count, count != regionCount {
            report.add(
                .init(
                    subject: .database,
                    message: "there are \(count) regions; the transitions make \(regionCount)"))
        }
        // Those of an unfinished one are made when they are asked for.
        if file.info.isFinished, try file.layers() != layers.layers {
            report.add(
                .init(subject: .database, message: "the layers are not those that the events make"))
        }
    }
}
