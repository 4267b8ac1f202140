// SPDX-License-Identifier: MIT
internal import GRDB
public import HuskModel

extension CaptureFile {
    /// The memory of a process as it was at one moment, as far as the capture has it.
    ///
    /// - Parameters:
    ///   - process: its row.
    ///   - position: of the last event that is taken into account; nil: the last one before the
    ///     process ended.
    public func image(
        of process: Int64, at position: Int64? = nil
    ) throws -> ProcessImage {
        guard let stored = names.processes[process] else {
            throw CaptureFileError(.notFound, "the capture has no process \(process)")
        }
        let last = position ?? stored.endPosition.map { $0 - 1 } ?? .max
        var builder = ImageBuilder(of: stored, lineage: lineage(of: stored))
        try forEachEvent(pages: false, upTo: last) { position, event, _ in
            builder.take(event, at: position)
            return true
        }
        return try read { db in try builder.finish(db, self, upTo: last) }
    }

    /// Where code of the process was entered for the first time in each of its regions, in order.
    public func entries(
        of process: Int64
    ) throws(CaptureFileError) -> [(position: Int64, address: Address)] {
        try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT position, address FROM execution WHERE process = ? AND sequence = 0 \
                    ORDER BY position LIMIT 10000
                    """, arguments: [process]
            ).map { row in
                var fields = RowFields(row)
                return (try fields.integer(), try fields.address())
            }
        }
    }

    /// When the last region without a file became executable, with its pages; nil: none has.
    public func lastBirth(in process: Int64) throws(CaptureFileError) -> Int64? {
        try read { db in
            try Int64.fetchOne(
                db,
                sql: """
                    SELECT max(end_position) FROM transition WHERE process = ? \
                    AND kind NOT IN ('look', 'write', 'execve', 'present') AND has_pages \
                    AND backing NOT IN ('file', 'special')
                    """, arguments: [process])
        }
    }

    /// Of the last event until then: nanoseconds since the trace began.
    public func position(at nanoseconds: UInt64) throws(CaptureFileError) -> Int64 {
        let (time, overflow) = info.started.addingReportingOverflow(nanoseconds)
        return try read { db in
            try Int64.fetchOne(
                db,
                sql: """
                    SELECT max(position) FROM (SELECT max(position) AS position FROM transition \
                    WHERE time_ns <= ?1 UNION ALL SELECT max(position) FROM snapshot \
                    WHERE time_ns <= ?1)
                    """, arguments: [Int64(clamping: overflow ? .max : time)]) ?? 0
        }
    }

    /// A process and those that it comes from, each with the last position that it has of them.
    func lineage(of process: StoredProcess) -> [ImageBuilder.Ancestor] {
        var chain = [ImageBuilder.Ancestor(process: process, last: .max)]
        var next = process
        while let row = next.parent, let parent = names.processes[row],
            // Rows are made in order; a file may say anything.
            parent.id < next.id, chain.count < 64
        {
            chain.append(
                ImageBuilder.Ancestor(process: parent, last: next.startPosition ?? 0))
            next = parent
        }
        return chain
    }
}

/// Puts the regions of one process together, event by event.
struct ImageBuilder {
    struct Ancestor {
        var process: StoredProcess
        /// What came later is not its child's.
        var last: Int64
    }

    private struct Piece: AddressPiece {
        var mapping: MappedRegion
        /// Since when its content is its own.
        var since: Int64

        var start: Address { mapping.start }
        var end: Address { mapping.end }

        func clipped(to range: Range<Address>) -> Piece {
            Piece(mapping: mapping.clipped(to: range), since: since)
        }
    }

    private let process: StoredProcess
    private let lineage: [Ancestor]
    private var pieces = AddressMap<Piece>()
    private var threads: [Int32: (position: Int64, thread: ProcessImage.Thread)] = [:]
    private var name: TargetText?
    private var time = Timestamp(monotonic: 0, wall: 0)
    private var is32Bit = false
    /// Of the program that it executes.
    private var programPosition: Int64 = 0

    init(of process: StoredProcess, lineage: [Ancestor]) {
        self.process = process
        self.lineage = lineage
    }

    private func isOurs(_ task: TaskIdentity, _ position: Int64) -> Bool {
        lineage.contains { $0.process.hostPID == task.hostPID && position <= $0.last }
    }

    mutating func take(_ event: Event, at position: Int64) {
        switch event {
        case .transition(let transition):
            guard isOurs(transition.task, position), !transition.isAttempt,
                transition.start < transition.end
            else { return }
            time = transition.time
            apply(transition, at: position)
        case .programExecution(let execution):
            guard isOurs(execution.task, position) else { return }
            time = execution.time
            name = execution.name
            programPosition = position
            pieces = AddressMap()
            threads = [:]
        case .execution(let execution):
            guard isOurs(execution.task, position) else { return }
            time = execution.time
            threads[execution.task.tid] = (
                position,
                ProcessImage.Thread(
                    task: execution.task, name: name ?? TargetText(""),
                    registers: execution.registers)
            )
        case .page, .transitionEnd, .loss, .processExit, .processStart, .sharedView, .blindSpot,
            .label:
            break
        }
    }

    private mutating func apply(_ transition: Transition, at position: Int64) {
        if name == nil { name = transition.threadName }
        let range = transition.start..<transition.end
        // Its arguments are a 32-bit program's, or `int 0x80` from 64-bit code: addresses tell.
        if transition.abi == .compat32, transition.kind == .execve || transition.kind == .mmap {
            is32Bit = transition.end.rawValue <= 1 << 32
        }
        if transition.effective.isEmpty, transition.backing == .none {
            pieces.remove(range)
            return
        }
        let mapping = MappedRegion(
            start: transition.start, end: transition.end, protection: transition.effective,
            backing: transition.backing, isShared: transition.isShared)
        let isNew =
            transition.isFresh || transition.kind == .execve || transition.kind == .present
        let since = isNew ? position : pieces.piece(at: transition.start)?.since ?? position
        pieces.insert(Piece(mapping: mapping, since: since))
    }

    /// Adds the pages.
    func finish(
        _ db: Database, _ file: CaptureFile, upTo last: Int64
    ) throws -> ProcessImage {
        var regions: [ProcessImage.Region] = []
        for piece in pieces.pieces {
            regions.append(
                ProcessImage.Region(
                    piece.mapping, pages: try pages(of: piece, db, file, upTo: last)))
        }
        try addSurroundings(to: &regions, db, file, upTo: last)
        let known = threads.values.sorted { $0.position > $1.position }
        return ProcessImage(
            pid: process.pid, parentPID: lineage.count > 1 ? lineage[1].process.pid : 0,
            time: time, name: name ?? process.name ?? TargetText(""), is32Bit: is32Bit,
            regions: regions, threads: known.map(\.thread))
    }

    /// The latest content of each page that the piece has had.
    private func pages(
        of piece: Piece, _ db: Database, _ file: CaptureFile, upTo last: Int64
    ) throws -> [ProcessImage.StoredPage] {
        var found: [Address: ProcessImage.StoredPage] = [:]
        for ancestor in lineage {
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT max(position), address, size, content, time_ns, generation \
                    FROM snapshot WHERE process = ? AND address >= ? AND address < ? \
                    AND position >= ? AND position <= ? AND content IS NOT NULL GROUP BY address
                    """,
                arguments: [
                    ancestor.process.id, piece.start.stored, piece.end.stored, piece.since,
                    min(last, ancestor.last),
                ])
            while let row = try rows.next() {
                var fields = RowFields(row)
                _ = try fields.integer()  // chose the row that the other columns are of
                let address = try fields.address()
                let page = ProcessImage.StoredPage(
                    address: address, size: try fields.size(),
                    content: ContentReference(rawValue: try fields.integer()),
                    time: file.info.timestamp(try fields.unsigned()),
                    generation: try fields.count())
                // The process's own come first.
                guard found[address] == nil, page.size > 0,
                    UInt64(page.size) <= piece.end.rawValue - address.rawValue
                else { continue }
                found[address] = page
            }
        }
        return found.values.sorted { $0.address < $1.address }
    }

    /// Mappings and pages of one execution: a trace stores far fewer.
    private static let surroundingLimit = 1 << 18

    /// What was kept of other memory when an execution was caught, the last time that it was.
    private func addSurroundings(
        to regions: inout [ProcessImage.Region], _ db: Database, _ file: CaptureFile,
        upTo last: Int64
    ) throws {
        guard
            let moment = try Row.fetchOne(
                db,
                sql: """
                    SELECT position, time_ns FROM execution WHERE process = ? \
                    AND position BETWEEN ? AND ? \
                    AND position IN (SELECT execution FROM mapping) \
                    ORDER BY position DESC LIMIT 1
                    """, arguments: [process.id, programPosition, last])
        else { return }
        var fields = RowFields(moment)
        let execution = try fields.integer()
        let time = file.info.timestamp(try fields.unsigned())
        var others = AddressMap<Piece>()
        var count = 0
        var pages: [Address: ProcessImage.StoredPage] = [:]
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT id, start, length, protection, shared, backing, file, file_offset \
                FROM mapping WHERE execution = ? ORDER BY start
                """, arguments: [execution])
        while let row = try rows.next() {
            var fields = RowFields(row)
            let id = try fields.integer()
            let start = try fields.address()
            let (end, overflow) = start.rawValue.addingReportingOverflow(try fields.unsigned())
            guard !overflow else { throw CaptureFileError.damaged("a mapping without an end") }
            let protection = try fields.protection()
            let isShared = try fields.flag()
            others.insert(
                Piece(
                    mapping: MappedRegion(
                        start: start, end: Address(end), protection: protection,
                        backing: try file.names.backing(&fields), isShared: isShared), since: 0))
            for page in try mappingPages(id, time, db) { pages[page.address] = page }
            count += 1
            guard pages.count <= Self.surroundingLimit, count <= Self.surroundingLimit else {
                throw CaptureFileError.damaged("more mappings or pages than a trace stores")
            }
        }
        for index in regions.indices {
            let mapping = regions[index].mapping
            others.remove(mapping.start..<mapping.end)
            var known: [Address: ProcessImage.StoredPage] = [:]
            for page in regions[index].pages { known[page.address] = page }
            // Captured later: newer.
            let added = Self.take(from: &pages, in: mapping).filter {
                known[$0.address].map { $0.time < time } ?? true
            }
            for page in added { known[page.address] = page }
            regions[index].pages = known.values.sorted { $0.address < $1.address }
        }
        for piece in others.pieces {
            regions.append(
                ProcessImage.Region(
                    piece.mapping, pages: Self.take(from: &pages, in: piece.mapping)))
        }
        regions.sort { $0.mapping.start < $1.mapping.start }
    }

    /// Takes out what lies in a mapping, by address.
    private static func take(
        from pages: inout [Address: ProcessImage.StoredPage], in mapping: MappedRegion
    ) -> [ProcessImage.StoredPage] {
        guard !pages.isEmpty else { return [] }
        let size: UInt64 = 4096
        let count = (mapping.end.rawValue - mapping.start.rawValue) / size
        // In proportion to the smaller of the two.
        let addresses =
            count < UInt64(pages.count)
            ? (0..<count).map { mapping.start.advanced(by: $0 * size) }
            : pages.keys.filter { mapping.start <= $0 && $0 < mapping.end }.sorted()
        return addresses.compactMap { address in
            guard let page = pages[address],
                UInt64(page.size) <= mapping.end.rawValue - address.rawValue
            else { return nil }
            pages[address] = nil
            return page
        }
    }

    private func mappingPages(
        _ mapping: Int64, _ time: Timestamp, _ db: Database
    ) throws -> [ProcessImage.StoredPage] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT p.address, c.size, c.id FROM mapping_page p \
                JOIN content c ON c.id = p.content WHERE p.mapping = ? ORDER BY p.address \
                LIMIT 65537
                """, arguments: [mapping]
        ).map { row in
            var fields = RowFields(row)
            return ProcessImage.StoredPage(
                address: try fields.address(), size: try fields.size(),
                content: ContentReference(rawValue: try fields.integer()), time: time,
                generation: 0)
        }
    }
}
