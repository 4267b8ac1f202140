// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc
internal import HuskModel

/// System calls in a target's name, made by one of its threads while that is stopped.
extension Enforcer {
    /// Signals that are held back meanwhile: all but those that an instruction of the thread's
    /// own raises (and the two that cannot be).
    private static let heldSignals: UInt64 =
        [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS]
        .reduce(UInt64.max) { $0 & ~(1 << UInt64($1 - 1)) }

    /// Runs `body` while the thread's asynchronous signals are held back.
    func holdingSignals<Result>(_ tracee: Tracee, _ body: () -> Result) -> Result {
        var mask: UInt64 = 0
        let isKnown = husk_trace_mask(tracee.tid, &mask) == 0
        // (One of the instruction's own that was blocked would lose its handler: force_sig().)
        if isKnown { _ = husk_trace_set_mask(tracee.tid, Self.heldSignals) }
        let result = body()
        if isKnown, tracee.isStopped, tracees[tracee.tid] === tracee {
            _ = husk_trace_set_mask(tracee.tid, mask)
        }
        return result
    }

    /// Makes a call; the thread must be stopped, and is afterwards as it was. Returns what the
    /// call returned; nil: it could not be made.
    func call(_ tracee: Tracee, _ number: Int, _ arguments: UInt64...) -> Int? {
        let isKnownPlace = tracee.space.callAddress != nil
        if let result = attempt(tracee, number, arguments) { return result }
        // The target may have taken the instruction away.
        guard isKnownPlace, !tracee.hasMovedOn else { return nil }
        tracee.space.callAddress = nil
        return attempt(tracee, number, arguments)
    }

    private func attempt(_ tracee: Tracee, _ number: Int, _ arguments: [UInt64]) -> Int? {
        guard !tracee.hasMovedOn, var saved = tracee.registers,
            let instruction = callInstruction(tracee)
        else { return nil }
        if let abort = abortOfSection(tracee, saved.rip) { saved.rip = abort }
        var registers = saved
        let places: [WritableKeyPath<user_regs_struct, CUnsignedLongLong>] = [
            \.rdi, \.rsi, \.rdx, \.r10, \.r8,
        ]
        for (place, value) in zip(places, arguments) { registers[keyPath: place] = value }
        registers.rax = CUnsignedLongLong(number)
        registers.orig_rax = .max
        registers.r9 = mark
        registers.rip = instruction
        // A 32-bit program's thread makes 64-bit calls too, if its code segment says so.
        registers.cs = 0x33
        return holdingSignals(tracee) {
            guard tracee.set(registers) else { return nil }
            let isDone = step(tracee) == SIGTRAP
            guard tracee.isStopped, tracees[tracee.tid] === tracee else { return nil }
            let result = tracee.registers
            tracee.set(saved)
            _ = probeStops?.take(tracee.tid)  // at the end of this call: step() has passed it over
            guard isDone, let result, result.rip == instruction + 2 else { return nil }
            return Int(bitPattern: UInt(result.rax))
        }
    }

    /// A restartable sequence (rseq(2)) has to be given up when its thread does something else in
    /// between; the kernel does not see that, as the thread comes back to the same place. Returns
    /// where it goes on then; nil: it is in none.
    private func abortOfSection(_ tracee: Tracee, _ pointer: UInt64) -> UInt64? {
        let area = husk_trace_sequence_area(tracee.tid)
        guard area != 0 else { return nil }
        var section: UInt64 = 0
        // struct rseq_cs: version and flags, start_ip, post_commit_offset, abort_ip.
        var words = [UInt64](repeating: 0, count: 4)
        // Safe: eight and 32 bytes into our own variables.
        guard husk_process_read(tracee.tid, area &+ 8, &section, 8) == 8, section != 0,
            husk_process_read(tracee.tid, section, &words, 32) == 32,
            pointer &- words[1] < words[2]
        else { return nil }
        return words[3]
    }

    /// One instruction. Returns the signal that the thread has stopped with; nil: it has ended.
    func step(_ tracee: Tracee) -> Int32? {
        while true {
            tracee.isStopped = false
            guard !tracee.isGone, tracee.hasMovedOn || husk_trace_step(tracee.tid) == 0,
                let status = wait(for: tracee)
            else { return nil }
            let signal = status >> 8 & 0xFF
            if status >> 16 != 0 {
                // It was asked to stop before; it stands, and is stepped again.
                continue
            }
            guard signal == SIGSTOP else { return signal }
            // Of a probe: about a call that has been seen to already. Of someone else: later.
            var info = siginfo_t()
            if husk_trace_signal(tracee.tid, &info) == 0, !Self.isRaisedByProbe(signal, info) {
                tracee.undelivered = SIGSTOP
            }
        }
    }

    /// An instruction `syscall` in the target's memory: the vdso has one, for clocks that it
    /// cannot read itself.
    private func callInstruction(_ tracee: Tracee) -> UInt64? {
        if let known = tracee.space.callAddress { return known }
        guard let regions = MemoryMaps.regions(of: tracee.pid) else { return nil }
        let special = regions.filter { $0.backing == .special && $0.protection.contains(.execute) }
        let others = regions.filter {
            $0.backing != .special && $0.protection == [.read, .execute]
                && $0.backing.file != nil
        }
        for region in special + others.prefix(8) {
            let length = min(region.end.rawValue - region.start.rawValue, 1 << 20)
            var bytes = [UInt8](repeating: 0, count: Int(length))
            // Safe: at most `length` bytes into our own array.
            let count = husk_process_read(tracee.tid, region.start.rawValue, &bytes, bytes.count)
            guard count > 1 else { continue }
            for index in 0..<(Int(count) - 1) where bytes[index] == 0x0F && bytes[index + 1] == 0x05
            {
                tracee.space.callAddress = region.start.rawValue + UInt64(index)
                return tracee.space.callAddress
            }
        }
        return nil
    }

    /// Changes protections. What is not there any more is forgotten.
    func apply(_ changes: [EnforcedSpace.Change], by tracee: Tracee) {
        for change in changes where !change.range.isEmpty {
            let writeGuard = tracee.space.writeGuard
            // W is kept before X is given, and given after X is kept.
            let result = protect(change.range, protectionWithGuard(change, writeGuard), by: tracee)
            let takesExecution = !change.protection.contains(.execute)
            if result == nil || result == -Int(EPERM) || result == -Int(EACCES),
                change.isWriteProtected == false, takesExecution, !tracee.hasMovedOn,
                let view = tracee.space.view(at: change.range.lowerBound),
                view.asked.contains(.execute)
            {
                keepExecutable(change.range, tracee)
                continue
            }
            defer { if change.isWriteProtected == false { writeGuard?.allow(change.range) } }
            defer { noteGiven(change, tracee.space) }
            guard let result, result < 0 else { continue }
            if tracee.space.view(at: change.range.lowerBound)?.isFixed == true { continue }
            if result == -Int(ENOMEM), let view = tracee.space.view(at: change.range.lowerBound),
                isMapped(view.range, of: tracee.pid)
            {
                joinPieces(of: view, for: change, by: tracee)
            } else {
                tracee.space.remove(change.range)
            }
        }
    }

    /// Has the guard keep W if it has to. The protection that the range may have then: what the guard
    /// does not keep, that has to.
    private func protectionWithGuard(
        _ change: EnforcedSpace.Change, _ writeGuard: WriteGuard?
    ) -> Protection {
        guard change.isWriteProtected == true, writeGuard?.protect(change.range) != true else {
            return change.protection
        }
        return change.protection.subtracting(.write)
    }

    /// X cannot be taken (mseal(2), a filter): the guard goes on to keep W, and each instruction
    /// that writes is stepped.
    private func keepExecutable(_ range: Range<UInt64>, _ tracee: Tracee) {
        let space = tracee.space
        let executable = space.view(at: range.lowerBound).map { view in
            view.memory.known(in: view.page(at: range.lowerBound)..<view.page(at: range.upperBound))
        }
        guard executable?.isEmpty == false else {
            space.writeGuard?.allow(range)
            return
        }
        space.setFixed(at: range.lowerBound)
        _ = space.setState(range, isExecutable: true)
        _ = space.writeGuard?.protect(range)
    }

    private func noteGiven(_ change: EnforcedSpace.Change, _ space: EnforcedSpace) {
        guard change.protection.contains(.write), change.isWriteProtected != true,
            space.writeGuard?.reach != .allPages || change.isWriteProtected == nil
        else { return }
        space.lastGiven = SystemClock.monotonic
    }

    private func protect(
        _ range: Range<UInt64>, _ protection: Protection, by tracee: Tracee
    ) -> Int? {
        // X would come with R.
        let wide =
            protection.contains(.read) && !protection.contains(.execute)
            ? tracee.widePersonality : nil
        if let wide {
            _ = call(tracee, Self.personality, UInt64(wide & ~Tracee.readImpliesExecution))
        }
        defer { if let wide { _ = call(tracee, Self.personality, UInt64(wide)) } }
        return call(
            tracee, Self.mprotect, range.lowerBound, range.upperBound - range.lowerBound,
            UInt64(protection.rawValue))
    }

    private func isMapped(_ range: Range<UInt64>, of pid: Int32) -> Bool {
        var next = range.lowerBound
        for region in MemoryMaps.regions(of: pid) ?? [] where region.range.contains(next) {
            next = region.end.rawValue
        }
        return next >= range.upperBound
    }

    /// A process may have so many regions only (vm.max_map_count), and each piece is one: all of the
    /// view is made one again, such that it may be written, and the change is tried once more.
    private func joinPieces(
        of view: EnforcedSpace.View, for change: EnforcedSpace.Change, by tracee: Tracee
    ) {
        _ = tracee.space.setState(view.range, isExecutable: false)
        let whole = view.written(view.range)
        _ = protect(whole.range, whole.protection, by: tracee)
        noteGiven(whole, tracee.space)
        tracee.space.writeGuard?.allow(view.range)
        guard change.range != view.range, change.protection != whole.protection else { return }
        let protection = protectionWithGuard(change, tracee.space.writeGuard)
        if let result = protect(change.range, protection, by: tracee), result < 0 {
            tracee.space.writeGuard?.allow(change.range)
            return
        }
        _ = tracee.space.setState(change.range, isExecutable: true)
    }

    // arch/x86/entry/syscalls/syscall_64.tbl
    static let mprotect = 10
    private static let personality = 135

    /// Lets what lies in a range be written.
    func makeWritten(_ range: Range<UInt64>, by tracee: Tracee) {
        for part in tracee.space.parts(in: range) {
            apply(tracee.space.setState(part.range, isExecutable: false), by: tracee)
        }
    }

    /// Lets all of the target's memory be written. False: nothing was to be done.
    func makeAllWritten(_ tracee: Tracee, unguardedOnly: Bool = false) -> Bool {
        let changes = tracee.space.makeAllWritten(unguardedOnly: unguardedOnly)
        apply(changes, by: tracee)
        return !changes.isEmpty
    }
}
