// SPDX-License-Identifier: MIT
public import HuskModel

/// What differs between two states of the same memory.
///
/// Bytes and instructions are paired by their address: code that is patched keeps its addresses.
/// The work is linear in the size.
public enum CodeDifference {
    /// Bytes that are not what they were.
    public struct Change: Hashable, Sendable {
        public var address: Address
        public var old: [UInt8]
        public var new: [UInt8]
    }

    /// A line of a listing of both.
    public enum Line: Hashable, Sendable {
        case same(Instruction)
        case removed(Instruction)
        case added(Instruction)
    }

    /// Changes with fewer equal bytes between them than this are told as one.
    private static let gap = 4

    /// The ranges that differ, ascending. What one is longer than the other is not looked at.
    public static func changes(
        from old: [UInt8], to new: [UInt8], at base: Address
    ) -> [Change] {
        let size = min(old.count, new.count)
        var changes: [Range<Int>] = []
        for index in 0..<size where old[index] != new[index] {
            if let last = changes.last, index - last.upperBound < gap {
                changes[changes.count - 1] = last.lowerBound..<index + 1
            } else {
                changes.append(index..<index + 1)
            }
        }
        return changes.map {
            Change(
                address: base.advanced(by: UInt64($0.lowerBound)), old: Array(old[$0]),
                new: Array(new[$0]))
        }
    }

    /// Both listings in one, by address: where instructions differ, the old ones before the new
    /// ones, until both go on at the same address.
    public static func lines(from old: [Instruction], to new: [Instruction]) -> [Line] {
        var lines: [Line] = []
        var left = old[...]
        var right = new[...]
        var added: [Instruction] = []
        while let before = left.first, let after = right.first {
            if before.address == after.address, before.bytes == after.bytes {
                lines += added.map(Line.added)
                added = []
                lines.append(.same(before))
                left.removeFirst()
                right.removeFirst()
            } else if before.address <= after.address {
                lines.append(.removed(before))
                left.removeFirst()
            } else {
                added.append(after)
                right.removeFirst()
            }
        }
        lines += left.map(Line.removed)
        lines += (added + right).map(Line.added)
        return lines
    }
}
