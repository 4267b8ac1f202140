// SPDX-License-Identifier: MIT

/// Finds the record numbers that never arrived.
///
/// Numbers are taken before a record can fail and may arrive a little out of order (a probe
/// that was interrupted between taking its number and sending); what is still missing at the
/// end is lost.
public struct SequenceLedger: Sendable {
    private struct CPU {
        var next: UInt64 = 0
        /// Gaps below `next`, disjoint and in ascending order.
        var missing: [Range<UInt64>] = []

        mutating func note(_ sequence: UInt64) {
            if sequence >= next {
                if sequence > next { missing.append(next..<sequence) }
                next = sequence &+ 1
            } else if let index = missing.lastIndex(where: { $0.contains(sequence) }) {
                let gap = missing[index]
                let rest = [gap.lowerBound..<sequence, (sequence + 1)..<gap.upperBound]
                missing.replaceSubrange(index...index, with: rest.filter { !$0.isEmpty })
            }
        }
    }

    private var cpus: [UInt32: CPU] = [:]

    public init() {}

    public mutating func note(_ number: RecordNumber) {
        cpus[number.cpu, default: CPU()].note(number.sequence)
    }

    /// The numbers of `cpu` that never arrived, of the `given` ones that it gave away.
    public func missing(on cpu: UInt32, given: UInt64) -> [Range<UInt64>] {
        let seen = cpus[cpu] ?? CPU()
        return seen.missing + (given > seen.next ? [seen.next..<given] : [])
    }
}
