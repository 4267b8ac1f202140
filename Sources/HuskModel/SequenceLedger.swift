// SPDX-License-Identifier: MIT

/// What has become of the record numbers that the kernel side gave on one CPU.
public struct RecordCount: Hashable, Sendable {
    public var cpu: Int
    /// How many numbers it has given.
    public var given: UInt64
    /// Of those, never arrived.
    public var missing: UInt64

    public init(cpu: Int, given: UInt64, missing: UInt64) {
        self.cpu = cpu
        self.given = given
        self.missing = missing
    }
}

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

        mutating func note(_ numbers: Range<UInt64>) {
            if numbers.lowerBound >= next {
                if numbers.lowerBound > next { missing.append(next..<numbers.lowerBound) }
                next = numbers.upperBound
            } else if let index = missing.lastIndex(where: {
                $0.contains(numbers.lowerBound)
            }) {
                let gap = missing[index]
                let rest = [
                    gap.lowerBound..<numbers.lowerBound,
                    min(numbers.upperBound, gap.upperBound)..<gap.upperBound,
                ]
                missing.replaceSubrange(index...index, with: rest.filter { !$0.isEmpty })
            }
        }
    }

    private var cpus: [UInt32: CPU] = [:]

    public init() {}

    /// - Parameters:
    ///   - number: one that has arrived.
    ///   - count: how many have, from this one on.
    public mutating func note(_ number: RecordNumber, count: UInt64 = 1) {
        let (end, overflow) = number.sequence.addingReportingOverflow(count)
        cpus[number.cpu, default: CPU()].note(number.sequence..<(overflow ? .max : end))
    }

    /// The numbers of `cpu` that never arrived, of the `given` ones that it gave away.
    public func missing(on cpu: UInt32, given: UInt64) -> [Range<UInt64>] {
        let seen = cpus[cpu] ?? CPU()
        return seen.missing + (given > seen.next ? [seen.next..<given] : [])
    }
}
