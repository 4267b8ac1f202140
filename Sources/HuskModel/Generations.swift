// SPDX-License-Identifier: MIT

/// Counts, per address, how often content has changed.
///
/// Grows with the number of different pages that were captured, not with the number of
/// captures.
public struct Generations: Sendable {
    private struct Seen {
        var key: ContentKey
        var generation: Int
    }

    private var latest: [Int32: [Address: Seen]] = [:]

    public init() {}

    /// Notes the content seen at an address and returns its generation: 0 the first time,
    /// one more than before when the content differs from the one seen last.
    public mutating func note(
        _ content: PageContent, at address: Address, of process: Int32
    ) -> Int {
        let key = content.key
        return Self.note(key, &latest[process, default: [:]][address])
    }

    private static func note(_ key: ContentKey, _ seen: inout Seen?) -> Int {
        guard let last = seen else {
            seen = Seen(key: key, generation: 0)
            return 0
        }
        guard last.key != key else { return last.generation }
        seen = Seen(key: key, generation: last.generation + 1)
        return last.generation + 1
    }

    /// The generation seen last; 0 if the address has never been captured.
    public func current(at address: Address, of process: Int32) -> Int {
        latest[process]?[address]?.generation ?? 0
    }

    /// Whether this is the content seen last. False if the address has never been captured.
    public func isLatest(_ content: PageContent, at address: Address, of process: Int32) -> Bool {
        latest[process]?[address]?.key == content.key
    }

    /// Forgets a process that has ended: its number may be given to another one.
    public mutating func forget(process: Int32) {
        latest[process] = nil
    }
}
