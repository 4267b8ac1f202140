// SPDX-License-Identifier: MIT
internal import HuskModel

/// The memory of one address space from which W or X is kept: what the target has asked for, and
/// which of the two each page has at present.
///
/// Memory may have several views (mappings of one file). A page of it is either *written*: the
/// views that were asked to write may, and none may execute; or *executable*: the views that were
/// asked to execute may, and none may write. A region that was asked to be writable and
/// executable is a memory with one view.
final class EnforcedSpace {
    static let pageSize: UInt64 = 4096

    /// By address, disjoint.
    private(set) var views: [View] = []
    /// Of private memory: a page's number is its address / 4096.
    private var own = Memory()
    /// Of files, by their identity: a page's number is that in the file.
    private var shared: [Timeline.FileKey: Memory] = [:]
    /// Known to be memory of the process's own and of no file, whatever may be done with it at
    /// present: disjoint.
    private var anonymous: [Range<UInt64>] = []
    private static let anonymousLimit = 256
    /// An instruction `syscall` in it, once that has been looked for.
    var callAddress: UInt64?
    /// Keeps writes from its pages; nil: there is none, or none yet.
    var writeGuard: WriteGuard?
    /// When W has been given back last that had been kept by a protection (CLOCK_MONOTONIC, ns): a
    /// call that had failed for want of it may not have been seen yet.
    var lastGiven: UInt64 = 0
    /// It has been found out that it can have no guard.
    var hasNoGuard = false
    /// Ranges that a call may write to, until the next stop makes that their state.
    var lent: [Range<UInt64>] = []

    var isEmpty: Bool { views.isEmpty }

    /// Those of the views that overlap a range.
    private func indices(in range: Range<UInt64>) -> Range<Int> {
        let start = firstIndex { $0.range.upperBound > range.lowerBound }
        let end = firstIndex { $0.range.lowerBound >= range.upperBound }
        return start..<max(start, end)
    }

    /// The first view of which something is true that is true of all that follow it.
    private func firstIndex(where isFound: (View) -> Bool) -> Int {
        var low = 0
        var high = views.count
        while low < high {
            let middle = (low + high) / 2
            if isFound(views[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// After fork(2): the same, of its own, except for shared memory, where what one process
    /// writes another one may execute unseen.
    func copy() -> EnforcedSpace {
        let copy = EnforcedSpace()
        copy.callAddress = callAddress
        copy.hasNoGuard = hasNoGuard
        copy.own.pages = own.pages
        var copies: [ObjectIdentifier: Memory] = [ObjectIdentifier(own): copy.own]
        for (key, memory) in shared {
            let other = Memory()
            other.pages = memory.pages
            copies[ObjectIdentifier(memory)] = other
            copy.shared[key] = other
        }
        copy.views = views.map { view in
            var view = view
            view.memory = copies[ObjectIdentifier(view.memory)] ?? copy.own
            return view
        }
        return copy
    }

    // MARK: What the target asks for

    func removeAll() {
        views = []
        anonymous = []
        own = Memory()
        shared = [:]
        callAddress = nil
        writeGuard = nil
        hasNoGuard = false
        lent = []
    }

    /// Forgets what is in a range: the target has made something else of it.
    func remove(_ range: Range<UInt64>) {
        forgetAnonymous(range)
        let found = indices(in: range)
        guard !range.isEmpty, !found.isEmpty else { return }
        let rest = views[found].flatMap { view -> [View] in
            let common = view.range.clamped(to: range)
            if view.memory === own {
                let gone = view.page(at: common.lowerBound)..<view.page(at: common.upperBound)
                for page in own.known(in: gone) { own.pages[page] = nil }
            }
            return [
                view.range.lowerBound..<common.lowerBound,
                common.upperBound..<view.range.upperBound,
            ]
            .filter { !$0.isEmpty }
            .map { Self.part(of: view, $0) }
        }
        views.replaceSubrange(found, with: rest)
    }

    private static func part(of view: View, _ range: Range<UInt64>) -> View {
        var part = view
        part.firstPage = view.page(at: range.lowerBound)
        part.range = range
        return part
    }

    /// Adds memory of the process's own, in the place of what was there.
    func add(
        _ range: Range<UInt64>, asked: Protection, source: Source, isIndivisible: Bool = false
    ) {
        remove(range)
        if case .anonymous = source { noteAnonymous(range) }
        var view = View(
            range: range, asked: asked, memory: own,
            firstPage: range.lowerBound / Self.pageSize, source: source)
        view.isUntouched = true
        view.isIndivisible = isIndivisible
        insert(view)
    }

    /// The view at an address is being written to by the instruction at `pointer`. Returns what
    /// has to be done if it is for the first time.
    func noteWriter(_ pointer: UInt64?, at address: UInt64) -> [Change] {
        guard let index = index(at: address) else { return [] }
        if let pointer { views[index].writer = pointer }
        guard views[index].isUntouched else { return [] }
        views[index].isUntouched = false
        return present(views[index])
    }

    /// It is about to be executed: who has written it is told once.
    func takeWriter(at address: UInt64) -> UInt64? {
        guard let index = index(at: address) else { return nil }
        defer { views[index].writer = nil }
        return views[index].writer
    }

    /// Adds a view of a file.
    func add(
        _ range: Range<UInt64>, asked: Protection, of file: Timeline.FileKey, at offset: UInt64,
        isIndivisible: Bool = false
    ) {
        remove(range)
        let memory = shared[file] ?? Memory()
        shared[file] = memory
        var view = View(
            range: range, asked: asked, memory: memory, firstPage: offset / Self.pageSize,
            source: .file(distance: offset &- range.lowerBound))
        view.isIndivisible = isIndivisible
        insert(view)
    }

    /// The memory that is seen at an address is seen at a range, too, which the same is asked of.
    func duplicate(_ address: UInt64, at range: Range<UInt64>) {
        guard !range.isEmpty, let view = view(at: address), let file = file(of: view) else {
            return
        }
        add(
            range, asked: view.asked, of: file, at: view.page(at: address) * Self.pageSize,
            isIndivisible: view.isIndivisible)
    }

    /// The file that a view shows; nil: it shows memory of the process's own.
    func file(of view: View) -> Timeline.FileKey? {
        shared.first { $0.value === view.memory }?.key
    }

    /// Where files, and shared memory, are seen: ascending.
    var sharedRanges: [Range<UInt64>] {
        views.filter { $0.memory !== own }.map(\.range)
    }

    /// Whether a region, or a part of one, that lies within a view may still be what the view is of.
    func isOf(_ view: View, _ region: MappedRegion) -> Bool {
        switch view.source {
        case .anonymous: region.backing.file == nil
        case .nothing: region.backing.file != nil && !region.isShared
        case .file(let distance):
            region.backing.file.map { Timeline.FileKey($0) } == file(of: view)
                && region.backing.fileOffset.map { $0 &- region.start.rawValue } == distance
        }
    }

    /// Whether all of a range is known to be memory of the process's own and of no file. Whatever
    /// is mapped in its place is told: the probes go on to look at where such memory has been.
    func isAnonymous(_ range: Range<UInt64>) -> Bool {
        !range.isEmpty && anonymous.contains { $0.clamped(to: range) == range }
    }

    func noteAnonymous(_ range: Range<UInt64>) {
        guard !range.isEmpty, !isAnonymous(range) else { return }
        var range = range
        anonymous.removeAll { other in
            guard other.lowerBound <= range.upperBound, range.lowerBound <= other.upperBound else {
                return false
            }
            range =
                min(other.lowerBound, range.lowerBound)..<max(other.upperBound, range.upperBound)
            return true
        }
        if anonymous.count >= Self.anonymousLimit { anonymous.removeFirst() }
        anonymous.append(range)
    }

    private func forgetAnonymous(_ range: Range<UInt64>) {
        guard anonymous.contains(where: { $0.overlaps(range) }) else { return }
        anonymous = anonymous.flatMap { known in
            [
                known.lowerBound..<max(known.lowerBound, min(known.upperBound, range.lowerBound)),
                min(known.upperBound, max(known.lowerBound, range.upperBound))..<known.upperBound,
            ].filter { !$0.isEmpty }
        }
    }

    private func insert(_ view: View) {
        views.insert(view, at: firstIndex { $0.range.lowerBound > view.range.lowerBound })
    }

    /// mremap(2) has moved, or copied, what was in a range.
    func move(_ old: Range<UInt64>, to new: UInt64, length: UInt64, keepsOld: Bool) {
        let moved = parts(in: old)
        if !keepsOld { remove(old) }
        remove(new..<(new &+ length))
        for var part in moved {
            let offset = part.range.lowerBound - old.lowerBound
            guard offset < length else { continue }
            var end = min(offset + (part.range.upperBound - part.range.lowerBound), length)
            // What it has grown by is like its end.
            if part.range.upperBound == old.upperBound { end = length }
            part.range = (new + offset)..<(new + end)
            if part.memory === own { part.firstPage = part.range.lowerBound / Self.pageSize }
            // The kernel has taken the guard from what has moved (mm/mremap.c).
            part.guarded = .none
            if case .file(let distance) = part.source {
                part.source = .file(distance: distance &+ old.lowerBound &- new)
            }
            insert(part)
        }
    }

    // MARK: Questions

    func view(at address: UInt64) -> View? {
        index(at: address).map { views[$0] }
    }

    private func index(at address: UInt64) -> Int? {
        let index = firstIndex { $0.range.upperBound > address }
        return index < views.count && views[index].range.contains(address) ? index : nil
    }

    /// The parts of views that lie in a range.
    func parts(in range: Range<UInt64>) -> [View] {
        guard !range.isEmpty else { return [] }
        return views[indices(in: range)].map { Self.part(of: $0, $0.range.clamped(to: range)) }
    }

    /// Notes an execution; returns how many there have been before.
    func noteExecution(at address: UInt64) -> Int {
        guard let index = index(at: address) else { return 0 }
        defer { views[index].executions += 1 }
        return views[index].executions
    }

    /// The pages around `address` that are in the same state as it is, in its view: up to `block`
    /// bytes from its page on, and half of that before. Not an aligned block: code would be taken
    /// apart where it happens to lie across a border.
    func run(at address: UInt64, block: UInt64) -> Range<UInt64> {
        guard let view = view(at: address) else { return address..<address }
        if view.isIndivisible { return view.range }
        let state = view.memory.isExecutable(view.page(at: address))
        var start = address & ~(Self.pageSize - 1)
        var end = start + Self.pageSize
        let before = min(block / 2, start - view.range.lowerBound)
        let first = start - before
        let last = start + min(block, view.range.upperBound - start)
        while start > first,
            view.memory.isExecutable(view.page(at: start - Self.pageSize)) == state
        {
            start -= Self.pageSize
        }
        while end < last, view.memory.isExecutable(view.page(at: end)) == state {
            end += Self.pageSize
        }
        return start..<end
    }

    func setGrowsDown(at address: UInt64) {
        guard let index = index(at: address) else { return }
        views[index].growsDown = true
    }

    /// The view at an address begins further down now.
    func grow(at address: UInt64, to start: UInt64) {
        guard let index = index(at: address), start < views[index].range.lowerBound,
            index == 0 || views[index - 1].range.upperBound <= start, views[index].memory === own
        else { return }
        views[index].range = start..<views[index].range.upperBound
        views[index].firstPage = start / Self.pageSize
        views[index].isUntouched = false
    }

    func setFixed(at address: UInt64) {
        guard let index = index(at: address) else { return }
        views[index].isFixed = true
    }

    /// The least around an address that has a protection of its own.
    func unit(at address: UInt64) -> Range<UInt64> {
        if let view = view(at: address), view.isIndivisible { return view.range }
        let page = address & ~(Self.pageSize - 1)
        return page..<(page + Self.pageSize)
    }

    /// From now on a view is guarded, or is not.
    func setGuarded(_ guarded: GuardReach, at address: UInt64) {
        guard let index = index(at: address) else { return }
        views[index].guarded = guarded
        let length = views[index].range.upperBound - views[index].range.lowerBound
        // A guard's mark takes eight bytes for each page, also of those that do not exist.
        if guarded == .allPages, length > Self.markedLimit { views[index].isUntouched = false }
    }

    private static let markedLimit: UInt64 = 16 << 20

    /// Makes the pages of a range executable or written, and returns what has to be done about
    /// it, in every view that shows them.
    func setState(_ range: Range<UInt64>, isExecutable: Bool) -> [Change] {
        guard let view = view(at: range.lowerBound) else { return [] }
        let pages = view.page(at: range.lowerBound)..<view.page(at: range.upperBound)
        // Pages of which nothing is known are written.
        for page in isExecutable ? Array(pages) : view.memory.known(in: pages) {
            view.memory.pages[page, default: .init()].isExecutable = isExecutable
        }
        return others(showing: view, range).flatMap { other -> [Change] in
            let start = max(pages.lowerBound, other.firstPage)
            let end = min(pages.upperBound, other.page(at: other.range.upperBound))
            guard start < end, let address = other.address(of: start) else { return [] }
            return other.changes(
                address..<(address + (end - start) * Self.pageSize), isExecutable: isExecutable)
        }
    }

    /// The views that may show what a range of one shows, itself among them.
    private func others(showing view: View, _ range: Range<UInt64>) -> [View] {
        // Of the process's own memory there is one view of each page.
        view.memory === own
            ? Array(views[indices(in: range)]) : views.filter { $0.memory === view.memory }
    }

    /// What a view's pages have at present.
    func present(_ view: View) -> [Change] {
        var changes: [Change] = []
        var written = view.range.lowerBound
        let pages = view.page(at: view.range.lowerBound)..<view.page(at: view.range.upperBound)
        var executable: Range<UInt64>?
        func close() {
            guard let run = executable else { return }
            if written < run.lowerBound {
                changes.append(view.written(written..<run.lowerBound))
            }
            changes += view.changes(run, isExecutable: true)
            written = run.upperBound
            executable = nil
        }
        for page in view.memory.known(in: pages) where view.memory.isExecutable(page) {
            guard let address = view.address(of: page) else { continue }
            if executable?.upperBound != address { close() }
            let start = executable?.lowerBound ?? address
            executable = start..<(address + Self.pageSize)
        }
        close()
        if written < view.range.upperBound {
            changes.append(view.written(written..<view.range.upperBound))
        }
        return changes
    }

    /// Lets all pages be written. Returns what has to be done; empty: they were already.
    ///
    /// - Parameter unguardedOnly: leaves views alone from which W is kept by a guard only.
    func makeAllWritten(unguardedOnly: Bool = false) -> [Change] {
        var changes: [Change] = []
        var emptied: [(memory: Memory, pages: [UInt64])] = []
        for index in views.indices
        where !(unguardedOnly && views[index].keepsWriteByGuardOnly) {
            let wasUntouched = views[index].isUntouched
            views[index].isUntouched = false
            let view = views[index]
            let pages = view.page(at: view.range.lowerBound)..<view.page(at: view.range.upperBound)
            let executable = view.memory.known(in: pages).filter(view.memory.isExecutable)
            guard !executable.isEmpty || wasUntouched else { continue }
            changes.append(view.written(view.range))
            emptied.append((view.memory, executable))
        }
        // Only now: several views may show one page.
        for (memory, pages) in emptied {
            for page in pages { memory.pages[page]?.isExecutable = false }
        }
        return changes
    }
}
