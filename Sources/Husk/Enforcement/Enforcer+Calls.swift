// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc
internal import HuskModel

/// Calls of the target: a probe has stopped the thread at the end of one that changes memory from
/// which W or X is kept, or that makes such memory, or that has failed with EFAULT.
extension Enforcer {
    /// What the registers tell of the call that a thread returns from.
    private struct ReturningCall {
        var call: SystemCall?
        /// It is one of those that change memory, and told apart no further.
        var changesMemory: Bool
        var isFutex: Bool
        var arguments: [UInt64]
        var result: Int64

        var hasFailed: Bool { (-4095 ... -1).contains(result) }
    }

    /// - Parameter time: when the call ended (CLOCK_MONOTONIC, ns).
    func handleCall(_ tracee: Tracee, endedAt time: UInt64) {
        guard let registers = tracee.registers else { return }
        let call = Self.decode(registers, isNarrow: isNarrowCall(tracee, registers))
        let wasOwed = tracee.hasOwedStop
        tracee.hasOwedStop = false
        if call.result == -Int64(EFAULT) {
            // A guard lets calls write: of what it keeps, none fails, but mremap(2) over pieces, and
            // futex(2), which does not wait for a page.
            restartIfKept(
                tracee, registers, at: time,
                unguardedOnly: call.call != .mremap && !call.isFutex)
            return
        }
        if wasOwed, call.call == nil, !call.changesMemory { return }  // all has been done about it
        guard let kind = call.call else {
            reconcile(tracee, nil)
            return
        }
        let range = Self.pages(call.arguments[0], call.arguments[1])
        let result = UInt64(bitPattern: call.result)
        switch kind {
        case .mprotect, .pkeyMprotect:
            if call.hasFailed {
                // Half of it may have been done.
                reconcile(tracee, range)
            } else {
                resynchronise(
                    tracee, range, asked: call.arguments[2],
                    isAnonymous: tracee.space.isAnonymous(range))
                // PROT_GROWSDOWN, PROT_GROWSUP: it may be more than that.
                if call.arguments[2] & 0x0300_0000 != 0 { reconcile(tracee, nil) }
            }
        case _ where call.hasFailed: break
        case .munmap: tracee.space.remove(range)
        case .mmap:
            let made = Self.pages(result, call.arguments[1])
            // MAP_PRIVATE and MAP_ANONYMOUS, of MAP_TYPE and these; not MAP_HUGETLB.
            let isAnonymous = call.arguments[3] & 0x4002F == 0x22
            resynchronise(tracee, made, asked: call.arguments[2], isAnonymous: isAnonymous)
            if call.arguments[3] & 0x100 != 0 {  // MAP_GROWSDOWN
                tracee.space.setGrowsDown(at: made.lowerBound)
            }
        case .madvise:
            // Pages that were given back have lost the guard's mark with their content.
            makeWritten(range, by: tracee)
        case .mremap: handleMove(tracee, range, call)
        case .remapFilePages: handleRemapping(tracee, range, call)
        default: reconcile(tracee, nil)
        }
    }

    private func handleMove(_ tracee: Tracee, _ old: Range<UInt64>, _ call: ReturningCall) {
        let space = tracee.space
        let result = UInt64(bitPattern: call.result)
        let length = Self.pages(0, call.arguments[2]).upperBound
        let new = result..<max(result, result &+ length)
        if old.isEmpty {
            // Of shared memory that makes another view, with what the old one may do at present.
            space.remove(new)
            space.duplicate(call.arguments[0], at: new)
            enforceView(tracee, new)
            return
        }
        space.move(
            old, to: result, length: length,
            keepsOld: call.arguments[3] & 4 != 0)  // MREMAP_DONTUNMAP
        // Pages that stay behind without their content have lost the guard's mark with it.
        makeWritten(old, by: tracee)
        // Pages that have moved are guarded no more, and what they have left is not yet.
        for view in space.parts(in: old) + space.parts(in: new) { enforceView(tracee, view.range) }
    }

    /// A view shows other pages of its file, with what it may do at present.
    private func handleRemapping(_ tracee: Tracee, _ range: Range<UInt64>, _ call: ReturningCall) {
        guard let view = tracee.space.parts(in: range).first,
            let file = tracee.space.file(of: view)
        else { return reconcile(tracee, range) }
        tracee.space.add(
            range, asked: view.asked, of: file, at: call.arguments[3] << 12,
            isIndivisible: view.isIndivisible)
        enforceView(tracee, range)
    }

    /// The kernel could not write to memory of the target's. If W is kept from some, or was then
    /// (another thread has made it be given back since), it is given back, and the call made again.
    private func restartIfKept(
        _ tracee: Tracee, _ registers: user_regs_struct, at time: UInt64, unguardedOnly: Bool
    ) {
        guard
            makeAllWritten(tracee, unguardedOnly: unguardedOnly)
                || tracee.space.lastGiven &+ Self.wayToEnd >= time
        else { return }
        var registers = registers
        registers.rax = registers.orig_rax
        registers.orig_rax = .max
        registers.rip -= 2  // `syscall`, `int 0x80`
        tracee.set(registers)
    }

    /// How long ago a call that has just ended may have failed to write, in ns.
    private static let wayToEnd: UInt64 = 1_000_000

    // MARK: Registers

    private static func pages(_ address: UInt64, _ length: UInt64) -> Range<UInt64> {
        let start = address & ~4095
        let (end, overflow) = address.addingReportingOverflow(length)
        let (rounded, overflows) = end.addingReportingOverflow(4095)
        guard !overflow, !overflows else { return start..<start }
        return start..<max(start, rounded & ~4095)
    }

    /// `int 0x80`, and whatever else a 32-bit program uses.
    private func isNarrowCall(_ tracee: Tracee, _ registers: user_regs_struct) -> Bool {
        registers.cs == 0x23 || tracee.twoBytes(at: registers.rip &- 2) == [0xCD, 0x80]
    }

    private static func decode(_ registers: user_regs_struct, isNarrow: Bool) -> ReturningCall {
        // The kernel takes no more of it either.
        let number = Int(Int32(truncatingIfNeeded: registers.orig_rax)) & ~0x4000_0000
        if isNarrow {
            // arch/x86/entry/syscalls/syscall_32.tbl
            let calls: [Int: SystemCall] = [
                91: .munmap, 125: .mprotect, 163: .mremap, 192: .mmap, 219: .madvise,
                257: .remapFilePages, 380: .pkeyMprotect,
            ]
            let arguments = [
                registers.rbx, registers.rcx, registers.rdx, registers.rsi, registers.rdi,
            ].map { UInt64($0) & 0xFFFF_FFFF }
            let result = Int32(truncatingIfNeeded: registers.rax)
            let isError = (-4095 ... -1).contains(result)
            return ReturningCall(
                call: calls[number],
                // execve, brk, mmap, ipc, personality, execveat, arch_prctl, shmat, shmdt
                changesMemory: [11, 45, 90, 117, 136, 358, 384, 397, 398].contains(number),
                isFutex: [240, 422].contains(number), arguments: arguments,
                result: isError ? Int64(result) : Int64(UInt32(bitPattern: result)))
        }
        // arch/x86/entry/syscalls/syscall_64.tbl
        let calls: [Int: SystemCall] = [
            9: .mmap, 10: .mprotect, 11: .munmap, 25: .mremap, 28: .madvise, 216: .remapFilePages,
            329: .pkeyMprotect,
        ]
        let arguments = [
            registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8,
        ].map { UInt64($0) }
        return ReturningCall(
            call: calls[number],
            // brk, shmat, execve, shmdt, personality, arch_prctl, execveat
            changesMemory: [12, 30, 59, 67, 135, 158, 322].contains(number),
            isFutex: number == 202, arguments: arguments, result: Int64(bitPattern: registers.rax))
    }
}
