// SPDX-License-Identifier: MIT
public import HuskModel

/// Judges a capture: takes its events in their order, and what its contents look like, and tells
/// what a person should know.
///
/// Code that a JIT compiler has made, as its label says, is no finding by itself; that a label can
/// be had by dressing up is said in ``/HuskModel/RegionLabel``. What a label of the kind `file` or
/// `kernel` stands for is none either, unless its bytes change.
///
/// Memory that is used is bounded, whatever the target did.
public struct Judge: Sendable {
    /// Findings that are told of one capture.
    public static let findingLimit = 1000
    /// Transitions that are named with one finding.
    public static let evidenceLimit = 16
    static let regionLimit = 65_536
    private static let baselineLimit = 262_144

    struct Program: Sendable {
        var execution: ProgramExecution
        var count = 1
    }

    struct View: Sendable {
        var view: SharedView
        var region: Int?
        var count = 1
    }

    private(set) var regions: [JudgedRegion] = []
    private(set) var programs: [Program] = []
    private(set) var views: [View] = []
    private(set) var layers = LayerTracker()
    private(set) var unfollowed = 0
    private(set) var names: [Int32: TargetText] = [:]
    private var maps: [Int32: RegionMap] = [:]
    /// Processes that use the memory of another one (CLONE_VM), and whose.
    private var lenders: [Int32: Int32] = [:]
    /// Which region a transition's pages belong to.
    private var owners: [Transition.ID: Int] = [:]
    private var baselines = 0

    public init() {}

    /// Takes the next event, in the order of the capture.
    public mutating func take(_ event: Event) {
        // A capture file may say anything; a region that ends before it begins is none.
        if case .transition(let transition) = event, transition.start >= transition.end { return }
        layers.take(event)
        switch event {
        case .transition(let transition): take(transition)
        case .page(let page): take(page)
        case .transitionEnd(let end):
            if let index = owners[end.transition] {
                regions[index].captured &+= end.captured
            }
        case .processStart(let start): take(start)
        case .programExecution(let execution): take(execution)
        case .processExit(let exit): forget(exit.task.pid)
        case .sharedView(let view): take(view)
        case .label(let label): take(label)
        case .execution(let execution): take(execution)
        case .loss, .blindSpot: break
        }
    }

    /// Takes what the bytes of a transition's pages look like: after the transition, and before
    /// the next that changes the region.
    public mutating func note(_ facts: ContentFacts) {
        guard let index = owners[facts.transition] else { return }
        let opened = regions[index].densePages.intersection(facts.changedCodePages)
        if !opened.isEmpty {
            mark(index, .decrypted, task: regions[index].task, time: regions[index].time) {
                $0.pages.formUnion(opened)
                $0.transitions.append(facts.transition)
            }
        }
        if regions[index].densePages.count < 4096 {
            regions[index].densePages.formUnion(facts.densePages)
        }
        regions[index].note(facts)
        if !facts.images.isEmpty, regions[index].isFileless {
            mark(index, .imageInMemory, task: regions[index].task, time: regions[index].time) {
                $0.transitions.append(facts.transition)
            }
        }
    }

    /// What is to be said of what was taken until now.
    public func judgement() -> Judgement { Verdict(self).judgement() }

    // MARK: Transitions

    private mutating func take(_ transition: Transition) {
        guard !transition.isAttempt else { return }
        let pid = owner(of: transition.task.pid)
        let range = transition.start..<transition.end
        if names[pid] == nil { names[pid] = transition.threadName }
        guard transition.effective.contains(.execute) else {
            if transition.effective.isEmpty, !transition.backing.isMapped {
                maps[pid]?.remove(range)
            }
            return
        }
        guard let index = region(for: transition, pid, range) else {
            unfollowed += 1
            return
        }
        if owners.count >= Self.regionLimit { owners = [:] }
        owners[transition.id] = index
        if transition.kind == .write {
            noteWrite(transition, index, pid)
        } else {
            noteProtection(transition, index)
        }
    }

    /// The region that a transition is about: one that is known, or a new one.
    private mutating func region(
        for transition: Transition, _ pid: Int32, _ range: Range<Address>
    ) -> Int? {
        let touched = maps[pid]?.regions(in: range) ?? []
        let isJIT = isByJIT(transition, pid, touched)
        let isSame = transition.kind == .look || transition.kind == .write || transition.isKnown
        if let first = touched.first, isSame || !transition.isFresh,
            isSame || touched.count == 1 && contains(regions[first], range)
        {
            if isJIT { regions[first].isJIT = true }
            if transition.caller != nil { regions[first].requester = transition.caller }
            return first
        }
        guard regions.count < Self.regionLimit else { return nil }
        regions.append(
            JudgedRegion(
                task: transition.task, name: names[pid] ?? transition.threadName,
                start: transition.start, length: transition.length, time: transition.time,
                kind: transition.kind, backing: transition.backing, label: transition.label,
                requester: transition.caller, isJIT: isJIT))
        guard maps[pid, default: RegionMap()].insert(range, regions.count - 1) else {
            regions.removeLast()
            return nil
        }
        return regions.count - 1
    }

    private func contains(_ region: JudgedRegion, _ range: Range<Address>) -> Bool {
        region.start <= range.lowerBound
            && range.upperBound <= region.start.advanced(by: region.length)
    }

    /// Whether a JIT compiler has asked for it: by its label; by who asked, whatever stands behind
    /// the region (dual mappings of a memfd); by code that such a compiler has made; or, if it is
    /// not known who asked, because it was one before.
    private func isByJIT(_ transition: Transition, _ pid: Int32, _ touched: [Int]) -> Bool {
        if transition.label?.kind == .jit { return true }
        if let caller = transition.caller {
            if RegionLabel(backing: .anonymous, caller: caller)?.kind == .jit { return true }
            guard caller.backing.file == nil, let maker = maps[pid]?.region(at: caller.address)
            else { return false }
            return regions[maker].isJIT
        }
        guard !transition.isFresh, let first = touched.first else { return false }
        return regions[first].isJIT
    }

    private mutating func noteProtection(_ transition: Transition, _ index: Int) {
        let isWritable = transition.effective.contains(.write)
        var kinds: [Finding.Kind] = []
        switch transition.backing {
        case .stack: kinds = [.executableStack]
        case .heap: kinds = [.executableHeap]
        case .anonymous, .sharedMemory, .unknown:
            kinds = [isWritable ? .writableAndExecutable : .writtenThenExecutable]
        case .memfd: kinds = [.filelessMapping]
        case .file where transition.label?.kind == .fileless || transition.backing.isInMemory:
            kinds = [.filelessMapping]
        case .file, .special, .none: break
        }
        for kind in kinds {
            // A look says nothing new of the protection.
            if transition.kind == .look, regions[index].marks[kind] != nil { continue }
            mark(index, kind, task: transition.task, time: transition.time) {
                $0.transitions.append(transition.id)
                if $0.count == 0 {
                    $0.call = transition.call
                    $0.previous = transition.isFresh ? nil : transition.previous
                    $0.effective = transition.effective
                    $0.requester = transition.caller
                }
            }
        }
    }

    private mutating func noteWrite(_ transition: Transition, _ index: Int, _ pid: Int32) {
        let isForeign = transition.writer.map { owner(of: $0.task.pid) != pid } ?? false
        let kind: Finding.Kind =
            isForeign ? .foreignWrite : transition.backing == .special ? .vdsoChanged : .ownWrite
        mark(index, kind, task: transition.task, time: transition.time) {
            $0.transitions.append(transition.id)
            if $0.count == 0 {
                $0.call = transition.call
                $0.writer = transition.writer
                $0.effective = transition.effective
            }
        }
        if isForeign, transition.backing == .special {
            mark(index, .vdsoChanged, task: transition.task, time: transition.time) {
                $0.transitions.append(transition.id)
                $0.writer = transition.writer
                $0.call = transition.call
            }
        }
    }

    // MARK: Other events

    private mutating func take(_ page: Page) {
        guard page.hasContent, let index = owners[page.transition] else { return }
        // Of memory without a file it is no news that it changes.
        guard !regions[index].isFileless || regions[index].backing == .special else { return }
        guard let first = regions[index].baseline[page.address] else {
            if baselines < Self.baselineLimit {
                regions[index].baseline[page.address] = page.generation
                baselines += 1
            }
            return
        }
        guard page.generation > first, page.kind != .write else { return }
        let kind: Finding.Kind =
            regions[index].backing == .special ? .vdsoChanged : .textRewritten
        let requester = regions[index].requester
        mark(index, kind, task: page.task, time: page.time) {
            if $0.transitions.last != page.transition { $0.transitions.append(page.transition) }
            if $0.pages.count < 4096 { $0.pages.insert(page.address) }
            $0.requester = requester
            $0.previous = page.protectionBefore
            $0.effective = page.protectionAfter
        }
    }

    private mutating func take(_ start: ProcessStart) {
        let parent = owner(of: start.parent.pid)
        names[start.child] = names[parent]
        if start.sharesMemory {
            if parent != start.child { lenders[start.child] = parent }
        } else {
            maps[start.child] = maps[parent]
        }
    }

    private mutating func take(_ execution: ProgramExecution) {
        forget(execution.task.pid)
        names[execution.task.pid] = execution.name
        guard execution.fileless != nil else { return }
        if let same = programs.firstIndex(where: {
            $0.execution.task.pid == execution.task.pid && $0.execution.name == execution.name
        }) {
            programs[same].count += 1
        } else if programs.count < Self.findingLimit {
            programs.append(Program(execution: execution))
        } else {
            unfollowed += 1
        }
    }

    private mutating func forget(_ pid: Int32) {
        if lenders.removeValue(forKey: pid) == nil { maps[pid] = nil }
        names[pid] = nil
    }

    private mutating func take(_ view: SharedView) {
        let pid = owner(of: view.executable.pid)
        let region = maps[pid]?.region(at: view.executable.start)
        if let region, let same = views.firstIndex(where: { $0.region == region }) {
            views[same].count += 1
        } else if views.count < Self.findingLimit {
            views.append(View(view: view, region: region))
        } else {
            unfollowed += 1
        }
    }

    private mutating func take(_ label: LabelledRegion) {
        let end = label.start.advanced(by: label.length)
        guard label.start < end else { return }
        for index in maps[owner(of: label.task.pid)]?.regions(in: label.start..<end) ?? [] {
            // What another one was to begin with, it stays: a file that a JIT names is a file.
            guard regions[index].label == nil else { continue }
            regions[index].label = label.label
            if label.label.kind == .jit { regions[index].isJIT = true }
        }
    }

    private mutating func take(_ execution: Execution) {
        let pid = owner(of: execution.task.pid)
        guard let index = maps[pid]?.region(at: execution.address) else { return }
        if regions[index].entry == nil { regions[index].entry = execution.address }
        if regions[index].writingCode == nil { regions[index].writingCode = execution.writer }
        mark(index, .executedWhileWritable, task: execution.task, time: execution.time) {
            $0.transitions.append(execution.transition)
        }
    }

    private mutating func mark(
        _ index: Int, _ kind: Finding.Kind, task: TaskIdentity, time: Timestamp,
        _ change: (inout JudgedRegion.Mark) -> Void
    ) {
        var mark = regions[index].marks[kind] ?? JudgedRegion.Mark(task: task, time: time)
        change(&mark)
        mark.count += 1
        if mark.transitions.count > Self.evidenceLimit {
            mark.transitions.removeLast(mark.transitions.count - Self.evidenceLimit)
        }
        regions[index].marks[kind] = mark
    }

    private func owner(of pid: Int32) -> Int32 { lenders[pid] ?? pid }
}

extension Backing {
    /// Something is there.
    fileprivate var isMapped: Bool { self != .none }

    /// A file in a file system that lives in memory only.
    fileprivate var isInMemory: Bool {
        guard case .file(let file, _) = self, let path = file.path?.bytes else { return false }
        return path.starts(with: Array("/dev/shm/".utf8))
            || path.starts(with: Array("/run/shm/".utf8))
    }
}
