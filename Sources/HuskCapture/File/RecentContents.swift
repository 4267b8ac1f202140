// SPDX-License-Identifier: MIT
internal import HuskModel

/// Which rows the contents that were stored lately have, in bounded memory.
///
/// Two tables: when the newer one is full, it becomes the older one, and what was in that is
/// forgotten unless it was asked for meanwhile. What is forgotten may be stored twice; that is mended
/// when the trace has ended (``ContentStore/joinDoubles(in:)``).
struct RecentContents {
    /// Of one table.
    private static let limit = 1 << 16

    private var newer = Table()
    private var older = Table()
    /// Something was forgotten.
    private(set) var hasForgotten = false

    mutating func row(of key: ContentKey) -> Int64? {
        if let row = newer[key] { return row }
        guard let row = older[key] else { return nil }
        note(key, row)
        return row
    }

    mutating func note(_ key: ContentKey, _ row: Int64) {
        if newer.count >= Self.limit {
            hasForgotten = hasForgotten || older.count > 0
            older = newer
            newer = Table()
        }
        newer.insert(key, row)
    }

    /// Open addressing, linear probing; at most half full.
    private struct Table {
        private struct Slot {
            var key: ContentKey?
            var row: Int64 = 0
        }

        private var slots = [Slot](repeating: Slot(), count: 1 << 10)
        private(set) var count = 0

        subscript(key: ContentKey) -> Int64? {
            let slot = slots[place(of: key)]
            return slot.key == nil ? nil : slot.row
        }

        mutating func insert(_ key: ContentKey, _ row: Int64) {
            if count * 2 >= slots.count { grow() }
            let index = place(of: key)
            if slots[index].key == nil { count += 1 }
            slots[index] = Slot(key: key, row: row)
        }

        /// Where the key is, or would be.
        private func place(of key: ContentKey) -> Int {
            let mask = slots.count - 1
            var index = key.hashValue & mask
            while let known = slots[index].key, known != key { index = (index + 1) & mask }
            return index
        }

        private mutating func grow() {
            let old = slots
            slots = [Slot](repeating: Slot(), count: old.count * 2)
            for slot in old {
                if let key = slot.key { slots[place(of: key)] = slot }
            }
        }
    }
}
