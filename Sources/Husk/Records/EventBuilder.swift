// SPDX-License-Identifier: MIT
internal import HuskModel
internal import HuskProbes

/// Turns records into events: joins pages with their transition, counts generations, reads
/// from outside what the kernel side could not, keeps the timeline of address spaces and the
/// books on record numbers.
///
/// Used by the ring's thread only. Parts: what is read from outside
/// (EventBuilder+Outside.swift), what the timeline tells (EventBuilder+Timeline.swift).
struct EventBuilder {
    let clock: WallClock
    let emit: (Event) -> Void
    /// Since when a process has had its memory; nil: it has ended (``ProbeObject``).
    let memorySince: (Int32) -> UInt64?
    /// When stopped processes were let go unread, the last time (``ProbeObject``).
    let lastRelease: () -> UInt64

    struct OpenTransition {
        var transition: Transition
        /// Pages that the kernel side could not read and Husk could, from outside.
        var readFromOutside: UInt64 = 0
        /// Those of them that do not exist at all.
        var foundUntouched: UInt64 = 0
        /// Those of them that were to be read while the process was stopped, which it is no more.
        var foundLost: UInt64 = 0
        var memory: OutsideMemory
    }

    var open: [Transition.ID: OpenTransition] = [:]
    var generations = Generations()
    var timeline = Timeline()
    /// The last known numbers of each process.
    var processes: [Int32: TaskIdentity] = [:]
    /// What has been said once and is not said again.
    var told = ToldOnce()
    let files = BackingFileReader()
    let mayBeSwapped = HiddenPages.isSwapInUse
    /// Transitions that Husk makes itself are numbered from here on.
    var ownTransitions: UInt64 = 1 << 63
    private var ledger = SequenceLedger()
    /// Pages with content, in all; the probes keep to it, too.
    private let pageBudget: UInt64
    private var pageCount: UInt64 = 0
    private(set) var recordCount: UInt64 = 0
    /// A region has been told that can change without a call.
    private(set) var hasChangingMemory = false
    /// How many processes have been told to have ended.
    private(set) var endedProcesses = 0

    /// A range without bytes becomes one event per page; beyond this many it becomes a loss.
    static let maximumExpandedPages: UInt64 = 1 << 20
    /// Pages of a stopped process that are read before it is looked at whether it still is.
    private static let stoppedPortion = 1024

    init(
        pageBudget: UInt64 = .max,
        emit: @escaping (Event) -> Void, memorySince: @escaping (Int32) -> UInt64? = { _ in nil },
        lastRelease: @escaping () -> UInt64 = { 0 }
    ) {
        self.clock = WallClock()
        self.pageBudget = pageBudget
        self.emit = emit
        self.memorySince = memorySince
        self.lastRelease = lastRelease
    }

    /// Whether transitions are still waiting for their end.
    var hasOpenTransitions: Bool { !open.isEmpty }

    // MARK: Records

    mutating func take(_ bytes: UnsafeRawBufferPointer) {
        recordCount += 1
        do throws(RecordDecoder.Failure) {
            let record = try RecordDecoder.decode(bytes)
            let header = record.header
            ledger.note(RecordNumber(header), count: UInt64(header.numbers))
            take(record)
        } catch {
            emit(.loss(Loss(cause: .malformedRecord, time: clock.now())))
        }
    }

    private mutating func take(_ record: Record) {
        switch record {
        case .transition(let record): take(record)
        case .page(let record, let pages): take(record, pages)
        case .pageRange(let record): take(record)
        case .transitionEnd(let record): take(record)
        case .processExit(let record): take(record)
        case .processFork(let record): take(record)
        case .processExec(let record): take(record)
        case .write(let record): take(record)
        }
    }

    private mutating func take(_ record: husk_transition) {
        let task = TaskIdentity(record.header)
        let flags = record.flags
        let call = SystemCall(record.call)
        let isLook = flags & UInt32(HUSK_TRANSITION_LOOK) != 0
        var transition = Transition(
            id: Transition.ID(rawValue: record.header.transition),
            number: RecordNumber(record.header),
            kind: isLook ? .look : TransitionKind(call),
            call: call,
            abi: CallABI(record.abi),
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
            backing: Backing(record),
            isShared: flags & UInt32(HUSK_TRANSITION_SHARED) != 0,
            isFresh: flags & UInt32(HUSK_TRANSITION_FRESH) != 0,
            hasVanished: flags & UInt32(HUSK_TRANSITION_VANISHED) != 0,
            isUnseen: flags & UInt32(HUSK_TRANSITION_UNSEEN) != 0,
            hasPages: flags & UInt32(HUSK_TRANSITION_HAS_PAGES) != 0,
            instructionPointer: Address(record.instruction_pointer),
            stackPointer: Address(record.stack_pointer),
            trigger: LookTrigger(record.trigger))
        transition.isKnown = flags & UInt32(HUSK_TRANSITION_KNOWN) != 0
        if flags & UInt32(HUSK_TRANSITION_HAS_SIBLINGS) != 0 {
            tellBlindSpot(transition, .writerRanOn)
        }
        if transition.trigger == .ownCall { transition.callNumber = Int(record.call_number) }
        if record.stack_words > 0 {
            transition.caller = callSite(transition, stack: record.stack)
        }
        if flags & UInt32(HUSK_TRANSITION_REFERENCED) != 0 {
            tellReferenced(transition)
        } else {
            tell(transition)
        }
        guard flags & UInt32(HUSK_TRANSITION_CHANGING) != 0 else { return }
        hasChangingMemory = true
        if !transition.effective.contains(.write), !isLook {
            tellBlindSpot(transition, .writableElsewhere)
        }
    }

    /// Emits a transition, and what the timeline makes of it.
    mutating func tell(_ transition: Transition) {
        var transition = transition
        if transition.effective.contains(.execute) {
            transition.label = RegionLabel(backing: transition.backing, caller: transition.caller)
        }
        processes[transition.task.pid] = transition.task
        if transition.hasPages {
            open[transition.id] = OpenTransition(
                transition: transition, memory: OutsideMemory(of: transition.task.pid))
        }
        emit(.transition(transition))
        timeline.apply(transition)
        tellSharedMemory(transition)
    }

    /// Pages whose transition found no room in the ring: what they belong to is not known.
    func tellStray(
        from start: UInt64, pages: UInt64, _ task: TaskIdentity, at time: Timestamp
    ) {
        emit(
            .loss(
                Loss(
                    cause: .untold, time: time, task: task, start: Address(start),
                    length: pages &* UInt64(HUSK_PAGE_SIZE), count: pages)))
    }

    private mutating func take(_ record: Record.husk_page_header, _ pages: PageGroup) {
        guard open[Transition.ID(rawValue: record.header.transition)] != nil else {
            tellStray(
                from: record.address, pages: UInt64(pages.count), TaskIdentity(record.header),
                at: clock.timestamp(record.header.time_ns))
            return
        }
        let reader: PageReader =
            record.reader == HUSK_READER_BPF_SLEEPABLE.rawValue ? .bpfSleepable : .bpfNoFault
        var page = pageTemplate(
            RecordNumber(record.header), Transition.ID(rawValue: record.header.transition),
            TaskIdentity(record.header), clock.timestamp(record.header.time_ns))
        for index in 0..<pages.count {
            page.address = Address(record.address &+ UInt64(index) &* UInt64(HUSK_PAGE_SIZE))
            let content = pages[index]
            page.generation = generations.note(content, at: page.address, of: page.task.pid)
            page.body = .content(content, reader: reader)
            pageCount &+= 1
            emit(.page(page))
            page.number.sequence &+= 1
        }
    }

    private mutating func take(_ record: husk_page_range) {
        if record.header.kind == UInt16(HUSK_RECORD_LOSS.rawValue) {
            let id = record.header.transition
            emit(
                .loss(
                    Loss(
                        cause: Loss.Cause(record.cause),
                        time: clock.timestamp(record.header.time_ns),
                        task: TaskIdentity(record.header),
                        transition: id == 0 ? nil : Transition.ID(rawValue: id),
                        start: Address(record.start), length: record.length)))
            return
        }
        let pageSize = UInt64(HUSK_PAGE_SIZE)
        guard open[Transition.ID(rawValue: record.header.transition)] != nil else {
            tellStray(
                from: record.start, pages: record.length / pageSize, TaskIdentity(record.header),
                at: clock.timestamp(record.header.time_ns))
            return
        }
        let count = min(record.length / pageSize, Self.maximumExpandedPages)
        if record.cause == HUSK_CAUSE_STOPPED.rawValue {
            let end = record.start &+ count &* pageSize
            let portion = Self.stoppedPortion * Int(pageSize)
            for start in stride(from: record.start, to: end, by: portion) {
                let rest = min(end, start &+ UInt64(portion))
                takeStopped(stride(from: start, to: rest, by: Int(pageSize)), record)
            }
        }
        for index in 0..<count where record.cause != HUSK_CAUSE_STOPPED.rawValue {
            takeUnreadable(at: record.start &+ index &* pageSize, record)
        }
        let rest = record.length &- count &* pageSize
        if rest > 0 {
            emit(
                .loss(
                    Loss(
                        cause: .tooLarge, time: clock.timestamp(record.header.time_ns),
                        task: TaskIdentity(record.header),
                        transition: Transition.ID(rawValue: record.header.transition),
                        start: Address(record.start &+ count &* pageSize), length: rest)))
        }
    }

    mutating func emitPage(
        at address: UInt64, _ number: RecordNumber, _ id: Transition.ID, _ task: TaskIdentity,
        _ time: Timestamp, _ body: Page.Body
    ) {
        if case .content = body {
            guard pageCount < pageBudget else {
                emit(
                    .loss(
                        Loss(
                            cause: .budget, time: time, task: task, transition: id,
                            start: Address(address), length: UInt64(HUSK_PAGE_SIZE))))
                return
            }
            pageCount += 1
        }
        var page = pageTemplate(number, id, task, time)
        page.address = Address(address)
        page.generation =
            switch body {
            case .content(let content, _):
                generations.note(content, at: page.address, of: task.pid)
            case .unreadable:
                generations.current(at: page.address, of: task.pid)
            }
        page.body = body
        emit(.page(page))
    }

    /// What the pages of one record have in common.
    private func pageTemplate(
        _ number: RecordNumber, _ id: Transition.ID, _ task: TaskIdentity, _ time: Timestamp
    ) -> Page {
        let transition = open[id]?.transition
        return Page(
            address: 0, size: Int(HUSK_PAGE_SIZE), time: time, task: task,
            number: number, transition: id,
            kind: transition?.kind ?? .mprotect,
            protectionBefore: transition?.previous,
            protectionAfter: transition?.effective ?? .execute,
            instructionPointer: transition?.instructionPointer ?? 0,
            body: .unreadable(.notResident, errno: 0), generation: 0)
    }

    private mutating func take(_ record: husk_transition_end) {
        let id = Transition.ID(rawValue: record.header.transition)
        let known = open.removeValue(forKey: id)
        let (rescued, untouched) = (known?.readFromOutside ?? 0, known?.foundUntouched ?? 0)
        let lost = known?.foundLost ?? 0
        emit(
            .transitionEnd(
                TransitionEnd(
                    transition: id, number: RecordNumber(record.header),
                    task: TaskIdentity(record.header),
                    time: clock.timestamp(record.header.time_ns),
                    captured: record.captured &+ rescued, untouched: record.untouched &+ untouched,
                    unchanged: record.unchanged,
                    unreadable: record.unreadable
                        &- min(rescued &+ untouched &+ lost, record.unreadable),
                    lost: record.lost &+ lost, stalledNanoseconds: record.stalled_ns)))
    }

    // MARK: Processes

    private mutating func take(_ record: husk_process_exit) {
        let task = TaskIdentity(record.header)
        let time = clock.timestamp(record.header.time_ns)
        tellLabels(of: task, at: time)
        forget(task.pid)
        processes[task.pid] = nil
        endedProcesses += 1
        emit(.processExit(ProcessExit(task: task, time: time, status: record.status)))
    }

    private mutating func take(_ record: husk_process_fork) {
        let parent = TaskIdentity(record.header)
        let child = Int32(bitPattern: record.child_pid)
        let hostChild = Int32(bitPattern: record.child_host_pid)
        forget(child)
        let sharesMemory = record.shares_memory != 0
        timeline.fork(parent: parent.pid, child: child, sharing: sharesMemory)
        processes[child] = TaskIdentity(
            pid: child, tid: child, hostPID: hostChild, hostTID: hostChild)
        emit(
            .processStart(
                ProcessStart(
                    parent: parent, time: clock.timestamp(record.header.time_ns), child: child,
                    hostChild: hostChild, sharesMemory: sharesMemory)))
    }

    private mutating func take(_ record: husk_process_exec) {
        let task = TaskIdentity(record.header)
        let time = clock.timestamp(record.header.time_ns)
        tellLabels(of: task, at: time)
        forget(task.pid)
        processes[task.pid] = task
        emit(
            .programExecution(
                ProgramExecution(
                    task: task, time: time, name: targetText(record.file_name),
                    backing: Backing(record.backing, record.file, offset: 0, isCut: false))))
    }

    /// The process's memory is gone.
    private mutating func forget(_ pid: Int32) {
        generations.forget(process: pid)
        timeline.clear(pid)
        told.forget(pid)
    }

    // MARK: The end

    /// Records about a process that found no room in the ring, between two addresses.
    func tellUnsent(_ pid: Int32, from start: UInt64, to end: UInt64, count: UInt64) {
        let task = processes[pid] ?? TaskIdentity(pid: pid, tid: pid, hostPID: 0, hostTID: 0)
        emit(
            .loss(
                Loss(
                    cause: .untold, time: clock.now(), task: task, start: Address(start),
                    length: end > start ? end - start : 0, count: count)))
    }

    /// How many of the numbers given on each CPU have not arrived.
    func missingRecords(given: [UInt64]) -> UInt64 {
        recordCounts(given: given).reduce(0) { $0 &+ $1.missing }
    }

    func recordCounts(given: [UInt64]) -> [RecordCount] {
        given.enumerated().map { cpu, given in
            RecordCount(
                cpu: cpu, given: given,
                missing: ledger.missing(on: UInt32(cpu), given: given)
                    .reduce(0) { $0 &+ ($1.upperBound &- $1.lowerBound) })
        }
    }

    /// Call when nothing more comes: what never arrived becomes losses.
    mutating func finish(given: [UInt64], missedRuns: UInt64 = 0) {
        if missedRuns > 0 {
            emit(.loss(Loss(cause: .probeMissed, time: clock.now(), count: missedRuns)))
        }
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
        for pid in timeline.processes.sorted() {
            if let task = processes[pid] { tellLabels(of: task, at: clock.now()) }
        }
    }
}
