// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc
internal import HuskModel

/// The threads and processes that are traced: their births, the programs that they execute, their
/// ends.
extension Enforcer {
    func takeEnd(of tid: Int32) {
        ReapedChildren.reap(tid)
        probeStops?.forget(tid)
        waiting[tid] = nil
        guard let tracee = tracees.removeValue(forKey: tid) else { return }
        tracee.isGone = true
        guard !tracees.values.contains(where: { $0.pid == tracee.pid }) else { return }
        endedSpaces.append(tracee.space)
        if endedSpaces.count > Self.endedSpacesLimit { endedSpaces.removeFirst() }
        forgetGuard(of: tracee.space)
    }

    private static let endedSpacesLimit = 64

    /// A thread or child that was born traced, and is seen for the first time.
    func adopt(_ event: husk_trace_event) -> Tracee? {
        guard let pid = ProcessFacts(of: event.tid)?.processID else { return nil }
        if let sibling = tracees.values.first(where: { $0.pid == pid }) {
            return add(event.tid, of: pid, sibling.space)
        }
        if let birth = announced.removeValue(forKey: pid) { return adopt(event.tid, pid, birth) }
        waiting[event.tid] = EarlyChild(event: event)
        return nil
    }

    private func adopt(_ tid: Int32, _ pid: Int32, _ birth: Birth) -> Tracee {
        let tracee = add(tid, of: pid, birth.space)
        tracee.isBorrower = !birth.isFollowed && birth.borrows
        tracee.isToBeLetGo = !birth.isFollowed && !birth.borrows
        tracee.isStopped = true
        if birth.isFollowed, !birth.borrows {
            renew(tracee)
            // And what another thread of its parent had just mapped.
            reconcile(tracee, nil)
        }
        return tracee
    }

    /// Children whose parents have ended before they could tell of them: no one else keeps a
    /// child waiting for so long.
    func adoptOrphans(after age: UInt64 = 100_000_000) {
        let now = SystemClock.monotonic
        for (tid, early) in waiting where now &- early.since >= age {
            waiting[tid] = nil
            guard let pid = ProcessFacts(of: tid)?.processID else { continue }
            let birth = Birth(
                space: inherited(by: pid).copy(), isFollowed: followsChildren, borrows: false)
            _ = adopt(tid, pid, birth)
            handle(early.event)
        }
    }

    /// The number of its parent says nothing: it may be another process by now. The memory does:
    /// it is that of a process which has ended lately, or of the one that it belongs to now.
    private func inherited(by pid: Int32) -> EnforcedSpace {
        let mapped = MemoryMaps.regions(of: pid) ?? []
        let parent = ProcFolder(process: pid).stat(.parent).flatMap { Int32($0) }
        let candidates =
            endedSpaces.reversed()
            + tracees.values.filter { $0.pid == parent }.map(\.space)
        return candidates.first { space in
            !space.isEmpty
                && space.views.allSatisfy { view in
                    mapped.contains { $0.range.overlaps(view.range) }
                }
        } ?? EnforcedSpace()
    }

    /// A child that is no target: it gets back what is kept from it.
    func letGo(_ tracee: Tracee) {
        restore(tracee.space, by: tracee)
        takePendingStop(tracee)
        _ = husk_trace_detach(tracee.tid, tracee.undelivered)
        tracees[tracee.tid] = nil
    }

    @discardableResult
    func add(_ tid: Int32, of pid: Int32, _ space: EnforcedSpace) -> Tracee {
        let tracee = Tracee(tid: tid, pid: pid, space: space)
        tracees[tid]?.isGone = true
        tracees[tid] = tracee
        return tracee
    }

    /// fork, vfork or clone, as seen by the parent.
    func takeBirth(by parent: Tracee) {
        var message: UInt64 = 0
        guard husk_trace_message(parent.tid, &message) == 0 else { return }
        let child = Int32(truncatingIfNeeded: message)
        guard tracees[child] == nil else { return }
        let pid = ProcessFacts(of: child)?.processID ?? child
        if pid != parent.pid {
            let sharesMemory = husk_processes_share_memory(parent.pid, pid) == 1
            announced[pid] = Birth(
                space: sharesMemory ? parent.space : parent.space.copy(),
                isFollowed: followsChildren && !parent.isBorrower, borrows: sharesMemory)
        }
        if let early = waiting.removeValue(forKey: child) { handle(early.event) }
    }

    /// execve(2): all that was enforced is gone. What the program maps is told by a stop.
    func takeExecution(of tracee: Tracee) {
        for (tid, other) in tracees where other.pid == tracee.pid && tid != tracee.tid {
            other.isGone = true
            tracees[tid] = nil
        }
        let isShared = tracees.values.contains { $0 !== tracee && $0.space === tracee.space }
        if isShared { tracee.space = EnforcedSpace() } else { tracee.space.removeAll() }
    }
}
