// SPDX-License-Identifier: MIT

/// The address spaces of all traced processes, as their events change them.
///
/// Answers what single events cannot: which regions a write to a file touches, which two regions
/// are the same memory, whose code an address belongs to.
public struct Timeline: Sendable {
    private var spaces: [Int32: AddressSpace] = [:]
    /// Processes with a region of each file, so that a write need not search all of them.
    private var users: [FileKey: Set<Int32>] = [:]

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
        let pid = transition.task.pid
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
        spaces[pid, default: AddressSpace()].insert(region)
        if let file = region.backing.file { users[FileKey(file), default: []].insert(pid) }
    }

    /// A child begins with what its parent has.
    public mutating func fork(parent: Int32, child: Int32) {
        guard let space = spaces[parent] else { return }
        spaces[child] = space
        for key in users.keys where users[key]?.contains(parent) == true {
            users[key]?.insert(child)
        }
    }

    /// A process has executed a program, or has ended: nothing of its memory is left.
    public mutating func clear(_ pid: Int32) {
        spaces[pid] = nil
        for key in users.keys where users[key]?.contains(pid) == true { users[key]?.remove(pid) }
    }

    // MARK: Questions

    public var processes: some Sequence<Int32> { spaces.keys }

    /// Executable regions of a process that touch a range, clipped to it.
    public func executableRegions(of pid: Int32, in range: Range<Address>) -> [MappedRegion] {
        spaces[pid]?.regions(in: range).filter { $0.protection.contains(.execute) } ?? []
    }

    public func executableRegions(of pid: Int32) -> [MappedRegion] {
        spaces[pid]?.regions.filter { $0.protection.contains(.execute) } ?? []
    }

    public func region(of pid: Int32, at address: Address) -> MappedRegion? {
        spaces[pid]?.region(at: address)
    }

    /// Where bytes `offsets` of a file are mapped: the parts of regions, with their processes.
    public func views(
        of file: FileKey, offsets: Range<UInt64>
    ) -> [(pid: Int32, region: MappedRegion)] {
        (users[file] ?? []).sorted().flatMap { pid in
            (spaces[pid]?.regions.filter { $0.backing.file.map(FileKey.init) == file } ?? [])
                .compactMap { region -> (pid: Int32, region: MappedRegion)? in
                    let first = region.backing.fileOffset ?? 0
                    let length = region.end.rawValue &- region.start.rawValue
                    let (last, overflow) = first.addingReportingOverflow(length)
                    let mapped = first..<max(first, overflow ? .max : last)
                    let common = mapped.clamped(to: offsets)
                    guard !common.isEmpty else { return nil }
                    let start = region.start.advanced(by: common.lowerBound - first)
                    let end = region.start.advanced(by: common.upperBound - first)
                    return (pid, region.clipped(to: start..<end))
                }
        }
    }
}
