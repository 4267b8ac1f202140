// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc
internal import HuskModel

/// Faults: what has been kept from the target is given to it when it wants it.
extension Enforcer {
    private static let accessError: Int32 = 2  // SEGV_ACCERR, asm-generic/siginfo.h
    /// Faults at one instruction without progress, before it is stepped alone.
    private static let patience = 2
    private static let pageSize = EnforcedSpace.pageSize

    /// True: the fault was of Husk's making, and the thread can try again. False: the target has
    /// to be told of it.
    func handleFault(_ tracee: Tracee, _ info: siginfo_t) -> Bool {
        // Of this fault: the next one may come from a step.
        let setting = forgottenSettings?.take(tracee.tid)
        guard resolveFault(tracee, info) else { return false }
        if let setting, tracee.isStopped { putBack(setting, tracee) }
        return true
    }

    private func resolveFault(_ tracee: Tracee, _ info: siginfo_t) -> Bool {
        var info = info
        let address = husk_signal_address(&info)
        guard husk_signal_code(&info) == Self.accessError,
            let view = tracee.space.view(at: address) ?? grownView(tracee, at: address),
            let registers = tracee.registers
        else { return false }
        if isReleasing { return true }
        let pointer = UInt64(registers.rip)
        let page = address & ~(Self.pageSize - 1)
        let tries = tracee.noteFault(registers, address)
        // An instruction may begin on the page before.
        let isFetch =
            address == pointer
            || (address > pointer && address - pointer < 15 && address == page)
        if view.memory.isExecutable(view.page(at: address)) {
            // Another thread's fault has made it so meanwhile.
            if isFetch, view.asked.contains(.execute), tries == 1 { return true }
            guard view.asked.contains(.write) else {
                return isFetch && view.asked.contains(.execute) && tries <= Self.patience
            }
            return resolveWrite(tracee, view, address, by: pointer, tries: tries)
        }
        guard isFetch else {
            // What the target may not do is not allowed to it now either.
            guard view.asked.contains(.write) else { return false }
            return resolveWrite(tracee, view, address, by: pointer, tries: tries)
        }
        guard view.asked.contains(.execute) else { return false }
        if tries > Self.patience, !isAtCall(tracee, pointer) {
            // It is about to run for the first time.
            capture(tracee, tracee.space.run(at: page, block: Self.block), registers)
            stepAlone(tracee, on: page)
        } else {
            letExecute(tracee, page, registers)
        }
        return true
    }

    /// Memory that grows downwards (MAP_GROWSDOWN) has come to hold an address with no call; nil: it
    /// has not.
    private func grownView(_ tracee: Tracee, at address: UInt64) -> EnforcedSpace.View? {
        let space = tracee.space
        guard let above = space.views.first(where: { $0.range.lowerBound > address }),
            above.growsDown,
            let region = MemoryMaps.regions(of: tracee.pid)?.first(where: {
                $0.range.contains(address)
            }), region.range.upperBound >= above.range.lowerBound
        else { return nil }
        let grown = region.start.rawValue..<above.range.lowerBound
        space.grow(at: above.range.lowerBound, to: grown.lowerBound)
        apply(space.setState(grown, isExecutable: false), by: tracee)
        return space.view(at: address)
    }

    /// The thread wants to write where it may. False: that was so already, and it does not help.
    func resolveWrite(
        _ tracee: Tracee, _ view: EnforcedSpace.View, _ address: UInt64, by pointer: UInt64,
        tries: Int
    ) -> Bool {
        let page = address & ~(Self.pageSize - 1)
        guard view.memory.isExecutable(view.page(at: address)) else {
            let changes = tracee.space.noteWriter(pointer, at: address)
            apply(changes, by: tracee)
            // Else another thread's fault has let it be written meanwhile.
            return !changes.isEmpty || tries <= Self.patience
        }
        let unit = tracee.space.unit(at: page)
        let isOwnPage = unit.contains(pointer) || unit.contains(pointer &+ 14)
        if isOwnPage || view.isFixed || tries > Self.patience {
            stepAlone(tracee, on: page)
        } else {
            letWrite(tracee, page, by: pointer)
        }
        return true
    }

    // MARK: The two changes

    private func letWrite(_ tracee: Tracee, _ page: UInt64, by pointer: UInt64) {
        // Who writes one page after the other is spared a fault for each.
        let isNext = page == tracee.nextWrite
        tracee.writeRun = isNext ? min(tracee.writeRun * 2, 16) : 1
        apply(tracee.space.noteWriter(pointer, at: page), by: tracee)
        let run = tracee.space.run(at: page, block: Self.block)
        let start = tracee.space.unit(at: page).lowerBound
        let end = max(
            tracee.space.unit(at: page).upperBound,
            min(run.upperBound, page + tracee.writeRun * Self.pageSize))
        apply(tracee.space.setState(start..<end, isExecutable: false), by: tracee)
        tracee.nextWrite = end
    }

    private func letExecute(_ tracee: Tracee, _ page: UInt64, _ registers: user_regs_struct) {
        let run = existing(tracee.space.run(at: page, block: Self.block), around: page, tracee)
        // First no one can write any more, then it is read.
        apply(tracee.space.setState(run, isExecutable: true), by: tracee)
        capture(tracee, run, registers)
    }

    /// What a guard can keep writes from, of a run of pages: those that exist, around one of them.
    private func existing(
        _ run: Range<UInt64>, around page: UInt64, _ tracee: Tracee
    ) -> Range<UInt64> {
        guard tracee.space.view(at: page)?.guarded == .existingPages else { return run }
        var memory = OutsideMemory(of: tracee.pid)
        // The fetch has brought it in, but not where the process may not read.
        _ = memory.readWhateverProtection(at: page)
        let pages = Set(
            memory.populatedPages(in: Address(run.lowerBound)..<Address(run.upperBound))?
                .addresses ?? [])
        var start = page
        var end = page + Self.pageSize
        while start > run.lowerBound, pages.contains(start - Self.pageSize) {
            start -= Self.pageSize
        }
        while end < run.upperBound, pages.contains(end) { end += Self.pageSize }
        return start..<end
    }

    /// One instruction that writes to the page it is on, or that has made no progress because
    /// another thread wants the opposite: with both rights, while the others stand.
    private func stepAlone(_ tracee: Tracee, on page: UInt64) {
        let others = stopOthers(than: tracee)
        defer { for other in others where other.isStopped { other.goOn() } }
        var pages = [page]
        steppedPages = []
        grant(tracee, page)
        let signal = holdingSignals(tracee) { () -> Int32? in
            // It may write to two pages, and lie on two.
            for _ in 0..<4 {
                guard let signal = step(tracee) else { return nil }
                var info = siginfo_t()
                guard signal == SIGSEGV, husk_trace_signal(tracee.tid, &info) == 0,
                    husk_signal_code(&info) == Self.accessError
                else { return signal }
                let next = husk_signal_address(&info) & ~(Self.pageSize - 1)
                guard tracee.space.view(at: next) != nil, !pages.contains(next) else {
                    return signal
                }
                pages.append(next)
                grant(tracee, next)
            }
            return SIGTRAP
        }
        pages += steppedPages ?? []
        steppedPages = nil
        guard tracee.isStopped, let registers = tracee.registers else { return }
        var info = siginfo_t()
        if signal != nil { _ = husk_trace_signal(tracee.tid, &info) }
        // (SI_KERNEL: `int3`.)
        let isGenuine = signal != nil && (signal != SIGTRAP || Self.isRaisedByKernel(info))
        for page in pages {
            let range = tracee.space.unit(at: page)
            apply(tracee.space.setState(range, isExecutable: true), by: tracee)
            capture(tracee, range, registers)
        }
        tracee.forgetFault()
        // The instruction was a call.
        if probeStops?.take(tracee.tid) != nil { reconcile(tracee, nil) }
        if isGenuine, let signal {
            // The instruction has a fault of its own: it goes on with that.
            _ = husk_trace_set_signal(tracee.tid, &info)
            tracee.undelivered = signal
        }
    }

    /// It would be stepped for as long as the call takes, which may be waiting for those that stand
    /// meanwhile.
    private func isAtCall(_ tracee: Tracee, _ pointer: UInt64) -> Bool {
        // `syscall`, `sysenter`, `int 0x80`
        [[0x0F, 0x05], [0x0F, 0x34], [0xCD, 0x80]].contains(tracee.twoBytes(at: pointer))
    }

    private func grant(_ tracee: Tracee, _ page: UInt64) {
        guard let view = tracee.space.view(at: page) else { return }
        let range = tracee.space.unit(at: page)
        apply(
            [
                .init(
                    range: range, protection: view.asked,
                    isWriteProtected: view.isGuarded ? false : nil)
            ], by: tracee)
    }

    /// Stops the other threads that run in this memory, or wait to write to it themselves. Those that
    /// are in calls are left alone, as some would end early, and stop when they come back. One that
    /// cannot be stopped now does so before it is back in user mode, and goes on when that is told.
    private func stopOthers(than tracee: Tracee) -> [Tracee] {
        let others = tracees.values.filter { other in
            other !== tracee && other.space === tracee.space && !other.isStopped
        }
        if !others.isEmpty { oweStops(in: tracee.space) }
        return others.filter { other in
            (ProcessFacts.isRunning(other.tid, of: other.pid)
                || ProcFolder(thread: other.tid, of: other.pid).waitingForGuard == .outsideCalls)
                && interrupt(other, attempts: 80) == .stands
        }
    }

    /// The kernel could not write on the thread's behalf outside of a call (rseq(2) on a stack that
    /// is code): SI_KERNEL, without an address.
    func handleKernelFault(_ tracee: Tracee, _ info: siginfo_t) -> Bool {
        Self.isRaisedByKernel(info) && makeAllWritten(tracee)
    }

    // MARK: Reading

    /// Captures the pages of a range that are not as they were captured last. Nothing can write
    /// to them meanwhile.
    private func capture(
        _ tracee: Tracee, _ range: Range<UInt64>, _ registers: user_regs_struct
    ) {
        guard let view = tracee.space.view(at: range.lowerBound) else { return }
        var memory = OutsideMemory(of: tracee.pid)
        let addresses = stride(from: range.lowerBound, to: range.upperBound, by: 4096)
        let populated =
            memory.populatedPages(in: Address(range.lowerBound)..<Address(range.upperBound))
            .map { Set($0.addresses) } ?? Set(addresses)
        var pages: [(address: UInt64, body: Page.Body)] = []
        for address in addresses {
            let number = view.page(at: address)
            let content =
                populated.contains(address)
                ? memory.readWhateverProtection(at: address)
                : readUnpopulated(address, view, in: range, &memory)
            switch content {
            case nil: continue
            case .success(let bytes):
                let digest = Digest(of: bytes)
                guard view.memory.pages[number]?.digest != digest else { continue }
                view.memory.pages[number, default: .init()].digest = digest
                pages.append((address, .content(PageContent(bytes), reader: .whileHeld)))
            case .failure(let failure):
                // Killed meanwhile, it does not run what is here.
                guard !tracee.hasMovedOn else { return }
                view.memory.pages[number]?.digest = nil
                pages.append((address, .unreadable(.fault, errno: failure.rawValue)))
            }
        }
        guard !pages.isEmpty else { return }
        let sequence = tracee.space.noteExecution(at: range.lowerBound)
        let surroundings =
            sequence == 0
            ? surroundingMemory.read(
                of: tracee.pid, around: registers.rip, stackPointer: registers.rsp) : nil
        push(
            Capture(
                pid: tracee.pid, tid: tracee.tid, monotonic: SystemClock.monotonic,
                threadName: tracee.name,
                registers: Registers(registers), address: UInt64(registers.rip),
                region: view.range, asked: view.asked,
                sequence: sequence, pages: pages,
                writer: tracee.space.takeWriter(at: range.lowerBound), memory: surroundings))
    }

    /// What a page shows that the process has not got yet, as no one of it has asked for it. Nil:
    /// it does not exist, or has never been anything but zeros.
    private func readUnpopulated(
        _ address: UInt64, _ view: EnforcedSpace.View, in range: Range<UInt64>,
        _ memory: inout OutsideMemory
    ) -> Result<[UInt8], OutsideMemory.Errno>? {
        guard case .file(let distance) = view.source else { return nil }
        // Not by asking the process: that makes the page exist, and may wait for the target.
        let range = Address(range.lowerBound)..<Address(range.upperBound)
        switch memory.readMappedFile(range, at: address &+ distance) {
        case .page(let bytes):
            let isKnown = view.memory.pages[view.page(at: address)]?.digest != nil
            return isKnown || bytes.contains { $0 != 0 } ? .success(bytes) : nil
        case .behindEnd: return nil
        case .unknown: return .failure(OutsideMemory.Errno(rawValue: EFAULT))
        }
    }
}

extension Registers {
    init(_ registers: user_regs_struct) {
        self.init()
        rax = registers.rax
        rbx = registers.rbx
        rcx = registers.rcx
        rdx = registers.rdx
        rsi = registers.rsi
        rdi = registers.rdi
        rbp = registers.rbp
        rsp = registers.rsp
        r8 = registers.r8
        r9 = registers.r9
        r10 = registers.r10
        r11 = registers.r11
        r12 = registers.r12
        r13 = registers.r13
        r14 = registers.r14
        r15 = registers.r15
        rip = registers.rip
        eflags = registers.eflags
        cs = registers.cs
        ss = registers.ss
        fsBase = registers.fs_base
        gsBase = registers.gs_base
    }
}
