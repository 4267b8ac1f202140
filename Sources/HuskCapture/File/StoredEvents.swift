// SPDX-License-Identifier: MIT
internal import GRDB
public import HuskModel

extension CaptureFile {
    /// Gives the events again, as the tracer gave them, in their order. Pages have the size and the
    /// SHA-256 of their content, not its bytes (``bytes(of:)`` has them).
    ///
    /// - Parameters:
    ///   - pages: false: without pages and ends of transitions, which is much faster.
    ///   - last: the last position that is of interest.
    ///   - body: returns false to end.
    public func forEachEvent(
        pages: Bool = true, upTo last: Int64 = .max,
        _ body: (_ position: Int64, _ event: Event, _ content: ContentReference?) throws -> Bool
    ) throws {
        try stream { db in
            let decoder = EventDecoder(names: names, info: info)
            var streams: [EventStream] = [
                try decoder.transitions(db), try decoder.programs(db), try decoder.views(db),
                try decoder.blindSpots(db), try decoder.labels(db), try decoder.executions(db),
                try decoder.losses(db), decoder.starts(), decoder.exits(),
            ]
            if pages {
                streams.append(try decoder.snapshots(db))
                streams.append(try decoder.ends(db))
            }
            while let index = streams.indices.min(by: {
                streams[$0].position < streams[$1].position
            }), let (position, event, content) = try streams[index].next() {
                guard position <= last, try body(position, event, content) else { return }
            }
        }
    }
}

/// The events of one table, in their order, with one read ahead.
final class EventStream {
    typealias Element = (position: Int64, event: Event, content: ContentReference?)

    private let produce: () throws -> Element?
    private var waiting: Element?

    init(_ produce: @escaping () throws -> Element?) throws {
        self.produce = produce
        waiting = try produce()
    }

    init(_ elements: [Element]) {
        var rest = elements.makeIterator()
        waiting = rest.next()
        produce = { rest.next() }
    }

    /// Of what comes next; the largest one: nothing does.
    var position: Int64 { waiting?.position ?? .max }

    func next() throws -> Element? {
        guard let element = waiting else { return nil }
        let following = try produce()
        // Ascending, or two tables would be mixed up without end.
        if let following, following.position <= element.position {
            throw CaptureFileError.damaged("events are not in order")
        }
        waiting = following
        return element
    }
}

/// Makes events of rows.
struct EventDecoder {
    let names: CaptureNames
    let info: CaptureInfo

    private func stream(
        _ db: Database, _ sql: String,
        _ decode: @escaping (inout RowFields, Int64) throws -> (Event, ContentReference?)
    ) throws -> EventStream {
        let rows = try Row.fetchCursor(db, sql: sql)
        return try EventStream {
            guard let row = try rows.next() else { return nil }
            var fields = RowFields(row)
            let position = try fields.integer()
            let (event, content) = try decode(&fields, position)
            return (position, event, content)
        }
    }

    private func time(_ fields: inout RowFields) throws -> Timestamp {
        info.timestamp(try fields.unsigned())
    }

    static let transitionColumns = """
        t.position, t.id, t.process, t.tid, t.host_tid, t.thread_name, t.cpu, t.sequence, \
        t.time_ns, t.kind, t.call, t.abi, t.start, t.length, t.argument_address, \
        t.argument_length, t.argument_flags, t.result, t.requested, t.previous, t.effective, \
        t.backing, t.file, t.file_offset, t.shared, t.fresh, t.vanished, t.unseen, t.known, \
        t.has_pages, t.instruction_pointer, t.stack_pointer, t.caller, t.caller_backing, \
        t.caller_file, t.caller_offset, t.writer_pid, t.writer_tid, t.writer_host_pid, \
        t.writer_host_tid, t.writer_name, t.look_trigger, t.call_number, t.label, \
        t.label_source, t.label_detail, t.reference_sha256, t.reference_length
        """

    func transitions(_ db: Database) throws -> EventStream {
        try stream(
            db, "SELECT \(Self.transitionColumns) FROM transition t ORDER BY t.position"
        ) { fields, _ in (.transition(try transition(&fields)), nil) }
    }

    /// All columns but the position.
    func transition(_ fields: inout RowFields) throws -> Transition {
        let id = Transition.ID(rawValue: try fields.unsigned())
        let task = try names.task(&fields)
        let threadName = try fields.targetText()
        let number = RecordNumber(cpu: try fields.number(), sequence: try fields.unsigned())
        let time = try time(&fields)
        let kind = try fields.word(TransitionKind.self)
        let call = try fields.optionalWord(SystemCall.self)
        let abi = try fields.word(CallABI.self)
        var transition = Transition(
            id: id, number: number, kind: kind, call: call, abi: abi, time: time, task: task,
            threadName: threadName, start: try fields.address(), length: try fields.unsigned(),
            arguments: Transition.Arguments(
                address: try fields.address(), length: try fields.unsigned(),
                flags: try fields.unsigned()),
            result: try fields.integer(), requested: try fields.protection(),
            previous: try fields.optionalProtection(), effective: try fields.protection(),
            backing: try names.backing(&fields), isShared: try fields.flag(),
            isFresh: try fields.flag(), hasVanished: try fields.flag(),
            isUnseen: try fields.flag(), hasPages: false, instructionPointer: 0, stackPointer: 0)
        transition.isKnown = try fields.flag()
        transition.hasPages = try fields.flag()
        transition.instructionPointer = try fields.address()
        transition.stackPointer = try fields.address()
        transition.caller = try names.site(&fields)
        transition.writer = try writer(&fields)
        transition.trigger = try fields.optionalWord()
        transition.callNumber = try fields.optionalNumber()
        transition.label = try fields.label()
        let digest = try fields.optionalDigest()
        let length = try fields.optionalInteger()
        if let digest, let length {
            transition.reference = FileReference(digest: digest, length: length.restored)
        }
        return transition
    }

    private func writer(_ fields: inout RowFields) throws -> Writer? {
        let pid = try fields.optionalNumber(Int32.self)
        let tid = try fields.optionalNumber(Int32.self)
        let hostPID = try fields.optionalNumber(Int32.self)
        let hostTID = try fields.optionalNumber(Int32.self)
        let name = try fields.optionalTargetText()
        guard let pid, let tid, let hostPID, let hostTID, let name else { return nil }
        return Writer(
            task: TaskIdentity(pid: pid, tid: tid, hostPID: hostPID, hostTID: hostTID),
            threadName: name)
    }

    func ends(_ db: Database) throws -> EventStream {
        try stream(
            db,
            """
            SELECT end_position, id, process, tid, host_tid, end_cpu, end_sequence, end_ns, \
            captured, untouched, unchanged, unreadable, lost, stalled_ns FROM transition \
            WHERE end_position IS NOT NULL ORDER BY end_position
            """
        ) { fields, _ in
            let id = Transition.ID(rawValue: try fields.unsigned())
            let task = try names.task(&fields)
            let number = RecordNumber(cpu: try fields.number(), sequence: try fields.unsigned())
            let end = TransitionEnd(
                transition: id, number: number, task: task, time: try time(&fields),
                captured: try fields.unsigned(), untouched: try fields.unsigned(),
                unchanged: try fields.unsigned(), unreadable: try fields.unsigned(),
                lost: try fields.unsigned(), stalledNanoseconds: try fields.unsigned())
            return (.transitionEnd(end), nil)
        }
    }

    func snapshots(_ db: Database) throws -> EventStream {
        try stream(
            db,
            """
            SELECT s.position, s.process, s.tid, s.host_tid, s.address, s.size, s.time_ns, \
            s.generation, s.content, s.reader, s.unreadable, s.error, s.cpu, s.sequence, t.id, \
            t.kind, t.previous, t.effective, t.instruction_pointer, c.sha256, c.size \
            FROM snapshot s JOIN transition t ON t.position = s.transition \
            LEFT JOIN content c ON c.id = s.content ORDER BY s.position
            """
        ) { fields, _ in
            let (page, content) = try page(&fields)
            return (.page(page), content)
        }
    }

    /// All columns but the position.
    func page(_ fields: inout RowFields) throws -> (Page, ContentReference?) {
        let task = try names.task(&fields)
        let address = try fields.address()
        let size = try fields.size()
        let time = try time(&fields)
        let generation = try fields.count()
        let content = try fields.optionalInteger()
        let reader = try fields.optionalWord(PageReader.self)
        let reason = try fields.optionalWord(UnreadableReason.self)
        let error = try fields.optionalNumber(Int32.self)
        let number = RecordNumber(cpu: try fields.number(), sequence: try fields.unsigned())
        let transition = Transition.ID(rawValue: try fields.unsigned())
        let kind = try fields.word(TransitionKind.self)
        let before = try fields.optionalProtection()
        let after = try fields.protection()
        let instructionPointer = try fields.address()
        let digest = try fields.optionalDigest()
        let contentSize = try fields.optionalNumber(Int.self).map { max(0, min($0, size)) }
        let body: Page.Body
        if let digest, let contentSize, let reader {
            body = .content(PageContent(size: contentSize, digest: digest), reader: reader)
        } else if let reason {
            body = .unreadable(reason, errno: error ?? 0)
        } else {
            throw CaptureFileError.damaged("a snapshot has neither content nor a reason")
        }
        let page = Page(
            address: address, size: size, time: time, task: task, number: number,
            transition: transition, kind: kind, protectionBefore: before, protectionAfter: after,
            instructionPointer: instructionPointer, body: body, generation: generation)
        return (page, content.map(ContentReference.init(rawValue:)))
    }

    func programs(_ db: Database) throws -> EventStream {
        try stream(
            db,
            """
            SELECT position, process, tid, host_tid, time_ns, name, backing, file, file_offset \
            FROM program ORDER BY position
            """
        ) { fields, _ in (.programExecution(try program(&fields)), nil) }
    }

    /// All columns but the position.
    func program(_ fields: inout RowFields) throws -> ProgramExecution {
        let task = try names.task(&fields)
        return ProgramExecution(
            task: task, time: try time(&fields), name: try fields.targetText(),
            backing: try names.backing(&fields))
    }

    func views(_ db: Database) throws -> EventStream {
        try stream(
            db,
            """
            SELECT position, time_ns, executable_pid, executable_start, executable_length, \
            executable_protection, writable_pid, writable_start, writable_length, \
            writable_protection, backing, file, file_offset FROM shared_view ORDER BY position
            """
        ) { fields, _ in
            func region(_ fields: inout RowFields) throws -> RegionReference {
                RegionReference(
                    pid: try fields.number(), start: try fields.address(),
                    length: try fields.unsigned(), protection: try fields.protection())
            }
            let view = SharedView(
                time: try time(&fields), executable: try region(&fields),
                writable: try region(&fields), backing: try names.backing(&fields))
            return (.sharedView(view), nil)
        }
    }

    func blindSpots(_ db: Database) throws -> EventStream {
        try stream(
            db,
            """
            SELECT position, process, tid, host_tid, time_ns, start, length, reason \
            FROM blind_spot ORDER BY position
            """
        ) { fields, _ in
            let task = try names.task(&fields)
            let spot = BlindSpot(
                task: task, time: try time(&fields), start: try fields.address(),
                length: try fields.unsigned(), reason: try fields.word())
            return (.blindSpot(spot), nil)
        }
    }

    func labels(_ db: Database) throws -> EventStream {
        try stream(
            db,
            """
            SELECT position, process, tid, host_tid, time_ns, start, length, label, label_source, \
            label_detail FROM label ORDER BY position
            """
        ) { fields, _ in
            let task = try names.task(&fields)
            let time = try time(&fields)
            let start = try fields.address()
            let length = try fields.unsigned()
            guard let label = try fields.label() else {
                throw CaptureFileError.damaged("a label of no kind")
            }
            return (
                .label(
                    LabelledRegion(
                        task: task, time: time, start: start, length: length, label: label)), nil
            )
        }
    }

    func losses(_ db: Database) throws -> EventStream {
        try stream(
            db,
            """
            SELECT position, cause, time_ns, process, tid, host_tid, transition, start, length, \
            count FROM loss ORDER BY position
            """
        ) { fields, _ in (.loss(try loss(&fields)), nil) }
    }

    func loss(_ fields: inout RowFields) throws -> Loss {
        let cause = try fields.word(Loss.Cause.self)
        let time = try time(&fields)
        let process = try fields.optionalInteger()
        let tid = try fields.optionalNumber(Int32.self)
        let hostTID = try fields.optionalNumber(Int32.self)
        let task = try process.map {
            try names.task($0, tid: tid ?? 0, hostTID: hostTID ?? 0)
        }
        return Loss(
            cause: cause, time: time, task: task,
            transition: try fields.optionalInteger().map {
                Transition.ID(rawValue: $0.restored)
            }, start: try fields.optionalAddress(), length: try fields.unsigned(),
            count: try fields.unsigned())
    }

    static let executionColumns =
        """
        position, transition, process, tid, host_tid, time_ns, address, region_start, \
        region_length, sequence, writer, writer_backing, writer_file, writer_offset,
        """ + " " + Registers().named.map(\.name).joined(separator: ", ")

    func executions(_ db: Database) throws -> EventStream {
        try stream(
            db, "SELECT \(Self.executionColumns) FROM execution ORDER BY position"
        ) { fields, _ in (.execution(try execution(&fields)), nil) }
    }

    /// All columns but the position.
    func execution(_ fields: inout RowFields) throws -> Execution {
        let transition = Transition.ID(rawValue: try fields.unsigned())
        let task = try names.task(&fields)
        let time = try time(&fields)
        let address = try fields.address()
        let start = try fields.address()
        let length = try fields.unsigned()
        let sequence = try fields.count()
        let writer = try names.site(&fields)
        var registers = Registers()
        for register in Registers.order { registers[keyPath: register] = try fields.unsigned() }
        let (end, overflow) = start.rawValue.addingReportingOverflow(length)
        return Execution(
            task: task, time: time, transition: transition, address: address,
            region: start..<Address(overflow ? .max : end), sequence: sequence,
            registers: registers, writer: writer)
    }

    func starts() -> EventStream {
        let events = names.processes.values.compactMap { process -> EventStream.Element? in
            guard let position = process.startPosition, let parent = process.parent,
                let maker = names.processes[parent]
            else { return nil }
            let task = TaskIdentity(
                pid: maker.pid, tid: process.parentTID ?? 0, hostPID: maker.hostPID,
                hostTID: process.parentHostTID ?? 0)
            let start = ProcessStart(
                parent: task, time: info.timestamp(process.started ?? 0), child: process.pid,
                hostChild: process.hostPID, sharesMemory: process.sharesMemory)
            return (position, .processStart(start), nil)
        }
        return EventStream(events.sorted { $0.position < $1.position })
    }

    func exits() -> EventStream {
        let events = names.processes.values.compactMap { process -> EventStream.Element? in
            guard let position = process.endPosition else { return nil }
            let task = TaskIdentity(
                pid: process.pid, tid: process.endTID ?? 0, hostPID: process.hostPID,
                hostTID: process.endHostTID ?? 0)
            let exit = ProcessExit(
                task: task, time: info.timestamp(process.ended ?? 0),
                status: process.status ?? 0)
            return (position, .processExit(exit), nil)
        }
        return EventStream(events.sorted { $0.position < $1.position })
    }
}
