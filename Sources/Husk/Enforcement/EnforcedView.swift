// SPDX-License-Identifier: MIT
internal import HuskModel

extension EnforcedSpace {
    /// Pages that can be seen through one view or several: by their number.
    final class Memory {
        struct PageState {
            /// Else it is written.
            var isExecutable = false
            /// What it held when it was captured last.
            var digest: Digest?
        }

        /// Pages that have been captured or are executable; all others are written.
        var pages: [UInt64: PageState] = [:]

        func isExecutable(_ page: UInt64) -> Bool { pages[page]?.isExecutable ?? false }

        /// The pages of a range of which something is known, ascending: in proportion to the
        /// smaller of the two, as ranges may be of any size.
        func known(in range: Range<UInt64>) -> [UInt64] {
            range.count < pages.count
                ? range.filter { pages[$0] != nil } : pages.keys.filter(range.contains).sorted()
        }
    }

    /// What a page shows that is not in the process's page tables.
    enum Source {
        /// Nothing: the memory is the process's own, and of no file.
        case anonymous
        /// Nothing that has to be looked at: its own pages of a file, as they were mapped.
        case nothing
        /// A file, or shared memory: the page at an address is at `address &+ distance` in it.
        case file(distance: UInt64)
    }

    /// A mapping, as the target asked for it.
    struct View {
        var range: Range<UInt64>
        var asked: Protection
        var memory: Memory
        /// The number of the page at `range.lowerBound` in `memory`.
        var firstPage: UInt64
        /// How many executions have been caught in it.
        var executions = 0
        /// No one has written to it since it was asked for: W is kept too, to see who does.
        var isUntouched = false
        /// The instruction that has written to it last when that was seen.
        var writer: UInt64?
        /// From which of its pages W is kept by a guard, not by their protection.
        var guarded = GuardReach.none
        var source: Source
        /// It consists of huge pages from the pool, which have one protection each.
        var isIndivisible = false
        /// The kernel lets it begin further down when someone asks for what is there.
        var growsDown = false
        /// Its protection cannot be changed (any more): what a guard does not keep is not kept.
        var isFixed = false

        var isGuarded: Bool { guarded != .none }
        var keepsWriteByGuardOnly: Bool {
            guarded == .allPages || (guarded == .existingPages && !isUntouched)
        }

        func page(at address: UInt64) -> UInt64 {
            firstPage + (address - range.lowerBound) / EnforcedSpace.pageSize
        }

        /// Where it shows a page; nil: nowhere.
        func address(of page: UInt64) -> UInt64? {
            guard page >= firstPage else { return nil }
            let address = range.lowerBound + (page - firstPage) * EnforcedSpace.pageSize
            return address < range.upperBound ? address : nil
        }

        /// What has to be done so that a range of it is executable or written.
        func changes(_ range: Range<UInt64>, isExecutable: Bool) -> [Change] {
            let first =
                range
                .lowerBound..<min(
                    range.lowerBound + EnforcedSpace.pageSize, range.upperBound)
            // What it grows by is as its first page is, and has no guard.
            guard growsDown, isGuarded, isExecutable, first.lowerBound == self.range.lowerBound
            else { return [change(range, isExecutable: isExecutable, isByGuard: isGuarded)] }
            let rest = first.upperBound..<range.upperBound
            return [change(first, isExecutable: isExecutable, isByGuard: false)]
                + (rest.isEmpty
                    ? [] : [change(rest, isExecutable: isExecutable, isByGuard: true)])
        }

        /// So that it is written.
        func written(_ range: Range<UInt64>) -> Change {
            change(range, isExecutable: false, isByGuard: isGuarded)
        }

        private func change(
            _ range: Range<UInt64>, isExecutable: Bool, isByGuard: Bool
        ) -> Change {
            let keepsWrite = isExecutable || isUntouched
            // What is untouched may not exist yet; what is executable does (Enforcer+Faults.swift).
            let isByGuard = isExecutable ? isByGuard : guarded == .allPages
            var kept: Protection = isExecutable ? [] : .execute
            if keepsWrite, !isByGuard { kept.insert(.write) }
            return Change(
                range: range, protection: asked.subtracting(kept),
                isWriteProtected: isGuarded ? keepsWrite && isByGuard : nil)
        }
    }

    /// A change of protection that has to be made.
    struct Change {
        var range: Range<UInt64>
        var protection: Protection
        /// What its guard has to do; nil: it has none.
        var isWriteProtected: Bool?
    }
}
