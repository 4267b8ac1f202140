// SPDX-License-Identifier: MIT

/// A range of a process that was executable, from when it became so until it was unmapped.
public struct RegionLife: Hashable, Sendable {
    /// Within the capture, from 1 on.
    public var id: Int64
    public var task: TaskIdentity
    /// Page aligned.
    public var start: Address
    /// In bytes.
    public var length: UInt64
    /// When it became executable first.
    public var born: Timestamp
    /// When it was unmapped, replaced, or lost with its process; nil: it was there at the end.
    public var gone: Timestamp?
    /// The latest.
    public var protection: Protection
    /// Of its start.
    public var backing: Backing
    /// MAP_SHARED.
    public var isShared: Bool
    /// The latest that was told; nil: nothing is known.
    public var label: RegionLabel?
    /// How many transitions it has had, looks and writes included.
    public var transitions = 0

    public init(
        id: Int64, task: TaskIdentity, start: Address, length: UInt64, born: Timestamp,
        gone: Timestamp? = nil, protection: Protection, backing: Backing, isShared: Bool,
        label: RegionLabel? = nil, transitions: Int = 0
    ) {
        self.id = id
        self.task = task
        self.start = start
        self.length = length
        self.born = born
        self.gone = gone
        self.protection = protection
        self.backing = backing
        self.isShared = isShared
        self.label = label
        self.transitions = transitions
    }

    /// The first address behind it.
    public var end: Address { start.advanced(by: length) }
}

/// Makes regions with a life of a capture's transitions.
///
/// A transition within a region belongs to it: a JIT compiler changes parts of its code area again
/// and again. One that reaches beyond begins a new region, in place of what it covers.
public struct RegionTracker: Sendable {
    /// A part of a live region that nothing has replaced yet.
    private struct Part: AddressPiece {
        var start: Address
        var end: Address
        var region: Int64

        func clipped(to range: Range<Address>) -> Part {
            Part(
                start: max(start, range.lowerBound), end: min(end, range.upperBound),
                region: region)
        }
    }

    private var parts: [Int32: AddressMap<Part>] = [:]
    private var live: [Int64: RegionLife] = [:]
    private var lenders: [Int32: Int32] = [:]
    private var count: Int64 = 0
    private var changed: Set<Int64> = []
    /// One has been born since changes were asked for last.
    public private(set) var hasNew = false
    private var ended: [RegionLife] = []

    public init() {}

    /// Takes an event; returns the region that it belongs to, if it is a transition of one.
    public mutating func take(_ event: Event) -> Int64? {
        switch event {
        case .transition(let transition): return take(transition)
        case .label(let region): label(region)
        case .processStart(let start):
            if start.sharesMemory { lenders[start.child] = owner(of: start.parent.pid) }
        case .programExecution(let execution): forget(execution.task.pid, at: execution.time)
        case .processExit(let exit): forget(exit.task.pid, at: exit.time)
        case .page, .transitionEnd, .loss, .sharedView, .blindSpot, .execution: break
        }
        return nil
    }

    /// The regions that are new or have changed since this was asked last.
    public mutating func takeChanges() -> [RegionLife] {
        defer {
            changed = []
            ended = []
            hasNew = false
        }
        return ended + changed.sorted().compactMap { live[$0] }
    }

    /// Forgets a region that has not gone, for those who cannot keep all.
    public mutating func forget(_ region: Int64) {
        guard let life = live.removeValue(forKey: region) else { return }
        changed.remove(region)
        let pid = owner(of: life.task.pid)
        for part in parts[pid]?.pieces(in: life.start..<life.end) ?? [] where part.region == region
        {
            parts[pid]?.remove(part.start..<part.end)
        }
        if parts[pid]?.isEmpty == true { parts[pid] = nil }
    }

    private mutating func take(_ transition: Transition) -> Int64? {
        guard !transition.isAttempt, transition.start < transition.end else { return nil }
        let pid = owner(of: transition.task.pid)
        let range = transition.start..<transition.end
        if transition.effective.contains(.execute) {
            return belong(transition, to: range, of: pid)
        }
        // Unmapped, or not executable at present: then it goes on.
        if transition.effective.isEmpty, transition.backing == .none {
            remove(range, of: pid, at: transition.time)
            return nil
        }
        guard let region = region(covering: range, of: pid) else { return nil }
        note(transition, in: region)
        return region
    }

    private mutating func belong(
        _ transition: Transition, to range: Range<Address>, of pid: Int32
    ) -> Int64 {
        if !(transition.isFresh || transition.kind == .execve) || transition.isUnseen,
            let region = region(covering: range, of: pid)
        {
            note(transition, in: region)
            return region
        }
        remove(range, of: pid, at: transition.time)
        count += 1
        live[count] =
            RegionLife(
                id: count, task: transition.task, start: transition.start,
                length: transition.length, born: transition.time,
                protection: transition.effective, backing: transition.backing,
                isShared: transition.isShared, label: transition.label, transitions: 1)
        changed.insert(count)
        hasNew = true
        parts[pid, default: AddressMap()].insert(
            Part(start: range.lowerBound, end: range.upperBound, region: count))
        return count
    }

    private mutating func note(_ transition: Transition, in region: Int64) {
        live[region]?.transitions += 1
        live[region]?.protection = transition.effective
        if let label = transition.label { live[region]?.label = label }
        changed.insert(region)
    }

    private mutating func label(_ labelled: LabelledRegion) {
        guard let region = parts[owner(of: labelled.task.pid)]?.piece(at: labelled.start)?.region
        else { return }
        live[region]?.label = labelled.label
        changed.insert(region)
    }

    private func region(covering range: Range<Address>, of pid: Int32) -> Int64? {
        guard let part = parts[pid]?.piece(at: range.lowerBound), range.upperBound <= part.end
        else { return nil }
        return part.region
    }

    private mutating func remove(_ range: Range<Address>, of pid: Int32, at time: Timestamp) {
        let touched = Set((parts[pid]?.pieces(in: range) ?? []).map(\.region))
        guard !touched.isEmpty else { return }
        parts[pid]?.remove(range)
        for region in touched {
            guard let life = live[region] else { continue }
            let rest = parts[pid]?.pieces(in: life.start..<life.end) ?? []
            if !rest.contains(where: { $0.region == region }) { end(region, at: time) }
        }
    }

    private mutating func forget(_ pid: Int32, at time: Timestamp) {
        if lenders.removeValue(forKey: pid) != nil { return }
        guard let space = parts.removeValue(forKey: pid) else { return }
        for region in Set(space.pieces.map(\.region)).sorted() { end(region, at: time) }
    }

    private mutating func end(_ region: Int64, at time: Timestamp) {
        guard var life = live.removeValue(forKey: region) else { return }
        life.gone = time
        changed.remove(region)
        ended.append(life)
    }

    private func owner(of pid: Int32) -> Int32 { lenders[pid] ?? pid }
}
