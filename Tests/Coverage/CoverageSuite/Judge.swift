// SPDX-License-Identifier: MIT
public import Husk
public import HuskTestSupport

/// What has become of a truth, or of all truths of a case.
public enum Verdict: String, Hashable, Sendable, Comparable, CaseIterable, Codable {
    /// Every byte is in the capture, at its address, in order of generation.
    case exact
    /// What is missing is told by the capture, with address and reason.
    case reported
    /// Silence.
    case missed
    /// The machine cannot run the case.
    case skipped
    /// The program itself has failed, or was changed by being watched.
    case failed

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    public static func < (left: Verdict, right: Verdict) -> Bool { left.rank < right.rank }
}

/// Compares what a program says of its own memory with what was captured.
public struct Judge {
    private var pages: [UInt64: [(order: Int, page: Page)]] = [:]
    private var losses: [(pid: Int32?, range: Range<UInt64>, reason: String)] = []
    /// Processes that share memory (vfork, CLONE_VM): what one does is the other's as well.
    private var sharers: [Int32: Set<Int32>] = [:]

    public init(_ events: [Event]) {
        for (order, event) in events.enumerated() {
            switch event {
            case .page(let page):
                if page.content != nil {
                    pages[page.address.rawValue, default: []].append((order, page))
                } else if case .unreadable(let reason, _) = page.body {
                    note(page.task.pid, page.address, 4096, reason.rawValue)
                }
            case .loss(let loss):
                // A loss without an address does not say that these bytes are missing.
                guard let start = loss.start else { break }
                note(loss.task?.pid, start, loss.length, loss.cause.rawValue)
            case .blindSpot(let spot):
                note(spot.task.pid, spot.start, spot.length, spot.reason.rawValue)
            case .processStart(let start) where start.sharesMemory:
                let group = (sharers[start.parent.pid] ?? [start.parent.pid]).union([start.child])
                for pid in group { sharers[pid] = group }
            default:
                break
            }
        }
    }

    private mutating func note(_ pid: Int32?, _ start: Address, _ length: UInt64, _ reason: String)
    {
        let (sum, overflow) = start.rawValue.addingReportingOverflow(length)
        losses.append((pid, start.rawValue..<max(start.rawValue, overflow ? .max : sum), reason))
    }

    private func isSame(_ pid: Int32, _ wanted: Int32?) -> Bool {
        guard let wanted else { return true }
        return pid == wanted || sharers[wanted]?.contains(pid) == true
    }

    /// The verdict on each truth, in their order, and for those that are not exact what the
    /// capture says instead.
    public func verdicts(on truths: [Truth]) -> [(verdict: Verdict, reason: String?)] {
        var verdicts = [(verdict: Verdict, reason: String?)](
            repeating: (.missed, nil), count: truths.count)
        struct Place: Hashable {
            var pid: Int32?
            var address: UInt64
            var length: Int
        }
        var places: [Place: [Int]] = [:]
        for (index, truth) in truths.enumerated() {
            places[
                Place(pid: truth.pid, address: truth.address, length: truth.length), default: []
            ].append(index)
        }
        for (place, indices) in places {
            let seen = contents(of: place.address, place.length, pid: place.pid)
            var next = 0
            for index in indices {
                let truth = truths[index]
                if let found = seen[next...].firstIndex(of: truth.sha256) {
                    // The same bytes may be told again without having been gone in between.
                    next = found
                    verdicts[index] = (.exact, nil)
                } else {
                    verdicts[index] = explanation(of: truth)
                }
            }
        }
        return verdicts
    }

    private func explanation(of truth: Truth) -> (Verdict, String?) {
        let range = truth.address..<(truth.address + UInt64(truth.length))
        let said = losses.filter {
            $0.range.overlaps(range) && ($0.pid.map { isSame($0, truth.pid) } ?? true)
        }
        return said.first.map { (.reported, $0.reason) } ?? (.missed, nil)
    }

    /// The hashes of what a range held, one after the other, as far as it was captured whole.
    private func contents(of address: UInt64, _ length: Int, pid: Int32?) -> [String] {
        guard length > 0 else { return [] }
        let first = address & ~4095
        let last = (address + UInt64(length) - 1) & ~4095
        let touching = stride(from: first, through: last, by: 4096)
            .flatMap { pages[$0] ?? [] }
            .filter { isSame($0.page.task.pid, pid) }
            .sorted { $0.order < $1.order }
        var current: [UInt64: [UInt8]] = [:]
        var hashes: [String] = []
        let count = Int((last - first) / 4096) + 1
        for (index, item) in touching.enumerated() {
            current[item.page.address.rawValue] = item.page.content
            let isLastOfTransition =
                index + 1 == touching.count
                || touching[index + 1].page.transition != item.page.transition
            guard isLastOfTransition, current.count == count else { continue }
            let bytes = stride(from: first, through: last, by: 4096).flatMap { current[$0] ?? [] }
            let start = Int(address - first)
            let hash = Digest(of: Array(bytes[start..<(start + length)])).hexadecimal
            if hashes.last != hash { hashes.append(hash) }
        }
        return hashes
    }
}
