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

    /// Of 256 pages that lie side by side: pages come in groups.
    private struct Granule {
        var pages = [Seen?](repeating: nil, count: Generations.granulePages)
    }

    private static let granulePages = 256

    private var latest: [Int32: [UInt64: Granule]] = [:]

    public init() {}

    /// Notes the content seen at an address and returns its generation: 0 the first time,
    /// one more than before when the content differs from the one seen last.
    public mutating func note(
        _ content: PageContent, at address: Address, of process: Int32
    ) -> Int {
        let (granule, page) = Self.place(of: address)
        return Self.note(
            content.key, &latest[process, default: [:]][granule, default: Granule()].pages[page])
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
        seen(at: address, of: process)?.generation ?? 0
    }

    /// Whether this is the content seen last. False if the address has never been captured.
    public func isLatest(_ content: PageContent, at address: Address, of process: Int32) -> Bool {
        seen(at: address, of: process)?.key == content.key
    }

    /// Forgets a process that has ended: its number may be given to another one.
    public mutating func forget(process: Int32) {
        latest[process] = nil
    }

    private func seen(at address: Address, of process: Int32) -> Seen? {
        let (granule, page) = Self.place(of: address)
        return latest[process]?[granule]?.pages[page]
    }

    private static func place(of address: Address) -> (granule: UInt64, page: Int) {
        let number = address.rawValue / 4096
        return (number / UInt64(granulePages), Int(number % UInt64(granulePages)))
    }
}
