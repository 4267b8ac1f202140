// SPDX-License-Identifier: MIT
internal import Glibc
internal import HuskModel
internal import HuskProbes

/// Turns records into events: joins pages with their transition, counts generations, reads
/// from outside what the kernel side could not, and keeps the books on record numbers.
///
/// Used by the ring's thread only.
struct EventBuilder {
    private let clock: WallClock
    private let emit: (Event) -> Void

    private struct OpenTransition {
        var transition: Transition
        /// Pages that the kernel side could not read and Husk could, from outside.
        var readFromOutside: UInt64 = 0
        /// Those of them that do not exist at all.
        var foundUntouched: UInt64 = 0
    }

    private var open: [Transition.ID: OpenTransition] = [:]
    private var generations = Generations()
    private var ledger = SequenceLedger()
    private let files = BackingFileReader()
    private let mayBeSwapped = HiddenPages.isSwapInUse
    private(set) var recordCount: UInt64 = 0

    /// A range without bytes becomes one event per page; beyond this many it becomes a loss.
    private static let maximumExpandedPages: UInt64 = 1 << 20

    init(emit: @escaping (Event) -> Void) {
        self.clock = WallClock()
        self.emit = emit
    }

    /// Whether transitions are still waiting for their end.
    var hasOpenTransitions: Bool { !open.isEmpty }

    // MARK: Records

    mutating func take(_ bytes: UnsafeRawBufferPointer) {
        recordCount += 1
        do throws(RecordDecoder.Failure) {
            let record = try RecordDecoder.decode(bytes)
            let header = record.header
            ledger.note(RecordNumber(cpu: header.cpu, sequence: header.sequence))
            take(record)
        } catch {
            emit(.loss(Loss(cause: .malformedRecord, time: clock.now())))
        }
    }

    private mutating func take(_ record: Record) {
        switch record {
        case .transition(let record): take(record)
        case .page(let record, let content): take(record, content)
        case .pageRange(let record): take(record)
        case .transitionEnd(let record): take(record)
        case .processExit(let record):
            let task = task(of: record.header)
            generations.forget(process: task.hostPID)
            emit(
                .processExit(
                    ProcessExit(
                        task: task, time: clock.timestamp(record.header.time_ns),
                        status: record.status)))
        }
    }

    private mutating func take(_ record: husk_transition) {
        let task = task(of: record.header)
        let flags = record.flags
        let transition = Transition(
            id: Transition.ID(rawValue: record.header.transition),
            number: number(of: record.header),
            kind: kind(of: record.call),
            time: clock.timestamp(record.header.time_ns),
            task: task,
            threadName: targetText(record.comm),
            start: Address(record.start),
            length: record.length,
            arguments: Transition.Arguments(
                address: Address(record.call_address), length: record.call_length,
                flags: record.call_flags),
            result: record.result,
            requested: Protection(rawValue: record.requested),
            previous: record.previous == HUSK_PROTECTION_UNKNOWN
                ? nil : Protection(rawValue: record.previous),
            effective: Protection(rawValue: record.effective),
            backing: backing(of: record),
            isShared: flags & UInt32(HUSK_TRANSITION_SHARED) != 0,
            isFresh: flags & UInt32(HUSK_TRANSITION_FRESH) != 0,
            hasVanished: flags & UInt32(HUSK_TRANSITION_VANISHED) != 0,
            isUnseen: flags & UInt32(HUSK_TRANSITION_UNSEEN) != 0,
            hasPages: flags & UInt32(HUSK_TRANSITION_HAS_PAGES) != 0,
            instructionPointer: Address(record.instruction_pointer),
            stackPointer: Address(record.stack_pointer))
        if transition.hasPages { open[transition.id] = OpenTransition(transition: transition) }
        emit(.transition(transition))
    }

    private mutating func take(_ record: Record.husk_page_header, _ content: [UInt8]) {
        let reader: PageReader =
            record.reader == HUSK_READER_BPF_SLEEPABLE.rawValue ? .bpfSleepable : .bpfNoFault
        emitPage(
            at: record.address, record.header, .content(PageContent(content), reader: reader))
    }

    private mutating func take(_ record: husk_page_range) {
        if record.header.kind == UInt16(HUSK_RECORD_LOSS.rawValue) {
            let id = record.header.transition
            emit(
                .loss(
                    Loss(
                        cause: lossCause(of: record.cause),
                        time: clock.timestamp(record.header.time_ns),
                        task: task(of: record.header),
                        transition: id == 0 ? nil : Transition.ID(rawValue: id),
                        start: Address(record.start), length: record.length)))
            return
        }
        let pageSize = UInt64(HUSK_PAGE_SIZE)
        let count = min(record.length / pageSize, Self.maximumExpandedPages)
        for index in 0..<count {
            takeUnreadable(at: record.start &+ index &* pageSize, record)
        }
        let rest = record.length &- count &* pageSize
        if rest > 0 {
            emit(
                .loss(
                    Loss(
                        cause: .tooLarge, time: clock.timestamp(record.header.time_ns),
                        task: task(of: record.header),
                        transition: Transition.ID(rawValue: record.header.transition),
                        start: Address(record.start &+ count &* pageSize), length: rest)))
        }
    }

    /// A page without bytes. If it was only not resident, it is tried from outside.
    private mutating func takeUnreadable(at address: UInt64, _ record: husk_page_range) {
        let pid = Int32(bitPattern: record.header.pid)
        var body = Page.Body.unreadable(.fault, errno: Int32(bitPattern: record.error))
        switch record.cause {
        case HUSK_CAUSE_USERFAULTFD.rawValue:
            body = .unreadable(.userfaultfd, errno: 0)
        case HUSK_CAUSE_PROTECTED.rawValue:
            switch MemoryReader.readProtectedPage(of: pid, at: address, size: Int(HUSK_PAGE_SIZE)) {
            case .success(let content):
                // A page that does not exist has nothing to say.
                guard let content else { return noteUntouched(record.header) }
                body = .content(PageContent(content), reader: .procMem)
                open[Transition.ID(rawValue: record.header.transition)]?.readFromOutside += 1
            case .failure(let failure):
                body = .unreadable(.protected, errno: failure.rawValue)
            }
        case HUSK_CAUSE_NOT_RESIDENT.rawValue:
            if isAnonymous(record.header), MemoryReader.isPopulated(pid, address) == false {
                return noteUntouched(record.header)
            }
            switch MemoryReader.readPage(
                of: pid, at: address, size: Int(HUSK_PAGE_SIZE))
            {
            case .success(let content):
                body = .content(PageContent(content), reader: .processVMRead)
                open[Transition.ID(rawValue: record.header.transition)]?.readFromOutside += 1
            case .failure(let failure):
                body =
                    readFromFile(address, Transition.ID(rawValue: record.header.transition))
                    ?? .unreadable(.notResident, errno: failure.rawValue)
            }
        default:
            break
        }
        emitPage(at: address, record.header, body)
    }

    private func isAnonymous(_ header: husk_header) -> Bool {
        switch open[Transition.ID(rawValue: header.transition)]?.transition.backing {
        case .anonymous, .heap, .stack, .unknown: true
        default: false
        }
    }

    /// A page without bytes turns out not to exist.
    private mutating func noteUntouched(_ header: husk_header) {
        open[Transition.ID(rawValue: header.transition)]?.foundUntouched += 1
    }

    /// The last resort, for a process that has ended meanwhile.
    private mutating func readFromFile(_ address: UInt64, _ id: Transition.ID) -> Page.Body? {
        guard !mayBeSwapped, let transition = open[id]?.transition,
            case .file(let file, let start) = transition.backing,
            let page = files.readPage(
                of: file, at: start &+ (address &- transition.start.rawValue),
                size: Int(HUSK_PAGE_SIZE))
        else { return nil }
        open[id]?.readFromOutside += 1
        return .content(PageContent(page), reader: .backingFile)
    }

    private mutating func emitPage(at address: UInt64, _ header: husk_header, _ body: Page.Body) {
        let id = Transition.ID(rawValue: header.transition)
        let task = task(of: header)
        let address = Address(address)
        let generation =
            switch body {
            case .content(let content, _):
                generations.note(content.digest, at: address, of: task.hostPID)
            case .unreadable:
                generations.current(at: address, of: task.hostPID)
            }
        let transition = open[id]?.transition
        emit(
            .page(
                Page(
                    address: address, size: Int(HUSK_PAGE_SIZE),
                    time: clock.timestamp(header.time_ns), task: task,
                    number: number(of: header), transition: id,
                    kind: transition?.kind ?? .mprotect,
                    protectionBefore: transition?.previous,
                    protectionAfter: transition?.effective ?? .execute,
                    instructionPointer: transition?.instructionPointer ?? 0,
                    body: body, generation: generation)))
    }

    private mutating func take(_ record: husk_transition_end) {
        let id = Transition.ID(rawValue: record.header.transition)
        let known = open.removeValue(forKey: id)
        let (rescued, untouched) = (known?.readFromOutside ?? 0, known?.foundUntouched ?? 0)
        emit(
            .transitionEnd(
                TransitionEnd(
                    transition: id, number: number(of: record.header),
                    task: task(of: record.header),
                    time: clock.timestamp(record.header.time_ns),
                    captured: record.captured &+ rescued, untouched: record.untouched &+ untouched,
                    unreadable: record.unreadable &- min(rescued &+ untouched, record.unreadable),
                    lost: record.lost, stalledNanoseconds: record.stalled_ns)))
    }

    // MARK: The end

    /// How many of the numbers given on each CPU have not arrived.
    func missingRecords(given: [UInt64]) -> UInt64 {
        given.enumerated().reduce(0) { sum, item in
            ledger.missing(on: UInt32(item.offset), given: item.element)
                .reduce(sum) { $0 &+ ($1.upperBound &- $1.lowerBound) }
        }
    }

    /// Call when nothing more comes: what never arrived becomes losses.
    mutating func finish(given: [UInt64]) {
        let missing = missingRecords(given: given)
        if missing > 0 {
            emit(.loss(Loss(cause: .missingRecord, time: clock.now(), count: missing)))
        }
        for item in open.values.sorted(by: { $0.transition.time < $1.transition.time }) {
            // Its thread was still copying when the trace ended.
            emit(
                .loss(
                    Loss(
                        cause: .traceEnded, time: clock.now(), task: item.transition.task,
                        transition: item.transition.id, start: item.transition.start,
                        length: item.transition.length)))
        }
        open = [:]
    }

    // MARK: Parts

    private func number(of header: husk_header) -> RecordNumber {
        RecordNumber(cpu: header.cpu, sequence: header.sequence)
    }

    private func task(of header: husk_header) -> TaskIdentity {
        TaskIdentity(
            pid: Int32(bitPattern: header.pid), tid: Int32(bitPattern: header.tid),
            hostPID: Int32(bitPattern: header.host_pid),
            hostTID: Int32(bitPattern: header.host_tid))
    }

    private func kind(of call: UInt32) -> TransitionKind {
        switch call {
        case HUSK_CALL_MMAP.rawValue: .mmap
        case HUSK_CALL_MUNMAP.rawValue: .munmap
        default: .mprotect
        }
    }

    private func lossCause(of cause: UInt32) -> Loss.Cause {
        switch cause {
        case HUSK_CAUSE_RING_FULL.rawValue: .ringFull
        case HUSK_CAUSE_VANISHED.rawValue: .vanished
        case HUSK_CAUSE_LOCKED.rawValue: .locked
        case HUSK_CAUSE_NO_STATE.rawValue: .noState
        case HUSK_CAUSE_TOO_LARGE.rawValue: .tooLarge
        default: .missingRecord
        }
    }

    private func backing(of record: husk_transition) -> Backing {
        if record.flags & UInt32(HUSK_TRANSITION_UNSEEN) != 0,
            record.backing != HUSK_BACKING_ANONYMOUS.rawValue
        {
            return .unknown
        }
        switch record.backing {
        case HUSK_BACKING_SPECIAL.rawValue: return .special
        case HUSK_BACKING_ANONYMOUS.rawValue: return .anonymous
        case HUSK_BACKING_HEAP.rawValue: return .heap
        case HUSK_BACKING_STACK.rawValue: return .stack
        case HUSK_BACKING_FILE.rawValue, HUSK_BACKING_KERNEL.rawValue: break
        default: return .none
        }
        // Safe: reads the value's own bytes, within its size. Components come last first.
        let components = withUnsafeBytes(of: record.path) {
            $0.prefix(Int(min(record.path_size, UInt32(HUSK_PATH_SIZE))))
                .split(separator: 0).map { Array($0) }
        }
        let isWhole = record.flags & UInt32(HUSK_TRANSITION_PATH_CUT) == 0
        let file = FileIdentity(
            deviceMajor: record.device_major, deviceMinor: record.device_minor,
            inode: record.inode, linkCount: record.link_count,
            name: TargetText(bytes: components.first ?? []),
            path: record.backing == HUSK_BACKING_FILE.rawValue && isWhole
                ? TargetText(bytes: components.reversed().flatMap { [UInt8(ascii: "/")] + $0 })
                : nil)
        if record.backing == HUSK_BACKING_FILE.rawValue {
            return .file(file, offset: record.file_offset)
        }
        // The kernel puts this before the name that memfd_create(2) was given (mm/memfd.c).
        return file.name.bytes.starts(with: Array("memfd:".utf8))
            ? .memfd(file, offset: record.file_offset)
            : .sharedMemory(file, offset: record.file_offset)
    }
}

/// Turns CLOCK_MONOTONIC into wall-clock time by one offset, measured once.
struct WallClock {
    private let offset: UInt64

    init() {
        // The pair whose readings lie closest together.
        var best: (span: UInt64, offset: UInt64) = (.max, 0)
        for _ in 0..<5 {
            let before = Self.read(CLOCK_MONOTONIC)
            let wall = Self.read(CLOCK_REALTIME)
            let after = Self.read(CLOCK_MONOTONIC)
            if after &- before < best.span {
                best = (after &- before, wall &- (before &+ (after &- before) / 2))
            }
        }
        offset = best.offset
    }

    func timestamp(_ monotonic: UInt64) -> Timestamp {
        Timestamp(monotonic: monotonic, wall: monotonic &+ offset)
    }

    func now() -> Timestamp {
        timestamp(Self.monotonicNow())
    }

    /// Nanoseconds of the clock that the kernel side uses.
    static func monotonicNow() -> UInt64 {
        read(CLOCK_MONOTONIC)
    }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
