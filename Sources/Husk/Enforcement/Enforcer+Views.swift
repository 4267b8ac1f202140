// SPDX-License-Identifier: MIT
internal import HuskModel

/// What the target has asked for: the views of memory from which W or X has to be kept, found in
/// the kernel's list of its regions.
extension Enforcer {
    /// Looks at what there is in a range now, and enforces what has to be.
    ///
    /// - Parameters:
    ///   - asked: the protection that has been asked for, for the whole range.
    ///   - isAnonymous: the range is known to be private memory without a file: then nothing has to
    ///     be looked at.
    func resynchronise(
        _ tracee: Tracee, _ range: Range<UInt64>, asked: UInt64, isAnonymous: Bool
    ) {
        let space = tracee.space
        for view in space.parts(in: range) where view.isGuarded {
            space.writeGuard?.release(view.range)
        }
        space.remove(range)
        if isAnonymous {
            var protection = Protection(rawValue: UInt32(truncatingIfNeeded: asked & 7))
            if protection.contains(.read), !protection.contains(.execute),
                tracee.widePersonality != nil
            {
                protection.insert(.execute)
            }
            space.noteAnonymous(range)
            if protection.contains([.write, .execute]) {
                enforce(tracee, range, protection, source: .anonymous)
            }
            return
        }
        guard !range.isEmpty, let regions = MemoryMaps.regions(of: tracee.pid) else { return }
        // The kernel rounds lengths up to the size of a huge page.
        let end = regions.first { $0.range.contains(range.upperBound - 1) }?.range.upperBound
        enforceUnknown(
            tracee, regions, in: range.lowerBound..<max(range.upperBound, end ?? 0))
    }

    /// A call may have changed any part of a range (nil: of all memory): what is not any more as it
    /// was left is what the target has asked for.
    func reconcile(_ tracee: Tracee, _ range: Range<UInt64>?) {
        let space = tracee.space
        let wanted = range ?? Self.everywhere
        guard let regions = MemoryMaps.regions(of: tracee.pid) else { return }
        for piece in pieces(of: regions, in: wanted, space) {
            guard let view = piece.view else { continue }
            let isOther = !space.isOf(view, piece.region)
            for change in space.present(view)
            where isOther || !piece.region.protection.isSubset(of: change.protection) {
                if view.isGuarded { space.writeGuard?.release(change.range) }
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

    private static let everywhere: Range<UInt64> = 0..<(1 << 63)

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
                    source: region.backing.file == nil ? .anonymous : .nothing,
                    isIndivisible: isOfHugePages(region, tracee),
                    growsDown: region.backing == .stack)
            }
        }
        enforceViews(tracee, pieces(of: regions, in: Self.everywhere, tracee.space))
    }

    private func enforce(
        _ tracee: Tracee, _ range: Range<UInt64>, _ asked: Protection,
        source: EnforcedSpace.Source, isIndivisible: Bool = false, growsDown: Bool = false
    ) {
        tracee.space.add(range, asked: asked, source: source, isIndivisible: isIndivisible)
        if growsDown { tracee.space.setGrowsDown(at: range.lowerBound) }
        enforceView(tracee, range)
    }

    private func isOfHugePages(_ region: MappedRegion, _ tracee: Tracee) -> Bool {
        region.backing.file != nil
            && OutsideMemory(of: tracee.pid).isOfHugePages(region.start..<region.end)
    }

    /// Keeps from the view at a range what its pages are not to have at present.
    func enforceView(_ tracee: Tracee, _ range: Range<UInt64>) {
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
        var hasNew = false
        for list in views.values {
            guard list.contains(where: { $0.piece.region.isShared && $0.asked.contains(.write) }),
                list.contains(where: { $0.asked.contains(.execute) })
            else { continue }
            // (What is the process's own of a file shows what is written to that until it is written
            // to itself.)
            for (piece, asked) in list
            where piece.view.map({ tracee.space.file(of: $0) == nil }) ?? true {
                guard let file = piece.region.backing.file else { continue }
                var region = piece.region
                region.protection = asked
                add(tracee, region, file)
                hasNew = true
            }
        }
        // A view that may not write was nothing that changes when it was mapped.
        if hasNew { changingMemory?.note(tracee.space.sharedRanges, of: tracee.pid) }
    }

    private func add(_ tracee: Tracee, _ region: MappedRegion, _ file: FileIdentity) {
        tracee.space.add(
            region.range, asked: region.protection, of: Timeline.FileKey(file),
            at: region.backing.fileOffset ?? 0, isIndivisible: isOfHugePages(region, tracee))
        enforceView(tracee, region.range)
    }
}

extension MappedRegion {
    var range: Range<UInt64> { start.rawValue..<end.rawValue }
}
