// SPDX-License-Identifier: MIT
internal import Glibc
internal import HuskModel
internal import HuskProbes

/// What is read from outside the target: pages that the kernel side could not read, bytes that
/// were written past a region's protection, and what was executable before Husk came.
extension EventBuilder {
    // MARK: Pages that the kernel side could not read

    /// A page without bytes. If it was only not resident, it is tried from outside.
    mutating func takeUnreadable(at address: UInt64, _ record: husk_page_range) {
        let id = Transition.ID(rawValue: record.header.transition)
        let body: Page.Body?
        switch record.cause {
        case HUSK_CAUSE_USERFAULTFD.rawValue:
            body = .unreadable(.userfaultfd, errno: 0)
        case HUSK_CAUSE_PROTECTED.rawValue:
            body = readProtected(address, id)
        case HUSK_CAUSE_NOT_RESIDENT.rawValue:
            body = readNotResident(address, id)
        default:
            body = .unreadable(.fault, errno: Int32(bitPattern: record.error))
        }
        guard let body else {
            open[id]?.foundUntouched += 1
            return
        }
        if case .content = body { open[id]?.readFromOutside += 1 }
        emitPage(
            at: address, RecordNumber(record.header), id, TaskIdentity(record.header),
            clock.timestamp(record.header.time_ns), body)
    }

    /// Under a protection key. Nil: the page does not exist, it has nothing to say.
    private mutating func readProtected(_ address: UInt64, _ id: Transition.ID) -> Page.Body? {
        guard let transition = open[id]?.transition else {
            return .unreadable(.protected, errno: 0)
        }
        if open[id]?.memory.isPopulated(address) == false { return nil }
        return whileSame(transition, else: Self.ended) { builder in
            switch builder.open[id]?.memory.readProtectedPage(at: address) {
            case .success(let content): .content(PageContent(content), reader: .procMem)
            case .failure(let failure): .unreadable(.protected, errno: failure.rawValue)
            case nil: .unreadable(.protected, errno: 0)
            }
        }
    }

    /// Pages that were there when the ring was full: the process is stopped until they have been
    /// read.
    mutating func takeStopped(_ addresses: StrideTo<UInt64>, _ record: husk_page_range) {
        let id = Transition.ID(rawValue: record.header.transition)
        let number = RecordNumber(record.header)
        let task = TaskIdentity(record.header)
        let time = clock.timestamp(record.header.time_ns)
        guard let transition = open[id]?.transition else {
            for address in addresses {
                emitPage(at: address, number, id, task, time, .unreadable(.notResident, errno: 0))
            }
            return
        }
        let untouchedBefore = open[id]?.foundUntouched ?? 0
        // It stops when the call that it is in has ended: within microseconds.
        for _ in 0..<Self.stopPatience where !ProcessFacts.isStopped(task.pid) { usleep(100) }
        var bodies: [(address: UInt64, body: Page.Body)] = []
        for address in addresses {
            guard let body = readFromOutside(address, transition) else {
                open[id]?.foundUntouched += 1
                continue
            }
            bodies.append((address, body))
        }
        let wasStopped = ProcessFacts.isStopped(task.pid)
        // Asked after the reading: what is there now is not what was there then.
        if lastRelease() >= record.header.time_ns {
            open[id]?.foundUntouched = untouchedBefore
            tellLetGo(addresses, record)
            return
        }
        for (address, body) in bodies {
            var body = body
            if case .content(let content, let reader) = body {
                open[id]?.readFromOutside += 1
                if wasStopped, reader == .processVMRead {
                    body = .content(content, reader: .whileStopped)
                }
            }
            emitPage(at: address, number, id, task, time, body)
        }
    }

    /// Their process has gone on before they were read.
    private mutating func tellLetGo(_ addresses: StrideTo<UInt64>, _ record: husk_page_range) {
        let id = Transition.ID(rawValue: record.header.transition)
        let count = UInt64(addresses.reduce(0) { count, _ in count + 1 })
        open[id]?.foundLost += count
        guard let first = addresses.first(where: { _ in true }) else { return }
        emit(
            .loss(
                Loss(
                    cause: .ringFull, time: clock.timestamp(record.header.time_ns),
                    task: TaskIdentity(record.header), transition: id, start: Address(first),
                    length: count &* UInt64(HUSK_PAGE_SIZE))))
    }

    /// So many tenths of a millisecond; after them it is read as it runs, and that is said.
    private static let stopPatience = 20

    /// Nil: the page does not exist.
    private mutating func readNotResident(_ address: UInt64, _ id: Transition.ID) -> Page.Body? {
        guard let transition = open[id]?.transition else {
            return .unreadable(.notResident, errno: 0)
        }
        switch transition.backing {
        case .anonymous, .heap, .stack, .unknown:
            if open[id]?.memory.isPopulated(address) == false { return nil }
        default: break
        }
        // What was not resident then was as in the file. What is there now may have been written
        // since, so the process is asked only if the file cannot be had. (With swap, a page that
        // is not resident may have been written before.)
        if !mayBeSwapped {
            let found = whileSame(transition, else: .unknown) { builder in
                builder.readFromMappedFile(address, transition)
            }
            switch found {
            case .page(let page): return .content(PageContent(page), reader: .backingFile)
            case .behindEnd: return nil
            case .unknown: break
            }
        }
        return readFromOutside(address, transition)
    }

    // MARK: One page

    /// Runs `read` and takes what it has found only if the process has had the same memory all the
    /// time since the transition: its number may be another's, or it has executed another program.
    private mutating func whileSame<Found>(
        _ transition: Transition, else ended: Found, _ read: (inout EventBuilder) -> Found
    ) -> Found {
        let pid = transition.task.pid
        guard let since = memorySince(pid), since <= transition.time.monotonic else {
            return ended
        }
        let found = read(&self)
        return memorySince(pid) == since ? found : ended
    }

    private static let ended = Page.Body.unreadable(.processEnded, errno: 0)

    /// From the file behind a mapping that the process still has.
    private mutating func readFromMappedFile(
        _ address: UInt64, _ transition: Transition
    ) -> OutsideMemory.FilePage {
        guard let start = transition.backing.fileOffset else { return .unknown }
        return open[transition.id]?.memory.readMappedFile(
            transition.start..<transition.end,
            at: start &+ (address &- transition.start.rawValue)) ?? .unknown
    }

    /// A page that is there is read from the process; one that is not, from its file. Asking the
    /// process for it might wait for as long as the target likes. Nil: the page does not exist.
    private mutating func readFromOutside(
        _ address: UInt64, _ transition: Transition
    ) -> Page.Body? {
        let id = transition.id
        let body = whileSame(transition, else: Self.ended) { builder -> Page.Body? in
            let isThere = builder.open[id]?.memory.isPopulated(address)
            if isThere == true || transition.backing == .special {
                return builder.readResident(address, id)
            }
            switch builder.readFromMappedFile(address, transition) {
            case .page(let page): return .content(PageContent(page), reader: .backingFile)
            case .behindEnd: return nil
            case .unknown: break
            }
            return .unreadable(isThere == nil ? .fault : .notResident, errno: 0)
        }
        if case .unreadable? = body { return readFromFile(address, transition) ?? body }
        return body
    }

    private mutating func readResident(_ address: UInt64, _ id: Transition.ID) -> Page.Body {
        if case .success(let content)? = open[id]?.memory.readPage(at: address) {
            return .content(PageContent(content), reader: .processVMRead)
        }
        switch open[id]?.memory.readProtectedPage(at: address) {
        case .success(let content): return .content(PageContent(content), reader: .procMem)
        case .failure(let failure): return .unreadable(.fault, errno: failure.rawValue)
        case nil: return .unreadable(.fault, errno: 0)
        }
    }

    /// From the file under its name: the last resort, for a process that has ended meanwhile.
    private func readFromFile(_ address: UInt64, _ transition: Transition) -> Page.Body? {
        guard !mayBeSwapped, case .file(let file, let start) = transition.backing,
            let page = files.readPage(
                of: file, at: start &+ (address &- transition.start.rawValue),
                size: Int(HUSK_PAGE_SIZE))
        else { return nil }
        return .content(PageContent(page), reader: .backingFile)
    }

    // MARK: Files that are unchanged from disk

    /// Names the bytes by the file's hash. If the file cannot be had under its name any more
    /// (it was replaced, or is in another mount namespace), they are read from the process.
    mutating func tellReferenced(_ transition: Transition) {
        var transition = transition
        if case .file(let file, let offset) = transition.backing {
            transition.reference = files.reference(
                to: file, at: offset, length: transition.length, mappedAt: transition.time)
        }
        transition.hasPages = transition.reference == nil
        tell(transition)
        guard transition.hasPages else { return }
        // What was mapped may have been written to before it could be read.
        tellBlindSpot(transition, .writerRanOn)
        capturePages(of: transition)
    }

    // MARK: Writes

    /// A call has written to code. The regions that show the bytes are captured anew; the writer
    /// is held meanwhile if it is a target and the kernel can.
    mutating func take(_ record: husk_write) {
        if record.call == HUSK_CALL_ASYNCHRONOUS.rawValue {
            tellBlindProcess(
                TaskIdentity(record.header), at: clock.timestamp(record.header.time_ns),
                .asynchronousWrites)
            return
        }
        let writer = Writer(
            task: TaskIdentity(record.header), threadName: targetText(record.comm))
        let (sum, overflow) = record.start.addingReportingOverflow(record.length)
        let end = overflow ? UInt64.max : sum
        guard record.start < end else { return }
        let views: [(pid: Int32, region: MappedRegion)]
        // Another thread of its process may write, too, and move the place that both write to.
        let isAlone = record.has_siblings == 0
        if let file = Timeline.FileKey(record) {
            views = timeline.views(of: file, offsets: isAlone ? record.start..<end : 0..<UInt64.max)
                .filter { $0.region.protection.contains(.execute) }
        } else {
            let target = Int32(bitPattern: record.target_pid)
            let pids = target != 0 ? [target] : timeline.processes.sorted()
            views = pids.flatMap { pid in
                timeline.executableRegions(of: pid, in: Address(record.start)..<Address(end))
                    .map { (pid, $0) }
            }
        }
        for (pid, region) in views {
            if record.is_held == 0 || !isAlone || isBeingCopied(region, of: pid),
                let task = processes[pid]
            {
                tellBlindSpot(
                    BlindSpot(
                        task: task, time: clock.timestamp(record.header.time_ns),
                        start: Address(region.start.rawValue & ~4095), length: 4096,
                        reason: .writerRanOn))
            }
            capture(
                region, of: pid, as: .write, call: SystemCall(record.call), writer: writer,
                number: RecordNumber(record.header), at: clock.timestamp(record.header.time_ns))
        }
    }

    /// A thread of the process is still copying some of it: what stood there may be gone.
    private func isBeingCopied(_ region: MappedRegion, of pid: Int32) -> Bool {
        open.values.contains { item in
            item.transition.task.pid == pid
                && (item.transition.start..<item.transition.end).overlaps(region.start..<region.end)
        }
    }

    // MARK: What was there before Husk

    /// A region that a process has already: notes it, and begins to capture it if it is
    /// executable and that is wanted. Ask for its pages in portions: meanwhile the ring must be
    /// read.
    mutating func takePresent(
        _ region: MappedRegion, of pid: Int32, capturing: Bool
    ) -> OutsideCapture? {
        let isView = region.isShared && region.protection.contains(.write)
        guard region.protection.contains(.execute) || isView else { return nil }
        guard capturing else {
            timeline.note(region, of: pid)
            return nil
        }
        let transition = outsideTransition(
            region, of: pid, as: .present, at: clock.now())
        tell(transition)
        return transition.hasPages ? beginCapture(of: transition) : nil
    }

    // MARK: What can change without a call

    /// The regions of processes that live on which can change without a call.
    func changingRegions() -> [(pid: Int32, region: MappedRegion)] {
        timeline.processes.sorted().flatMap { pid in
            timeline.executableRegions(of: pid).filter(\.mayChange).map { (pid, $0) }
        }
    }

    /// Begins a look at a region from outside. It is told only if something has changed.
    mutating func look(
        at region: MappedRegion, of pid: Int32, _ trigger: LookTrigger
    ) -> OutsideCapture {
        var transition = outsideTransition(
            region, of: pid, as: .look, at: clock.now())
        transition.trigger = trigger
        open[transition.id] = OpenTransition(
            transition: transition, memory: OutsideMemory(of: pid))
        var capture = beginCapture(of: transition)
        capture.isTold = false
        return capture
    }

    // MARK: What was about to run

    /// Pages that the enforcer of W^X has read before they ran.
    mutating func take(_ capture: Enforcer.Capture) {
        guard let first = capture.pages.first?.address, let last = capture.pages.last?.address
        else { return }
        let pid = capture.pid
        let time = clock.timestamp(capture.monotonic)
        let known = timeline.region(of: pid, at: Address(first))
        let end = last + UInt64(HUSK_PAGE_SIZE)
        let region = MappedRegion(
            start: Address(first), end: Address(end), protection: capture.asked,
            backing: known.map { $0.backing.advanced(by: first &- $0.start.rawValue) }
                ?? .anonymous,
            isShared: known?.isShared ?? false)
        var transition = outsideTransition(
            region, of: pid, as: .look, at: time)
        transition.trigger = .execution
        transition.threadName = capture.threadName
        transition.task.tid = capture.tid
        transition.task.hostTID = transition.task.hostPID == pid ? capture.tid : 0
        transition.instructionPointer = Address(capture.address)
        transition.stackPointer = Address(capture.registers.rsp)
        // The timeline knows the region already, as the target has asked for it.
        transition.label = RegionLabel(backing: transition.backing, caller: nil)
        open[transition.id] = OpenTransition(
            transition: transition, memory: OutsideMemory(of: pid))
        emit(.transition(transition))
        for page in capture.pages {
            emitPage(
                at: page.address, transition.number, transition.id, transition.task, time,
                page.body)
        }
        open[transition.id] = nil
        let told = UInt64(capture.pages.count)
        let unreadable = UInt64(
            capture.pages.count { if case .unreadable = $0.body { true } else { false } })
        emit(
            .transitionEnd(
                TransitionEnd(
                    transition: transition.id, number: transition.number, task: transition.task,
                    time: time, captured: told - unreadable, untouched: 0,
                    unchanged: transition.length / UInt64(HUSK_PAGE_SIZE) - told,
                    unreadable: unreadable, lost: 0, stalledNanoseconds: 0)))
        emit(
            .execution(
                Execution(
                    task: transition.task, time: time, transition: transition.id,
                    address: Address(capture.address),
                    region: Address(capture.region.lowerBound)..<Address(capture.region.upperBound),
                    sequence: capture.sequence, registers: capture.registers,
                    writer: capture.writer.map { callSite(at: $0, of: pid) },
                    memory: capture.memory)))
    }

    private func callSite(at address: UInt64, of pid: Int32) -> CallSite {
        CallSite(
            address: Address(address),
            backing: timeline.region(of: pid, at: Address(address))?.backing ?? .unknown)
    }

    // MARK: One region from outside

    /// A region whose pages are being read from outside.
    struct OutsideCapture {
        fileprivate let transition: Transition
        fileprivate var rest: ArraySlice<UInt64>
        fileprivate var captured: UInt64 = 0
        fileprivate var untouched: UInt64
        fileprivate var unreadable: UInt64 = 0
        fileprivate var unchanged: UInt64 = 0
        fileprivate var lost: UInt64 = 0
        /// False: of a look that has found nothing new so far.
        fileprivate(set) var isTold = true
    }

    private mutating func capture(
        _ region: MappedRegion, of pid: Int32, as kind: TransitionKind, call: SystemCall?,
        writer: Writer?, number: RecordNumber, at time: Timestamp
    ) {
        var transition = outsideTransition(
            region, of: pid, as: kind, call: call, writer: writer, number: number, at: time)
        guard transition.start < transition.end else { return }
        // The timeline knows the region already, whole.
        transition.label = RegionLabel(backing: transition.backing, caller: nil)
        open[transition.id] = OpenTransition(
            transition: transition, memory: OutsideMemory(of: pid))
        emit(.transition(transition))
        capturePages(of: transition)
    }

    private mutating func outsideTransition(
        _ region: MappedRegion, of pid: Int32, as kind: TransitionKind, call: SystemCall? = nil,
        writer: Writer? = nil, number: RecordNumber? = nil, at time: Timestamp
    ) -> Transition {
        // No record of the kernel's is behind it: it has a sequence of its own.
        let number =
            number ?? RecordNumber(cpu: .max, sequence: ownTransitions & ~(1 << 63))
        let pageSize = UInt64(HUSK_PAGE_SIZE)
        let start = region.start.rawValue & ~(pageSize - 1)
        let (sum, overflow) = region.end.rawValue.addingReportingOverflow(pageSize - 1)
        let end = (overflow ? region.end.rawValue : sum) & ~(pageSize - 1)
        let task =
            processes[pid] ?? TaskIdentity(pid: pid, tid: pid, hostPID: pid, hostTID: pid)
        let before = region.start.rawValue &- start
        ownTransitions += 1
        return Transition(
            id: Transition.ID(rawValue: ownTransitions), number: number, kind: kind, call: call,
            time: time, task: task, threadName: writer?.threadName ?? ProcessFacts.name(of: pid),
            start: Address(start), length: end - start,
            arguments: Transition.Arguments(
                address: region.start,
                length: region.end.rawValue &- region.start.rawValue, flags: 0),
            result: 0, requested: region.protection, previous: region.protection,
            effective: region.protection, backing: region.backing.advanced(by: 0 &- before),
            isShared: region.isShared, isFresh: false, hasVanished: false, isUnseen: false,
            hasPages: region.protection.contains(.execute), instructionPointer: 0,
            stackPointer: 0, writer: writer)
    }

    private mutating func capturePages(of transition: Transition) {
        var capture = beginCapture(of: transition)
        while captureMore(&capture, pages: .max) {}
    }

    private mutating func beginCapture(of transition: Transition) -> OutsideCapture {
        let pageSize = UInt64(HUSK_PAGE_SIZE)
        let range = transition.start..<transition.end
        let count = transition.length / pageSize
        // Pages of files exist whether they are resident or not; others only if they are. What
        // is not resident has not run since it was looked at last.
        let isFile =
            switch transition.backing {
            case _ where transition.kind == .look: false
            case .file, .special: true
            default: transition.kind == .write && transition.backing.file != nil
            }
        if isFile, count <= Self.maximumExpandedPages {
            let addresses = (0..<count).map { range.lowerBound.rawValue + $0 * pageSize }
            return OutsideCapture(transition: transition, rest: addresses[...], untouched: 0)
        }
        let found = open[transition.id]?.memory.populatedPages(in: range)
        let end: Address
        switch transition.kind {
        // A look comes again, and what it looks at is a blind spot anyway.
        case .look: end = range.upperBound
        // It has ended while Husk was coming: nothing of the trace is missing.
        case .present where found == nil && memorySince(transition.task.pid) == nil:
            end = range.upperBound
        default: end = found?.end ?? range.lowerBound
        }
        let lost = range.upperBound.rawValue - end.rawValue
        if lost > 0 {
            emit(
                .loss(
                    Loss(
                        cause: found == nil ? .vanished : .tooLarge, time: clock.now(),
                        task: transition.task, transition: transition.id, start: end, length: lost)
                ))
        }
        let addresses = found?.addresses ?? []
        return OutsideCapture(
            transition: transition, rest: addresses[...],
            untouched: count - lost / pageSize - UInt64(addresses.count), lost: lost / pageSize)
    }

    /// Reads some more pages. False: it has been told to the end.
    mutating func captureMore(_ capture: inout OutsideCapture, pages: Int) -> Bool {
        let transition = capture.transition
        let isLook = transition.kind == .look
        for address in capture.rest.prefix(pages) {
            guard let body = readFromOutside(address, transition) else {
                capture.untouched += 1
                continue
            }
            if isLook, case .content(let content, _) = body,
                generations.isLatest(
                    content, at: Address(address), of: transition.task.pid)
            {
                capture.unchanged += 1
                continue
            }
            // A look comes again: what has just gone away has been told by who took it.
            if isLook, case .unreadable = body {
                capture.untouched += 1
                continue
            }
            if !capture.isTold {
                capture.isTold = true
                tell(transition)
            }
            if case .content = body { capture.captured += 1 } else { capture.unreadable += 1 }
            emitPage(
                at: address, transition.number, transition.id, transition.task, clock.now(), body)
        }
        capture.rest = capture.rest.dropFirst(pages)
        guard capture.rest.isEmpty else { return true }
        open[transition.id] = nil
        guard capture.isTold else { return false }
        emit(
            .transitionEnd(
                TransitionEnd(
                    transition: transition.id, number: transition.number, task: transition.task,
                    time: clock.now(), captured: capture.captured, untouched: capture.untouched,
                    unchanged: capture.unchanged,
                    unreadable: capture.unreadable, lost: capture.lost, stalledNanoseconds: 0)))
        return false
    }
}
