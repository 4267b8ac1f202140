// SPDX-License-Identifier: MIT
internal import HuskModel
internal import HuskProbes

/// What one event alone does not tell: who called, which regions are the same memory, what a
/// region turned out to be.
extension EventBuilder {
    /// What has been said of a region and is not said again as long as it lives.
    struct ToldOnce {
        private struct BlindKey: Hashable {
            var start: Address
            var length: UInt64
            var reason: BlindSpot.Reason
        }

        private struct ViewKey: Hashable {
            var start: Address
            var otherPID: Int32
            var otherStart: Address
        }

        /// Executable regions without a file, also those that have been given back meanwhile:
        /// JIT compilers tidy up before they end. Bounded, because a target makes them.
        private(set) var code: [Int32: Set<Range<Address>>] = [:]
        private static let codeLimit = 1 << 16
        private var blindSpots: [Int32: Set<BlindKey>] = [:]
        private var views: [Int32: Set<ViewKey>] = [:]
        /// Of a process's pairs of views; a target can make as many as it likes.
        private static let viewLimit = 1024

        /// True the first time.
        mutating func isNew(_ spot: BlindSpot) -> Bool {
            blindSpots[spot.task.pid, default: []].insert(
                BlindKey(start: spot.start, length: spot.length, reason: spot.reason)
            ).inserted
        }

        mutating func isNew(_ view: SharedView) -> Bool {
            if views[view.executable.pid]?.count ?? 0 >= Self.viewLimit { return false }
            return views[view.executable.pid, default: []].insert(
                ViewKey(
                    start: view.executable.start, otherPID: view.writable.pid,
                    otherStart: view.writable.start)
            ).inserted
        }

        mutating func noteCode(_ range: Range<Address>, of pid: Int32) {
            if code[pid]?.count ?? 0 < Self.codeLimit { code[pid, default: []].insert(range) }
        }

        mutating func forget(_ pid: Int32) {
            code[pid] = nil
            blindSpots[pid] = nil
            views[pid] = nil
        }
    }

    // MARK: Callers

    /// The first address on the stack that lies in executable memory outside the C library and
    /// the dynamic loader: where the function that made the call returns to.
    func callSite<Words>(_ transition: Transition, stack: Words) -> CallSite? {
        let pid = transition.task.pid
        // Safe: reads the value's own bytes, within its size.
        let words = withUnsafeBytes(of: stack) { bytes in
            (0..<(bytes.count / 8)).map {
                bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)
            }
        }
        for word in [transition.instructionPointer.rawValue] + words {
            guard let region = timeline.region(of: pid, at: Address(word)),
                region.protection.contains(.execute), !Self.isLibraryOfCalls(region.backing)
            else { continue }
            return CallSite(address: Address(word), backing: region.backing)
        }
        return nil
    }

    /// The C library and the dynamic loader call on behalf of others.
    private static func isLibraryOfCalls(_ backing: Backing) -> Bool {
        guard case .file(let file, _) = backing else { return false }
        return ["libc.so", "libc-", "ld-linux", "ld-musl", "libpthread"].contains {
            file.name.bytes.starts(with: Array($0.utf8))
        }
    }

    // MARK: Shared memory

    /// Says which other regions are the same memory as this one, and that its bytes can change
    /// without a call.
    mutating func tellSharedMemory(_ transition: Transition) {
        guard !transition.isAttempt, !transition.hasVanished else { return }
        let isExecutable = transition.effective.contains(.execute)
        if isExecutable, transition.backing.file == nil, transition.backing != .special {
            told.noteCode(transition.start..<transition.end, of: transition.task.pid)
        }
        if isExecutable, transition.effective.contains(.write) {
            tellBlindSpot(transition, .writableAndExecutable)
        }
        guard let file = transition.backing.file, let offset = transition.backing.fileOffset,
            isExecutable || transition.isShared
        else { return }
        let (end, overflow) = offset.addingReportingOverflow(transition.length)
        guard !overflow else { return }
        let own = RegionReference(transition)
        // Enough to name the other faces; a target can make any number of them.
        let limit = 64
        let views = timeline.views(of: Timeline.FileKey(file), offsets: offset..<end, limit: limit)
        // What is not among them may be code, too.
        if views.count >= limit, transition.isShared {
            tellBlindProcess(transition.task, at: transition.time, .writableElsewhere)
        }
        for (pid, region) in views {
            let other = RegionReference(pid: pid, region)
            if pid == own.pid, other.start >= own.start, other.start < own.end { continue }
            let otherWrites = region.isShared && region.protection.contains(.write)
            let ownWrites = transition.isShared && transition.effective.contains(.write)
            if isExecutable, otherWrites {
                tellView(executable: own, writable: other, transition)
                tellBlindSpot(transition, .writableElsewhere)
            }
            if ownWrites, region.protection.contains(.execute) {
                tellView(executable: other, writable: own, transition)
                tellBlindSpot(
                    BlindSpot(
                        task: processes[pid] ?? transition.task, time: transition.time,
                        start: region.start, length: other.length, reason: .writableElsewhere))
            }
        }
    }

    private mutating func tellView(
        executable: RegionReference, writable: RegionReference, _ transition: Transition
    ) {
        let view = SharedView(
            time: transition.time, executable: executable, writable: writable,
            backing: transition.backing)
        if told.isNew(view) { emit(.sharedView(view)) }
    }

    mutating func tellBlindSpot(_ transition: Transition, _ reason: BlindSpot.Reason) {
        tellBlindSpot(
            BlindSpot(
                task: transition.task, time: transition.time, start: transition.start,
                length: transition.length, reason: reason))
    }

    /// Anywhere in a process.
    mutating func tellBlindProcess(
        _ task: TaskIdentity, at time: Timestamp, _ reason: BlindSpot.Reason
    ) {
        tellBlindSpot(
            BlindSpot(task: task, time: time, start: 0, length: 1 << 47, reason: reason))
    }

    mutating func tellBlindSpot(_ spot: BlindSpot) {
        if told.isNew(spot) { emit(.blindSpot(spot)) }
    }

    // MARK: Labels

    /// Before a process's memory is forgotten: which of its regions it has called JIT code.
    func tellLabels(of task: TaskIdentity, at time: Timestamp) {
        let code = told.code[task.pid] ?? []
        guard !code.isEmpty else { return }
        let dump = timeline.executableRegions(of: task.pid).first { Self.isJITDump($0.backing) }
        let map = PerfMap(of: task.pid, isAlive: memorySince(task.pid) != nil)
        guard dump != nil || map != nil else { return }
        for range in code.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            let symbols = map?.symbolCount(in: range) ?? 0
            let label: RegionLabel
            if symbols > 0 {
                label = RegionLabel(.jit, by: .perfMap, TargetText("\(symbols) symbols"))
            } else if let name = dump?.backing.file?.name {
                label = RegionLabel(.jit, by: .jitdump, name)
            } else {
                continue
            }
            emit(
                .label(
                    LabelledRegion(
                        task: task, time: time, start: range.lowerBound,
                        length: range.upperBound.rawValue &- range.lowerBound.rawValue,
                        label: label)))
        }
    }

    /// `jit-PID.dump`, which a JIT maps executable so that perf(1) learns of it.
    private static func isJITDump(_ backing: Backing) -> Bool {
        guard case .file(let file, _) = backing else { return false }
        return file.name.bytes.starts(with: Array("jit-".utf8))
            && file.name.bytes.suffix(5).elementsEqual(Array(".dump".utf8))
    }
}

extension RegionReference {
    init(_ transition: Transition) {
        self.init(
            pid: transition.task.pid, start: transition.start, length: transition.length,
            protection: transition.effective)
    }

    init(pid: Int32, _ region: MappedRegion) {
        self.init(
            pid: pid, start: region.start, length: region.end.rawValue &- region.start.rawValue,
            protection: region.protection)
    }
}
