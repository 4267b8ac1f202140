// SPDX-License-Identifier: MIT
import Husk

/// A region as the live table shows it.
struct LiveRegion: Equatable, Sendable {
    var id: Int64
    var pid: Int32
    /// The process's name when it changed last.
    var process: TargetText
    var start: Address
    /// In bytes.
    var length: UInt64
    var protection: Protection
    var isGone: Bool
    var backing: Backing
    var label: RegionLabel?
    var transitions = 0
    /// Captured in it, each generation of a page by itself.
    var pages: UInt64 = 0
    /// The highest of its pages.
    var generation = 0
    /// CLOCK_MONOTONIC, nanoseconds.
    var changed: UInt64

    var end: Address { start.advanced(by: length) }
}

/// The executable regions of a trace, the latest of them: fed with events, asked now and then.
///
/// Bounded: of more than `limit` regions those that have gone are forgotten first, then those that
/// have not changed for longest.
struct LiveRegions: Sendable {
    private let limit: Int
    private let hidden: Set<RegionLabel.Kind>
    private var tracker = RegionTracker()
    private var regions: [Int64: LiveRegion] = [:]
    /// Of transitions whose pages may still come.
    private var open: [Transition.ID: Int64] = [:]
    private var names: [Int32: TargetText] = [:]
    private var eventsSinceChanges = 0

    /// - Parameter hidden: kinds of code that are not asked for.
    init(limit: Int = 4096, hidden: Set<RegionLabel.Kind> = []) {
        self.limit = limit
        self.hidden = hidden
    }

    var count: Int { regions.count }

    mutating func take(_ event: Event) {
        note(nameOf: event)
        let region = tracker.take(event)
        switch event {
        case .transition(let transition):
            guard let region else { break }
            note(transition, in: region)
        case .page(let page):
            guard page.contentSlice != nil, let region = open[page.transition] else { break }
            regions[region]?.pages += 1
            let generation = max(regions[region]?.generation ?? 0, page.generation)
            regions[region]?.generation = generation
        case .transitionEnd(let end):
            open[end.transition] = nil
        case .processExit(let exit):
            names[exit.task.pid] = nil
        default: break
        }
        eventsSinceChanges += 1
        // Not only when asked: what has gone waits in the tracker.
        if eventsSinceChanges >= 1024 || regions.count > limit { takeChanges() }
    }

    /// The latest ones, most recently changed first.
    mutating func latest(_ number: Int) -> [LiveRegion] {
        takeChanges()
        // The ring's thread may be waiting: sorting numbers takes less than sorting regions.
        var order: [(changed: UInt64, id: Int64)] = []
        order.reserveCapacity(regions.count)
        for region in regions.values {
            if let label = region.label, hidden.contains(label.kind) { continue }
            order.append((region.changed, region.id))
        }
        order.sort(by: >)
        return order.prefix(number).compactMap { regions[$0.id] }
    }

    private mutating func note(nameOf event: Event) {
        switch event {
        case .programExecution(let execution):
            let base = execution.name.bytes.split(separator: UInt8(ascii: "/")).last ?? []
            names[execution.task.pid] = TargetText(bytes: base.prefix(15))  // TASK_COMM_LEN
        case .processStart(let start):
            names[start.child] = names[start.parent.pid]
        case .transition(let transition):
            // The main thread's name is the process's.
            let pid = transition.task.pid
            if transition.task.tid == pid || names[pid] == nil {
                names[pid] = transition.threadName
            }
        default: break
        }
    }

    private mutating func note(_ transition: Transition, in region: Int64) {
        let pid = transition.task.pid
        if regions[region] == nil {
            regions[region] = LiveRegion(
                id: region, pid: pid, process: TargetText(""), start: transition.start,
                length: transition.length, protection: transition.effective, isGone: false,
                backing: transition.backing, label: transition.label,
                changed: transition.time.monotonic)
        }
        regions[region]?.process = names[pid] ?? transition.threadName
        regions[region]?.changed = transition.time.monotonic
        if transition.hasPages {
            // Transitions that were cut off have no end.
            if open.count >= limit { open.removeAll(keepingCapacity: true) }
            open[transition.id] = region
        }
    }

    private mutating func takeChanges() {
        eventsSinceChanges = 0
        for life in tracker.takeChanges() {
            regions[life.id]?.protection = life.protection
            regions[life.id]?.label = life.label
            regions[life.id]?.transitions = life.transitions
            guard let gone = life.gone else { continue }
            regions[life.id]?.isGone = true
            regions[life.id]?.changed = gone.monotonic
        }
        forgetTheOldest()
    }

    /// An eighth more than is needed, so that it is not needed for each new one.
    private mutating func forgetTheOldest() {
        guard regions.count > limit else { return }
        let oldest = regions.values.sorted {
            ($0.isGone ? 0 : 1, $0.changed, $0.id) < ($1.isGone ? 0 : 1, $1.changed, $1.id)
        }
        for region in oldest.prefix(regions.count - limit + limit / 8) {
            regions[region.id] = nil
            tracker.forget(region.id)
        }
    }
}
