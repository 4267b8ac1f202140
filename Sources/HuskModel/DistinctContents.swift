// SPDX-License-Identifier: MIT

/// Counts different contents, in bounded memory: a trace may run for days.
///
/// A table of 64-bit keys (open addressing, linear probing). Two contents share a key once in
/// 2^64 pairs.
public struct DistinctContents: Hashable, Sendable {
    /// How many are told apart; of more it is only known that there are more.
    static let limit = 1 << 18

    /// 0: free. At most half full.
    private var slots = [UInt64](repeating: 0, count: 1 << 10)
    /// How many there were, as far as they were counted.
    public private(set) var count = 0
    /// False: there may be more than `count`.
    public private(set) var isExact = true

    public init() {}

    /// Takes note of a content, new or not.
    public mutating func note(_ key: ContentKey) {
        guard isExact else { return }
        let key = max(1, key.short)
        var index = place(of: key)
        guard slots[index] == 0 else { return }
        guard count < Self.limit else {
            isExact = false
            return
        }
        if count * 2 >= slots.count {
            grow()
            index = place(of: key)
        }
        slots[index] = key
        count += 1
    }

    /// Where the key is, or would be.
    private func place(of key: UInt64) -> Int {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: key) & mask
        while slots[index] != 0, slots[index] != key { index = (index + 1) & mask }
        return index
    }

    private mutating func grow() {
        let old = slots
        slots = [UInt64](repeating: 0, count: old.count * 2)
        for key in old where key != 0 { slots[place(of: key)] = key }
    }
}
