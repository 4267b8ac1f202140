// SPDX-License-Identifier: MIT

/// When records come thick and fast, waking a reader for each costs the targets more than the
/// records do: then the ring is looked at every other millisecond, until it has been empty for a
/// while.
struct ReadingPace {
    private(set) var isLooking = false
    /// A record may have been sent in the belief that it will be looked for: once more, soon.
    private(set) var hasJustStopped = false
    private var emptyLooks = 0

    private static let manyRecords: UInt64 = 32
    private static let enoughEmptyLooks = 20

    /// For poll(2), in milliseconds.
    func patience(atMost limit: Int32) -> Int32 {
        if isLooking { return 2 }
        return hasJustStopped ? 100 : limit
    }

    /// - Parameter tell: called if the pace changes.
    mutating func note(records: UInt64, _ tell: (Bool) -> Void) {
        hasJustStopped = false
        if records > 0 { emptyLooks = 0 }
        if !isLooking, records >= Self.manyRecords {
            isLooking = true
            tell(true)
        } else if isLooking, records == 0 {
            emptyLooks += 1
            guard emptyLooks >= Self.enoughEmptyLooks else { return }
            isLooking = false
            hasJustStopped = true
            tell(false)
        }
    }
}
