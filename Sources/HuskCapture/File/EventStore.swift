// SPDX-License-Identifier: MIT
internal import GRDB
internal import HuskModel

/// Puts events into the tables of a capture file, in the order in which they come.
final class EventStore {
    private let contents = ContentStore()
    private var files: [FileIdentity: Int64] = [:]
    private var nextFile: Int64 = 1
    private var processes = ProcessRows()
    private var nextMapping: Int64 = 0
    private var regions = RegionTracker()
    /// Of transitions whose end has not come: their row, the region's and the process's.
    private var open: [Transition.ID: (position: Int64, region: Int64?, process: Int64)] = [:]
    private(set) var position: Int64 = 0
    private(set) var tally = CaptureTally()

    var contentCount: Int { contents.count }
    var storedBytes: UInt64 { contents.storedBytes }

    /// Memory that a hostile target could make grow without a bound.
    private static let fileLimit = 1 << 16

    /// What is done when all is stored and the indices are made.
    func joinDoubles(in db: Database) throws { try contents.joinDoubles(in: db) }

    // MARK: Events

    func store(_ event: Event, in db: Database) throws {
        position += 1
        tally.add(event)
        let region = regions.take(event)
        switch event {
        case .transition(let transition): try store(transition, region, in: db)
        case .page(let page): try store(page, in: db)
        case .transitionEnd(let end): try store(end, in: db)
        case .loss(let loss): try store(loss, in: db)
        case .processExit(let exit): try processes.store(exit, at: position, in: db)
        case .processStart(let start): try processes.store(start, at: position, in: db)
        case .programExecution(let execution): try store(execution, in: db)
        case .sharedView(let view): try store(view, in: db)
        case .blindSpot(let spot): try store(spot, in: db)
        case .label(let label): try store(label, in: db)
        case .execution(let execution): try store(execution, in: db)
        }
    }

    private static let insertTransition = TableInsert(
        "transition",
        [
            "position", "id", "region", "process", "tid", "host_tid", "thread_name", "cpu",
            "sequence", "time_ns", "kind", "call", "abi", "start", "length", "argument_address",
            "argument_length", "argument_flags", "result", "requested", "previous", "effective",
            "backing", "file", "file_offset", "shared", "fresh", "vanished", "unseen", "known",
            "has_pages", "instruction_pointer", "stack_pointer", "caller", "caller_backing",
            "caller_file", "caller_offset", "writer_pid", "writer_tid", "writer_host_pid",
            "writer_host_tid", "writer_name", "look_trigger", "call_number", "label",
            "label_source", "label_detail", "reference_sha256", "reference_length",
        ])

    private func store(_ transition: Transition, _ region: Int64?, in db: Database) throws {
        // The region first: the transition names it.
        try storeRegions(in: db)
        let process = try processes.row(
            of: transition.task, at: transition.time, name: transition.threadName, in: db)
        var values: [(any DatabaseValueConvertible)?] = [
            position, transition.id.rawValue.stored, region, process, transition.task.tid,
            transition.task.hostTID, transition.threadName.escaped, transition.number.cpu,
            transition.number.sequence.stored, transition.time.monotonic.stored,
            transition.kind.rawValue, transition.call?.rawValue, transition.abi.rawValue,
            transition.start.stored, transition.length.stored,
            transition.arguments.address.stored, transition.arguments.length.stored,
            transition.arguments.flags.stored, transition.result,
            transition.requested.description, transition.previous?.description,
            transition.effective.description,
        ]
        values += try backing(transition.backing, in: db)
        values += [
            transition.isShared, transition.isFresh, transition.hasVanished, transition.isUnseen,
            transition.isKnown, transition.hasPages, transition.instructionPointer.stored,
            transition.stackPointer.stored,
        ]
        values += try site(transition.caller, in: db)
        let writer = transition.writer
        values += [
            writer?.task.pid, writer?.task.tid, writer?.task.hostPID, writer?.task.hostTID,
            writer?.threadName.escaped, transition.trigger?.rawValue, transition.callNumber,
        ]
        values += Self.label(transition.label)
        values += [
            transition.reference.map { $0.digest.data }, transition.reference?.length.stored,
        ]
        try Self.insertTransition.run(db, values)
        if transition.hasPages { open[transition.id] = (position, region, process) }
    }

    private static let insertSnapshot = BoundInsert(
        "snapshot",
        [
            "position", "transition", "region", "process", "address", "size", "time_ns",
            "generation", "content", "reader", "unreadable", "error", "tid", "host_tid", "cpu",
            "sequence",
        ])

    private func store(_ page: Page, in db: Database) throws {
        // Without its transition it would belong to nothing; a transition is always told first.
        guard let transition = open[page.transition] else { return }
        var content: Int64?
        var reason: UnreadableReason?
        var error: Int32?
        switch page.body {
        case .content(let bytes, _): content = try contents.store(bytes, in: db)
        case .unreadable(let why, let errno): (reason, error) = (why, errno)
        }
        try Self.insertSnapshot.run(db) { values in
            values.add(position)
            values.add(transition.position)
            values.add(transition.region)
            values.add(transition.process)
            values.add(page.address.stored)
            values.add(page.size)
            values.add(page.time.monotonic.stored)
            values.add(page.generation)
            values.add(content)
            values.add(page.reader?.rawValue)
            values.add(reason?.rawValue)
            values.add(error.map(Int64.init))
            values.add(page.task.tid)
            values.add(page.task.hostTID)
            values.add(page.number.cpu)
            values.add(page.number.sequence.stored)
        }
    }

    private static let endTransition = """
        UPDATE transition SET end_position = ?, end_cpu = ?, end_sequence = ?, end_ns = ?, \
        captured = ?, untouched = ?, unchanged = ?, unreadable = ?, lost = ?, stalled_ns = ? \
        WHERE position = ?
        """

    private func store(_ end: TransitionEnd, in db: Database) throws {
        guard let transition = open.removeValue(forKey: end.transition) else { return }
        let statement = try db.cachedStatement(sql: Self.endTransition)
        statement.setUncheckedArguments([
            position, end.number.cpu, end.number.sequence.stored, end.time.monotonic.stored,
            end.captured.stored, end.untouched.stored, end.unchanged.stored,
            end.unreadable.stored, end.lost.stored, end.stalledNanoseconds.stored,
            transition.position,
        ])
        try statement.execute()
    }

    private static let insertLoss = TableInsert(
        "loss",
        [
            "position", "cause", "time_ns", "process", "tid", "host_tid", "transition", "start",
            "length", "count",
        ])

    private func store(_ loss: Loss, in db: Database) throws {
        let process =
            try loss.transition.flatMap { open[$0]?.process }
            ?? loss.task.map { try processes.lastRow(of: $0, at: loss.time, in: db) }
        try Self.insertLoss.run(
            db,
            [
                position, loss.cause.rawValue, loss.time.monotonic.stored, process,
                loss.task?.tid, loss.task?.hostTID, loss.transition?.rawValue.stored,
                loss.start?.stored,
                loss.length.stored, loss.count.stored,
            ])
    }

    private static let insertView = TableInsert(
        "shared_view",
        [
            "position", "time_ns", "executable_pid", "executable_start", "executable_length",
            "executable_protection", "writable_pid", "writable_start", "writable_length",
            "writable_protection", "backing", "file", "file_offset",
        ])

    private func store(_ view: SharedView, in db: Database) throws {
        var values: [(any DatabaseValueConvertible)?] = [position, view.time.monotonic.stored]
        for region in [view.executable, view.writable] {
            values += [
                region.pid, region.start.stored, region.length.stored,
                region.protection.description,
            ]
        }
        try Self.insertView.run(db, values + backing(view.backing, in: db))
    }

    private static let insertBlindSpot = TableInsert(
        "blind_spot",
        ["position", "process", "tid", "host_tid", "time_ns", "start", "length", "reason"])

    private func store(_ spot: BlindSpot, in db: Database) throws {
        try Self.insertBlindSpot.run(
            db,
            [
                position, try processes.row(of: spot.task, at: spot.time, in: db), spot.task.tid,
                spot.task.hostTID, spot.time.monotonic.stored, spot.start.stored,
                spot.length.stored, spot.reason.rawValue,
            ])
    }

    private static let insertLabel = TableInsert(
        "label",
        [
            "position", "process", "tid", "host_tid", "time_ns", "start", "length", "label",
            "label_source", "label_detail",
        ])

    private func store(_ region: LabelledRegion, in db: Database) throws {
        var values: [(any DatabaseValueConvertible)?] = [
            position, try processes.row(of: region.task, at: region.time, in: db), region.task.tid,
            region.task.hostTID, region.time.monotonic.stored, region.start.stored,
            region.length.stored,
        ]
        values += Self.label(region.label)
        try Self.insertLabel.run(db, values)
    }

    private static let insertExecution = TableInsert(
        "execution",
        [
            "position", "transition", "process", "tid", "host_tid", "time_ns", "address",
            "region_start", "region_length", "sequence", "writer", "writer_backing",
            "writer_file", "writer_offset",
        ] + Registers().named.map(\.name))

    private func store(_ execution: Execution, in db: Database) throws {
        var values: [(any DatabaseValueConvertible)?] = [
            position, execution.transition.rawValue.stored,
            try processes.row(of: execution.task, at: execution.time, in: db), execution.task.tid,
            execution.task.hostTID, execution.time.monotonic.stored, execution.address.stored,
            execution.region.lowerBound.stored,
            (execution.region.upperBound.rawValue &- execution.region.lowerBound.rawValue).stored,
            execution.sequence,
        ]
        values += try site(execution.writer, in: db)
        values += execution.registers.named.map(\.value.stored)
        try Self.insertExecution.run(db, values)
        if let memory = execution.memory { try store(memory, in: db) }
    }

    private static let insertMapping = TableInsert(
        "mapping",
        [
            "id", "execution", "start", "length", "protection", "shared", "backing", "file",
            "file_offset",
        ])
    private static let insertMappingPage = TableInsert(
        "mapping_page", ["mapping", "address", "content"])

    private func store(_ memory: ExecutionMemory, in db: Database) throws {
        var pages = memory.pages[...]
        for mapping in memory.mappings {
            nextMapping += 1
            let values: [(any DatabaseValueConvertible)?] = [
                nextMapping, position, mapping.start.stored,
                (mapping.end.rawValue &- mapping.start.rawValue).stored,
                mapping.protection.description, mapping.isShared,
            ]
            try Self.insertMapping.run(db, values + backing(mapping.backing, in: db))
            pages = pages.drop { $0.address < mapping.start }
            while let page = pages.first, page.address < mapping.end {
                pages.removeFirst()
                try Self.insertMappingPage.run(
                    db,
                    [
                        nextMapping, page.address.stored,
                        try contents.store(page.content, in: db),
                    ])
            }
        }
    }

    // MARK: Processes

    private static let insertProgram = TableInsert(
        "program",
        [
            "position", "process", "tid", "host_tid", "time_ns", "name", "backing", "file",
            "file_offset", "fileless",
        ])

    private func store(_ execution: ProgramExecution, in db: Database) throws {
        let id = try processes.row(of: execution.task, at: execution.time, in: db)
        let values: [(any DatabaseValueConvertible)?] = [
            position, id, execution.task.tid, execution.task.hostTID,
            execution.time.monotonic.stored, execution.name.escaped,
        ]
        try Self.insertProgram.run(
            db, values + backing(execution.backing, in: db) + [execution.fileless?.rawValue])
        try db.execute(
            literal: "UPDATE process SET name = \(execution.name.escaped) WHERE id = \(id)")
    }

    // MARK: Regions, layers

    private static let insertRegion = TableInsert(
        "region",
        [
            "id", "process", "start", "length", "born_ns", "gone_ns", "protection", "shared",
            "backing", "file", "file_offset", "label", "label_source", "label_detail",
            "transitions",
        ])
    private static let updateRegion = """
        UPDATE region SET gone_ns = ?, protection = ?, label = ?, label_source = ?, \
        label_detail = ?, transitions = ? WHERE id = ?
        """
    private var lastRegion: Int64 = 0

    /// - Parameter all: those that were there before, too: at the end of a batch.
    func storeRegions(in db: Database, all: Bool = false) throws {
        guard all || regions.hasNew else { return }
        for region in regions.takeChanges() {
            if region.id > lastRegion {
                lastRegion = region.id
                var values: [(any DatabaseValueConvertible)?] = [
                    region.id, try processes.row(of: region.task, at: region.born, in: db),
                    region.start.stored, region.length.stored, region.born.monotonic.stored,
                    region.gone?.monotonic.stored, region.protection.description, region.isShared,
                ]
                values += try backing(region.backing, in: db)
                values += Self.label(region.label)
                try Self.insertRegion.run(db, values + [region.transitions])
            } else {
                let statement = try db.cachedStatement(sql: Self.updateRegion)
                let values: [(any DatabaseValueConvertible)?] =
                    [region.gone?.monotonic.stored, region.protection.description]
                    + Self.label(region.label) + [region.transitions, region.id]
                statement.setUncheckedArguments(StatementArguments(values))
                try statement.execute()
            }
        }
    }

    private static let insertLayer = TableInsert(
        "layer",
        [
            "id", "number", "parent", "process", "tid", "host_tid", "time_ns", "start", "length",
            "backing", "file", "file_offset", "requester", "requester_backing", "requester_file",
            "requester_offset", "writer", "writer_backing", "writer_file", "writer_offset",
            "entry", "label", "label_source", "label_detail",
        ])

    func store(_ layer: Layer, in db: Database) throws {
        var values: [(any DatabaseValueConvertible)?] = [
            layer.id, layer.number, layer.parent,
            try processes.row(of: layer.task, at: layer.time, in: db),
            layer.task.tid, layer.task.hostTID, layer.time.monotonic.stored, layer.start.stored,
            layer.length.stored,
        ]
        values += try backing(layer.backing, in: db)
        values += try site(layer.requester, in: db)
        values += try site(layer.writer, in: db)
        values.append(layer.entry?.stored)
        values += Self.label(layer.label)
        try Self.insertLayer.run(db, values)
    }

    // MARK: Parts of rows

    private static let insertFile = TableInsert(
        "file",
        ["id", "device_major", "device_minor", "inode", "link_count", "name", "path"])

    /// The three columns of a backing: kind, file, offset.
    private func backing(
        _ backing: Backing, in db: Database
    ) throws -> [(any DatabaseValueConvertible)?] {
        guard let file = backing.file else { return [backing.kind, nil, nil] }
        return [backing.kind, try row(of: file, in: db), backing.fileOffset?.stored]
    }

    private func row(of file: FileIdentity, in db: Database) throws -> Int64 {
        if let known = files[file] { return known }
        if files.count >= Self.fileLimit { files.removeAll() }
        let id = nextFile
        nextFile += 1
        files[file] = id
        try Self.insertFile.run(
            db,
            [
                id, file.deviceMajor, file.deviceMinor, file.inode.stored, file.linkCount,
                file.name.escaped, file.path?.escaped,
            ])
        return id
    }

    /// The four columns of a call site.
    private func site(
        _ site: CallSite?, in db: Database
    ) throws -> [(any DatabaseValueConvertible)?] {
        guard let site else { return [nil, nil, nil, nil] }
        return [site.address.stored] + (try backing(site.backing, in: db))
    }

    private static func label(_ label: RegionLabel?) -> [(any DatabaseValueConvertible)?] {
        [label?.kind.rawValue, label?.source.rawValue, label?.detail.escaped]
    }
}
