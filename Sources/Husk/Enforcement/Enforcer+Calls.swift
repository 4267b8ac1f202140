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
        var arguments: [UInt64]
        var result: Int64

        var hasFailed: Bool { (-4095 ... -1).contains(result) }
    }

    /// - Parameter time: when the call ended (CLOCK_MONOTONIC, ns).
    func handleCall(_ tracee: Tracee, endedAt time: UInt64) {
        guard let registers = tracee.registers else { return }
        let call = Self.decode(registers, isNarrow: isNarrowCall(tracee, registers))
        if tracee.hasOwedStop, call.call == nil {
            tracee.hasOwedStop = false  // all has been done about it
            return
        }
        if call.result == -Int64(EFAULT) {
            // A guard lets calls write: of what it keeps, none fails, but mremap(2) over pieces.
            restartIfKept(tracee, registers, at: time, unguardedOnly: call.call != .mremap)
            return
        }
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
            }
        case _ where call.hasFailed: break
        case .munmap: tracee.space.remove(range)
        case .mmap:
            let made = Self.pages(result, call.arguments[1])
            resynchronise(
                tracee, made, asked: call.arguments[2],
                isAnonymous: call.arguments[3] & 0x2F == 0x22)  // MAP_PRIVATE, MAP_ANONYMOUS
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
        tracee.space.add(range, asked: view.asked, of: file, at: call.arguments[3] << 12)
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

    // MARK: What has been asked for

    /// Looks at what there is in a range now, and enforces what has to be.
    ///
    /// - Parameters:
    ///   - asked: the protection that the whole range has now.
    ///   - isAnonymous: the range is known to be private memory without a file: then nothing has to
    ///     be looked at.
    private func resynchronise(
        _ tracee: Tracee, _ range: Range<UInt64>, asked: UInt64, isAnonymous: Bool
    ) {
        let space = tracee.space
        if space.parts(in: range).contains(where: \.isGuarded) { space.writeGuard?.allow(range) }
        space.remove(range)
        if isAnonymous {
            let protection = Protection(rawValue: UInt32(truncatingIfNeeded: asked & 7))
            space.noteAnonymous(range)
            if protection.contains([.write, .execute]) {
                enforce(tracee, range, protection, source: .anonymous)
            }
            return
        }
        guard let regions = MemoryMaps.regions(of: tracee.pid) else { return }
        enforceUnknown(tracee, regions, in: range)
    }

    /// A call may have changed any part of a range (nil: of all memory): what is not any more as it
    /// was left is what the target has asked for.
    func reconcile(_ tracee: Tracee, _ range: Range<UInt64>?) {
        let space = tracee.space
        let wanted = range ?? 0..<(1 << 63)
        guard let regions = MemoryMaps.regions(of: tracee.pid) else { return }
        for piece in pieces(of: regions, in: wanted, space) {
            guard let view = piece.view else { continue }
            let isOther = !space.isOf(view, piece.region)
            for change in space.present(view)
            where isOther || !piece.region.protection.isSubset(of: change.protection) {
                if view.isGuarded { space.writeGuard?.allow(change.range) }
                space.remove(change.range)
            }
        }
        // What has been put in the place of guarded memory may look like it, but is not guarded.
        for view in space.parts(in: wanted) where view.isGuarded {
            putUnderGuard(tracee, view.range)
            makeWritten(view.range, by: tracee)
        }
        enforceUnknown(tracee, regions, in: wanted)
    }

    /// A region, or a part of one, with the view that it is, if it is one.
    private struct Piece {
        var region: MappedRegion
        var view: EnforcedSpace.View?
    }

    /// The kernel joins what lies side by side and is alike: views and what is none.
    private func pieces(
        of regions: [MappedRegion], in wanted: Range<UInt64>, _ space: EnforcedSpace
    ) -> [Piece] {
        regions.flatMap { region -> [Piece] in
            let part = region.range.clamped(to: wanted)
            guard !part.isEmpty else { return [] }
            func clipped(_ range: Range<UInt64>) -> MappedRegion {
                region.clipped(to: Address(range.lowerBound)..<Address(range.upperBound))
            }
            var pieces: [Piece] = []
            var next = part.lowerBound
            for view in space.parts(in: part) {
                if next < view.range.lowerBound {
                    pieces.append(Piece(region: clipped(next..<view.range.lowerBound)))
                }
                pieces.append(Piece(region: clipped(view.range), view: view))
                next = view.range.upperBound
            }
            if next < part.upperBound {
                pieces.append(Piece(region: clipped(next..<part.upperBound)))
            }
            return pieces
        }
    }

    private func enforceUnknown(
        _ tracee: Tracee, _ regions: [MappedRegion], in wanted: Range<UInt64>
    ) {
        for piece in pieces(of: regions, in: wanted, tracee.space) {
            let region = piece.region
            guard piece.view == nil, region.protection.contains([.write, .execute]) else {
                continue
            }
            if region.isShared, let file = region.backing.file {
                add(tracee, region, file)
            } else {
                enforce(
                    tracee, region.range, region.protection,
                    source: region.backing.file == nil ? .anonymous : .nothing)
            }
        }
        enforceViews(tracee, pieces(of: regions, in: 0..<(1 << 63), tracee.space))
    }

    private func enforce(
        _ tracee: Tracee, _ range: Range<UInt64>, _ asked: Protection, source: EnforcedSpace.Source
    ) {
        tracee.space.add(range, asked: asked, source: source)
        enforceView(tracee, range)
    }

    /// Keeps from the view at a range what its pages are not to have at present.
    private func enforceView(_ tracee: Tracee, _ range: Range<UInt64>) {
        putUnderGuard(tracee, range)
        guard let view = tracee.space.view(at: range.lowerBound) else { return }
        apply(tracee.space.present(view), by: tracee)
    }

    /// Files of which the process has both a view to write and one to execute.
    private func enforceViews(_ tracee: Tracee, _ pieces: [Piece]) {
        var views: [Timeline.FileKey: [(piece: Piece, asked: Protection)]] = [:]
        for piece in pieces {
            let region = piece.region
            guard let file = region.backing.file else { continue }
            let asked = piece.view?.asked ?? region.protection
            guard asked.contains(.execute) || (region.isShared && asked.contains(.write)) else {
                continue
            }
            views[Timeline.FileKey(file), default: []].append((piece, asked))
        }
        for list in views.values {
            guard list.contains(where: { $0.piece.region.isShared && $0.asked.contains(.write) }),
                list.contains(where: { $0.asked.contains(.execute) })
            else { continue }
            for (piece, _) in list where piece.view == nil {
                if let file = piece.region.backing.file { add(tracee, piece.region, file) }
            }
        }
    }

    private func add(_ tracee: Tracee, _ region: MappedRegion, _ file: FileIdentity) {
        tracee.space.add(
            region.range, asked: region.protection, of: Timeline.FileKey(file),
            at: region.backing.fileOffset ?? 0)
        guard let view = tracee.space.view(at: region.start.rawValue) else { return }
        apply(tracee.space.present(view), by: tracee)
    }

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
        if registers.cs == 0x23 { return true }
        var bytes = [UInt8](repeating: 0, count: 2)
        // Safe: two bytes into our own array.
        let count = husk_process_read(tracee.pid, registers.rip &- 2, &bytes, 2)
        return count == 2 && bytes == [0xCD, 0x80]
    }

    private static func decode(_ registers: user_regs_struct, isNarrow: Bool) -> ReturningCall {
        let number = Int(truncatingIfNeeded: registers.orig_rax) & ~0x4000_0000
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
                call: calls[number], arguments: arguments,
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
            call: calls[number], arguments: arguments, result: Int64(bitPattern: registers.rax))
    }
}

extension MappedRegion {
    var range: Range<UInt64> { start.rawValue..<end.rawValue }
}
