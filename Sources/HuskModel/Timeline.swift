// SPDX-License-Identifier: MIT

/// The address spaces of all traced processes, as their events change them.
///
/// Answers what single events cannot: which regions a write to a file touches, which two regions
/// are the same memory, whose code an address belongs to.
public struct Timeline: Sendable {
    private var spaces: [Int32: AddressSpace] = [:]
    /// Processes that use the memory of another one (CLONE_VM), and whose.
    private var lenders: [Int32: Int32] = [:]
    /// Processes with a region of each file, so that a write need not search all of them; and the
    /// same the other way round.
    private var users: [FileKey: Set<Int32>] = [:]
    private var files: [Int32: Set<FileKey>] = [:]

    /// What makes two files the same: their names do not.
    public struct FileKey: Hashable, Sendable {
        public var deviceMajor: UInt32
        public var deviceMinor: UInt32
        public var inode: UInt64

        public init(deviceMajor: UInt32, deviceMinor: UInt32, inode: UInt64) {
            self.deviceMajor = deviceMajor
            self.deviceMinor = deviceMinor
            self.inode = inode
        }

        public init(_ file: FileIdentity) {
            self.init(
                deviceMajor: file.deviceMajor, deviceMinor: file.deviceMinor, inode: file.inode)
        }
    }

    public init() {}

    // MARK: Changes

    /// Takes a transition into account: a region that is executable, or shared and writable,
    /// is kept; another one is forgotten.
    public mutating func apply(_ transition: Transition) {
        guard !transition.isAttempt, !transition.hasVanished, transition.start < transition.end
        else { return }
        let pid = owner(of: transition.task.pid)
        let matters =
            transition.effective.contains(.execute)
            || (transition.isShared && transition.effective.contains(.write))
        guard matters else {
            spaces[pid]?.remove(transition.start..<transition.end)
            return
        }
        note(
            MappedRegion(
                start: transition.start, end: transition.end, protection: transition.effective,
                backing: transition.backing, isShared: transition.isShared), of: pid)
    }

    /// Puts a region where it is, in place of what was there.
    public mutating func note(_ region: MappedRegion, of pid: Int32) {
        let pid = owner(of: pid)
        spaces[pid, default: AddressSpace()].insert(region)
        if let file = region.backing.file {
            users[FileKey(file), default: []].insert(pid)
            files[pid, default: []].insert(FileKey(file))
        }
    }

    /// A child begins with what its parent has, or uses the very same (`sharing`: CLONE_VM).
    public mutating func fork(parent: Int32, child: Int32, sharing: Bool = false) {
        let parent = owner(of: parent)
        if sharing {
            if parent != child { lenders[child] = parent }
            return
        }
        guard let space = spaces[parent] else { return }
        spaces[child] = space
        for key in files[parent] ?? [] { users[key]?.insert(child) }
        files[child] = files[parent]
    }

    /// A process has executed a program, or has ended: nothing of its memory is left, unless
    /// others use it too.
    public mutating func clear(_ pid: Int32) {
        if lenders.removeValue(forKey: pid) != nil { return }
        // Another one's own now.
        if let heir = lenders.first(where: { $0.value == pid })?.key {
            lenders[heir] = nil
            for (borrower, lender) in lenders where lender == pid { lenders[borrower] = heir }
            move(from: pid, to: heir)
            return
        }
        spaces[pid] = nil
        for key in files.removeValue(forKey: pid) ?? [] { forgetUse(of: key, by: pid) }
    }

    private mutating func move(from old: Int32, to new: Int32) {
        spaces[new] = spaces.removeValue(forKey: old)
        let keys = files.removeValue(forKey: old) ?? []
        files[new] = keys
        for key in keys {
            forgetUse(of: key, by: old)
            users[key, default: []].insert(new)
        }
    }

    private mutating func forgetUse(of key: FileKey, by pid: Int32) {
        users[key]?.remove(pid)
        if users[key]?.isEmpty == true { users[key] = nil }
    }

    private func owner(of pid: Int32) -> Int32 { lenders[pid] ?? pid }

    // MARK: Questions

    /// Those of which a region is known.
    public var processes: some Sequence<Int32> { spaces.keys }

    /// Executable regions of a process that touch a range, clipped to it.
    public func executableRegions(of pid: Int32, in range: Range<Address>) -> [MappedRegion] {
        spaces[owner(of: pid)]?.pieces(in: range).filter { $0.protection.contains(.execute) } ?? []
    }

    public func executableRegions(of pid: Int32) -> [MappedRegion] {
        spaces[owner(of: pid)]?.pieces.filter { $0.protection.contains(.execute) } ?? []
    }

    /// The region that an address of a process lies in; nil: none is known.
    public func region(of pid: Int32, at address: Address) -> MappedRegion? {
        spaces[owner(of: pid)]?.piece(at: address)
    }

    /// Where bytes `offsets` of a file are mapped: the parts of regions, with their processes, at
    /// most `limit` of them.
    public func views(
        of file: FileKey, offsets: Range<UInt64>, limit: Int = .max
    ) -> [(pid: Int32, region: MappedRegion)] {
        var found: [(pid: Int32, region: MappedRegion)] = []
        for pid in (users[file] ?? []).sorted() {
            guard let regions = spaces[pid]?.pieces else { continue }
            for region in regions where region.backing.file.map(FileKey.init) == file {
                guard let part = Self.part(of: region, showing: offsets) else { continue }
                found.append((pid, part))
                if found.count >= limit { return found }
            }
        }
        return found
    }

    private static func part(
        of region: MappedRegion, showing offsets: Range<UInt64>
    ) -> MappedRegion? {
        let first = region.backing.fileOffset ?? 0
        let length = region.end.rawValue &- region.start.rawValue
        let (last, overflow) = first.addingReportingOverflow(length)
        let mapped = first..<max(first, overflow ? .max : last)
        let common = mapped.clamped(to: offsets)
        guard !common.isEmpty else { return nil }
        let start = region.start.advanced(by: common.lowerBound - first)
        let end = region.start.advanced(by: common.upperBound - first)
        return region.clipped(to: start..<end)
    }
}
