// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc
internal import HuskModel

/// A thread waits to write to a page from which W is kept by a guard.
struct WriteFault {
    var space: EnforcedSpace
    /// As its own PID namespace counts.
    var tid: Int32
    var address: UInt64

    var page: Range<UInt64> {
        let start = address & ~(EnforcedSpace.pageSize - 1)
        return start..<(start + EnforcedSpace.pageSize)
    }

    func isOfSameThread(as other: WriteFault) -> Bool {
        space === other.space && tid == other.tid
    }
}

/// Guards: making them, and what is done about a thread that waits to write.
extension Enforcer {
    // arch/x86/entry/syscalls/syscall_64.tbl
    private static let userfaultfd = 323
    private static let closeCall = 3
    /// How often a thread is looked at that is just about to wait.
    private static let glances = 50

    // MARK: Making them

    /// Puts a view under guard, if that is possible.
    func putUnderGuard(_ tracee: Tracee, _ range: Range<UInt64>) {
        let space = tracee.space
        guard let view = space.view(at: range.lowerBound), view.asked.contains(.write),
            !view.isIndivisible, let writeGuard = writeGuard(of: tracee)
        else { return }
        // Of several views, the one that is written to may have no pages of those that another has.
        if space.file(of: view) != nil, writeGuard.reach != .allPages { return }
        space.setGuarded(
            writeGuard.register(view.range) ? writeGuard.reach : .none, at: range.lowerBound)
    }

    private func writeGuard(of tracee: Tracee) -> WriteGuard? {
        let space = tracee.space
        if space.writeGuard == nil, !space.hasNoGuard {
            space.writeGuard = makeGuard(tracee)
            space.hasNoGuard = space.writeGuard == nil
            if let made = space.writeGuard, let guardWatch {
                guardWatch.add(made.number)
                guardedSpaces.append(space)
            }
        }
        return space.writeGuard
    }

    /// A userfaultfd belongs to the process that makes it: it is made in the target's name, and
    /// taken over.
    private func makeGuard(_ tracee: Tracee) -> WriteGuard? {
        // A filter may end a program for a call that it never makes.
        guard guardLimit > .none, ProcFolder(process: tracee.tid).statusNumber("Seccomp") == 0
        else { return nil }
        if guardWatch == nil {
            guardWatch = try? GuardWatch(waking: .current, by: Self.wakeSignal)
        }
        guard guardWatch != nil,
            let made = call(
                tracee, Self.userfaultfd, UInt64(O_CLOEXEC | O_NONBLOCK)), made >= 0
        else { return nil }
        defer { _ = call(tracee, Self.closeCall, UInt64(made)) }
        // (A thread may have descriptors of its own, and its process's first one have ended.)
        let thread = husk_thread_pidfd_open(tracee.pid, tracee.tid)
        guard thread >= 0 else { return nil }
        let pidfd = OwnedDescriptor(thread)
        let copy = husk_descriptor_of(pidfd.number, Int32(made))
        guard copy >= 0 else { return nil }
        return WriteGuard(OwnedDescriptor(copy), of: tracee.pid, upTo: guardLimit)
    }

    /// A child begins with its parent's protections of some moment, and without a guard: all that it
    /// has is made such that it may be written, so nothing runs unseen.
    func renew(_ tracee: Tracee) {
        let space = tracee.space
        _ = space.makeAllWritten()
        for view in space.views {
            if view.isGuarded {
                space.setGuarded(.none, at: view.range.lowerBound)
                putUnderGuard(tracee, view.range)
            }
            guard let view = space.view(at: view.range.lowerBound) else { continue }
            apply([view.written(view.range)], by: tracee)
        }
    }

    /// A thread that has used it has ended.
    func forgetGuard(of space: EnforcedSpace) {
        guard space.writeGuard != nil, !tracees.values.contains(where: { $0.space === space })
        else { return }
        space.writeGuard = nil
        guardedSpaces.removeAll { $0 === space }
    }

    func allowAll(in space: EnforcedSpace) {
        for view in space.views where view.isGuarded { space.writeGuard?.allow(view.range) }
    }

    // MARK: Who waits to write

    func takeWriteFaults() {
        guardWatch?.takeNews {
            for space in guardedSpaces { readFaults(of: space) }
        }
    }

    /// A thread waits for one page at most: what it has told last counts, what it has told before
    /// is over.
    private func readFaults(of space: EnforcedSpace) {
        while let fault = space.writeGuard?.nextFault() {
            let told = WriteFault(space: space, tid: fault.tid, address: fault.address)
            writeFaults.removeAll { $0.isOfSameThread(as: told) }
            writeFaults.append(told)
        }
    }

    func handle(_ fault: WriteFault) {
        let space = fault.space
        guard let view = space.view(at: fault.address), view.isGuarded else {
            space.writeGuard?.allow(fault.page)  // the target has made something else of it
            return
        }
        guard let tracee = tracee(of: fault) else {
            lend(fault, nil, mayStopOthers: true)
            return
        }
        switch waiting(tracee) {
        case .not where tracee.lastWoken != fault.page.lowerBound:
            // It has been stopped, and will come again.
            tracee.lastWoken = fault.page.lowerBound
            space.writeGuard?.wake(fault.page)
            return
        case .inCall where !isLatest(fault), .outsideCalls where !isLatest(fault):
            return
        case .inCall:
            lend(fault, tracee, mayStopOthers: true)
        // A call with a signal pending does not wait, but tries again and again.
        case .not, .outsideCalls:
            switch interrupt(tracee, attempts: 12) {
            case .stands: letWrite(fault, view, tracee)
            case .other: space.writeGuard?.wake(fault.page)
            case .later: putOff(fault, tracee)
            }
        case .elsewhere:
            return  // it is over: if not, the thread would be waiting for it
        }
        tracee.lastWoken = nil
    }

    /// Whether the thread that waits has told of no other page since.
    private func isLatest(_ fault: WriteFault) -> Bool {
        readFaults(of: fault.space)
        return !writeFaults.contains { $0.isOfSameThread(as: fault) }
    }

    // MARK: Who cannot be stopped at once

    /// It stops before it is back in user mode, and is seen to then: no one may both write and
    /// execute meanwhile. On a busy machine it has to wait for a processor first.
    private func putOff(_ fault: WriteFault, _ tracee: Tracee) {
        areAwaited = true
        if let awaited = tracee.awaited, awaited.fault.space === fault.space,
            awaited.fault.page == fault.page
        {
            tracee.awaited?.timesTold += 1
            return
        }
        tracee.awaited = Tracee.Awaited(
            fault: fault, until: SystemClock.monotonic + Self.stoppingLimit,
            runTime: ProcFolder(thread: tracee.tid, of: tracee.pid).runTime)
    }

    /// It stands now, at the instruction that wants to write.
    func seeTo(_ tracee: Tracee) {
        guard let fault = tracee.awaited?.fault else { return }
        tracee.awaited = nil
        // If it has been let write by what was done about another thread it is not there any more.
        guard fault.space === tracee.space, let view = fault.space.view(at: fault.address),
            view.isGuarded,
            view.isUntouched || view.memory.isExecutable(view.page(at: fault.address))
        else { return }
        resolve(fault, view, tracee)
    }

    /// Those that run, and do not stop: the kernel writes for them, perhaps a signal's frame, and
    /// tries again until it may.
    func lendToThoseThatDoNotStop() {
        guard areAwaited else { return }
        let now = SystemClock.monotonic
        areAwaited = false
        for tracee in tracees.values {
            guard let awaited = tracee.awaited else { continue }
            let runTime = ProcFolder(thread: tracee.tid, of: tracee.pid).runTime
            if now < awaited.until, awaited.timesTold < Self.patience,
                runTime &- awaited.runTime < Self.wayToStop
            {
                areAwaited = true
            } else {
                tracee.awaited = nil
                lend(awaited.fault, tracee, mayStopOthers: true)
            }
        }
    }

    /// How often a thread tells that it waits after it has been asked to stop, until that is taken
    /// for a call that tries again and again: one that stops tells no more.
    private static let patience = 3
    /// How long a thread runs in the kernel, in ns, until it is where it stops: much longer than it
    /// takes. (It takes microseconds, but what it has run before may be counted late, and what a
    /// virtual machine was kept from running counts as well.)
    private static let wayToStop: UInt64 = 30_000_000
    /// How long a thread may have to wait for a processor, in ns.
    private static let stoppingLimit: UInt64 = 1_000_000_000

    private func letWrite(_ fault: WriteFault, _ view: EnforcedSpace.View, _ tracee: Tracee) {
        takeBack(tracee)
        resolve(fault, view, tracee)
        takeBack(tracee)
        if tracee.isStopped { tracee.goOn() }
    }

    private func resolve(
        _ fault: WriteFault, _ view: EnforcedSpace.View, _ tracee: Tracee
    ) {
        guard let registers = tracee.registers else { return }
        let tries = tracee.noteFault(registers, fault.address)
        let pointer = UInt64(registers.rip)
        if !resolveWrite(tracee, view, fault.address, by: pointer, tries: tries) {
            fault.space.writeGuard?.allow(fault.page)
        }
    }

    /// While one thread is waited for: what would keep it from stopping.
    func serveWriteFaults(whileWaitingFor tracee: Tracee) {
        takeWriteFaults()
        guard !writeFaults.isEmpty else { return }
        // In two steps: what is done about one may bring others.
        let faults = writeFaults
        writeFaults = []
        for fault in faults {
            let writer = self.tracee(of: fault)
            if let writer, writer === tracee, steppedPages != nil {
                steppedPages?.append(fault.page.lowerBound)
                fault.space.writeGuard?.allow(fault.page)
            } else if let writer,
                writer === tracee || (waiting(writer) == .inCall && isLatest(fault))
            {
                lend(fault, writer, mayStopOthers: false)
            } else if !writeFaults.contains(where: { $0.isOfSameThread(as: fault) }) {
                writeFaults.append(fault)
            }
        }
    }

    private func tracee(of fault: WriteFault) -> Tracee? {
        if let tracee = tracees[fault.tid], tracee.space === fault.space,
            tracee.numberInside == fault.tid
        {
            return tracee
        }
        return tracees.values.first {
            $0.space === fault.space && $0.numberInside == fault.tid
        }
    }

    /// It tells of itself just before it waits.
    private func waiting(_ tracee: Tracee) -> ProcFolder.Waiting {
        if tracee.isStopped { return .not }
        let folder = ProcFolder(thread: tracee.tid, of: tracee.pid)
        for _ in 0..<Self.glances {
            let waiting = folder.waitingForGuard
            if waiting != .not { return waiting }
            usleep(20)
        }
        return .not
    }

    // MARK: Calls that write

    /// Lets a call write. If another thread can be had to change the protection, X is kept
    /// meanwhile; else that is made up for when the thread is stopped at the end of the call.
    private func lend(_ fault: WriteFault, _ tracee: Tracee?, mayStopOthers: Bool) {
        let space = fault.space
        guard let view = space.view(at: fault.address),
            view.memory.isExecutable(view.page(at: fault.address))
        else {
            for change in space.noteWriter(nil, at: fault.address) {
                space.writeGuard?.allow(change.range)
            }
            space.writeGuard?.allow(fault.page)
            return
        }
        let run = space.run(at: fault.address, block: Self.block)
        let range = fault.page.lowerBound..<run.upperBound
        if mayStopOthers, let other = another(than: tracee, in: space) {
            apply(space.setState(range, isExecutable: false), by: other)
            if other.isStopped { other.goOn() }
            return
        }
        space.lent.append(range)
        oweStops(in: space)
        space.writeGuard?.allow(range)
    }

    /// Those that are in calls stop when these end, before they are back in user mode: no code runs
    /// meanwhile where something may both be written and executed.
    func oweStops(in space: EnforcedSpace) {
        for tracee in tracees.values where tracee.space === space && !tracee.isStopped {
            tracee.hasOwedStop = true
            probeStops?.owe(tracee.tid)
        }
    }

    /// One that runs, and stands then: one that waits in the kernel would have its call end early.
    private func another(than tracee: Tracee?, in space: EnforcedSpace) -> Tracee? {
        tracees.values.first {
            $0 !== tracee && $0.space === space && !$0.isStopped
                && ProcessFacts.isRunning($0.tid, of: $0.pid)
                && interrupt($0, attempts: 20) == .stands
        }
    }

    /// The kernel writes zero to where a thread's number stands when it ends (clear_child_tid in
    /// set_tid_address(2)), and does not wait for a guard then: the place is the C library's, beside
    /// the thread pointer.
    func lendAtEnd(_ tracee: Tracee) {
        let space = tracee.space
        guard let writeGuard = space.writeGuard, let registers = tracee.registers,
            space.view(at: registers.fs_base)?.isGuarded == true
        else { return }
        let start = registers.fs_base & ~(EnforcedSpace.pageSize - 1)
        let range = start..<(start + 2 * EnforcedSpace.pageSize)
        space.lent.append(range)
        oweStops(in: space)
        writeGuard.allow(range)
    }

    /// Keeps X from what has been lent, now that a thread is stopped.
    func takeBack(_ tracee: Tracee) {
        let space = tracee.space
        guard !space.lent.isEmpty else { return }
        let ranges = space.lent
        space.lent = []
        for range in ranges { makeWritten(range, by: tracee) }
    }
}
