// SPDX-License-Identifier: MIT
internal import HuskModel

/// Whether each record number of a page occurs once, and was given at all.
///
/// A page that a probe has copied has a number of its own. Those that Husk has read from outside
/// share the number of the record that told of them, with each other only.
struct RecordNumberCheck {
    /// Husk's own transitions, which no record is behind, are numbered as on this one.
    static let ownCPU = UInt32.max

    fileprivate struct Entry {
        var numbers: Range<UInt64>
        var line: Int
    }

    /// A set of numbers, as ranges: there may be millions of them, mostly side by side.
    fileprivate struct Numbers {
        /// Disjoint, ascending, not adjacent.
        private(set) var ranges: [Range<UInt64>] = []
        /// Not merged yet. Merged many at a time, so that numbers in no order at all cost no more
        /// than sorting them does.
        private var pending: [Entry] = []

        /// - Parameter twice: called with numbers that were there already.
        mutating func add(_ number: UInt64, line: Int, twice: (Entry) -> Void) {
            if let last = pending.last, last.line == line, last.numbers.upperBound == number {
                pending[pending.count - 1].numbers = last.numbers.lowerBound..<number + 1
            } else {
                if pending.count > max(4096, ranges.count) { merge(twice: twice) }
                pending.append(Entry(numbers: number..<number + 1, line: line))
            }
        }

        mutating func merge(twice: (Entry) -> Void) {
            let known = ranges.map { Entry(numbers: $0, line: 0) }
            let all = (known + pending).sorted {
                ($0.numbers.lowerBound, $0.line) < ($1.numbers.lowerBound, $1.line)
            }
            pending = []
            ranges = []
            // The line of what reaches furthest: of two, the later one is told.
            var line = 0
            for entry in all {
                guard let last = ranges.last, entry.numbers.lowerBound <= last.upperBound else {
                    ranges.append(entry.numbers)
                    line = entry.line
                    continue
                }
                let end = min(last.upperBound, entry.numbers.upperBound)
                if entry.numbers.lowerBound < end {
                    twice(
                        Entry(
                            numbers: entry.numbers.lowerBound..<end, line: max(line, entry.line)))
                }
                if entry.numbers.upperBound >= last.upperBound {
                    ranges[ranges.count - 1] = last.lowerBound..<entry.numbers.upperBound
                    line = entry.line
                }
            }
        }

        var count: UInt64 {
            ranges.reduce(0) { $0 &+ ($1.upperBound - $1.lowerBound) }
        }
    }

    private struct CPU {
        /// Each occurs once.
        var single = Numbers()
        /// Of pages that were read from outside.
        var shared = Numbers()
    }

    private var cpus: [UInt32: CPU] = [:]
    private var findings: [VerificationReport.Finding] = []
    private var count = 0

    mutating func note(_ page: StoredTransition.Page, line: Int) {
        guard let cpu = page.cpu, let sequence = page.sequence else { return }
        guard sequence < UInt64.max else {
            add("record number \(sequence) of CPU \(cpu) cannot be", line: line)
            return
        }
        let reader = page.reader.flatMap { PageReader(rawValue: $0) }
        if reader == .bpfSleepable || reader == .bpfNoFault {
            var twice: [Entry] = []
            cpus[cpu, default: CPU()].single.add(sequence, line: line) { twice.append($0) }
            tell(twice, cpu)
        } else {
            cpus[cpu, default: CPU()].shared.add(sequence, line: line) { _ in }
        }
    }

    /// Call it when nothing more comes. Returns what was found, the first ones of `count`.
    /// - Parameter records: what the summary says has been given; nil: it does not say.
    mutating func finish(
        records: [StoredSummary.Records]?
    ) -> (findings: [VerificationReport.Finding], count: Int) {
        for (cpu, numbers) in cpus.sorted(by: { $0.key < $1.key }) {
            var numbers = numbers
            var twice: [Entry] = []
            numbers.single.merge { twice.append($0) }
            numbers.shared.merge { _ in }
            for entry in numbers.single.overlap(numbers.shared) { twice.append(entry) }
            tell(twice, cpu)
            if cpu != Self.ownCPU, let records { compare(numbers, of: cpu, with: records) }
        }
        for record in records ?? [] where record.missing > record.given {
            add(
                "of the \(record.given) record numbers of CPU \(record.cpu), "
                    + "\(record.missing) are said to be missing")
        }
        return (findings, count)
    }

    private mutating func compare(
        _ numbers: CPU, of cpu: UInt32, with records: [StoredSummary.Records]
    ) {
        guard let record = records.first(where: { $0.cpu == cpu }) else {
            add("there are records of CPU \(cpu), which the summary does not name")
            return
        }
        let last = max(
            numbers.single.ranges.last?.upperBound ?? 0, numbers.shared.ranges.last?.upperBound ?? 0
        )
        if last > record.given {
            add(
                "record number \(last - 1) of CPU \(cpu) was never given: "
                    + "there were \(record.given)")
        }
        let (arrived, overflow) = numbers.single.count.addingReportingOverflow(
            numbers.shared.count)
        if record.missing <= record.given, overflow || arrived > record.given - record.missing {
            add(
                "\(arrived) records of CPU \(cpu) are here, although \(record.missing) of "
                    + "\(record.given) are said to be missing")
        }
    }

    private mutating func tell(_ twice: [Entry], _ cpu: UInt32) {
        for entry in twice {
            let first = entry.numbers.lowerBound
            let last = entry.numbers.upperBound - 1
            add(
                first == last
                    ? "record number \(first) of CPU \(cpu) occurs twice"
                    : "record numbers \(first) to \(last) of CPU \(cpu) occur twice",
                line: entry.line == 0 ? nil : entry.line)
        }
    }

    private mutating func add(_ message: String, line: Int? = nil) {
        count += 1
        guard findings.count < VerificationReport.limit else { return }
        findings.append(
            VerificationReport.Finding(subject: .recordNumbers, message: message, line: line))
    }
}

extension RecordNumberCheck.Numbers {
    /// What is in both.
    fileprivate func overlap(_ other: Self) -> [RecordNumberCheck.Entry] {
        var result: [RecordNumberCheck.Entry] = []
        var (left, right) = (0, 0)
        while left < ranges.count, right < other.ranges.count {
            let start = max(ranges[left].lowerBound, other.ranges[right].lowerBound)
            let end = min(ranges[left].upperBound, other.ranges[right].upperBound)
            if start < end { result.append(RecordNumberCheck.Entry(numbers: start..<end, line: 0)) }
            if ranges[left].upperBound < other.ranges[right].upperBound {
                left += 1
            } else {
                right += 1
            }
        }
        return result
    }
}
