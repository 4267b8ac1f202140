// SPDX-License-Identifier: MIT

/// Counts, per address, how often content has changed.
///
/// Grows with the number of different pages that were captured, not with the number of
/// captures.
public struct Generations: Sendable {
    private typealias Seen = (digest: Digest, generation: Int)

    private var latest: [Int32: [Address: Seen]] = [:]

    public init() {}

    /// Notes the content seen at an address and returns its generation: 0 the first time,
    /// one more than before when the content differs from the one seen last.
    public mutating func note(_ digest: Digest, at address: Address, of process: Int32) -> Int {
        guard let last = latest[process]?[address] else {
            latest[process, default: [:]][address] = (digest, 0)
            return 0
        }
        guard last.digest != digest else { return last.generation }
        latest[process, default: [:]][address] = (digest, last.generation + 1)
        return last.generation + 1
    }

    /// The generation seen last; 0 if the address has never been captured.
    public func current(at address: Address, of process: Int32) -> Int {
        latest[process]?[address]?.generation ?? 0
    }

    /// The content seen last; nil if the address has never been captured.
    public func latestDigest(at address: Address, of process: Int32) -> Digest? {
        latest[process]?[address]?.digest
    }

    /// Forgets a process that has ended: its number may be given to another one.
    public mutating func forget(process: Int32) {
        latest[process] = nil
    }
}
