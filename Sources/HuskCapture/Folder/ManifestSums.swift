// SPDX-License-Identifier: MIT
internal import HuskModel

/// The sums of a manifest's lines, added up again as ``CaptureTally`` does, to be compared with
/// those of its summary. The numbers may be anything: they end at the largest one.
struct ManifestSums {
    private(set) var storedPages = Sum()
    /// Pages of runs that have no file.
    private(set) var withoutFile = Sum()
    /// Pages that losses say could not be stored.
    private(set) var notStored = Sum()
    private(set) var unreadable = Sum()
    private(set) var referenced = Sum()
    private(set) var losses: [String: Sum] = [:]
    private(set) var transitions: UInt64 = 0
    private(set) var attempts: UInt64 = 0
    private(set) var looks: UInt64 = 0
    private var others: [String: UInt64] = [:]

    struct Sum: Hashable {
        private(set) var value: UInt64 = 0

        static func += (sum: inout Sum, number: UInt64) {
            let (value, overflow) = sum.value.addingReportingOverflow(number)
            sum.value = overflow ? .max : value
        }
    }

    mutating func add(_ transition: StoredTransition) {
        for run in transition.runs ?? [] {
            if run.file == nil {
                withoutFile += UInt64(run.pages.count)
            } else {
                storedPages += UInt64(run.pages.count)
            }
        }
        for range in transition.unreadable ?? [] {
            // It ended while Husk was coming: nothing of the trace is missing.
            if transition.kind == TransitionKind.present.rawValue,
                range.reason == UnreadableReason.processEnded.rawValue
            {
                continue
            }
            unreadable += Self.pages(range.length)
        }
        if transition.isView { return }
        if let reference = transition.reference { referenced += Self.pages(reference.length) }
        if transition.isAttempt {
            attempts += 1
        } else if [TransitionKind.look, .write].map(\.rawValue).contains(transition.kind) {
            looks += 1
        } else {
            transitions += 1
        }
    }

    mutating func add(_ loss: StoredLoss) {
        let pages = Self.pages(loss.length)
        losses[loss.cause, default: Sum()] +=
            loss.cause == Loss.Cause.untold.rawValue ? loss.count : max(pages, loss.count)
        if loss.cause == Self.notStoredCause { notStored += pages }
    }

    /// A line of another type.
    mutating func add(type: String) {
        // Only those that the summary counts: there may be any number of types.
        guard ["blind-spot", "process-start", "execution"].contains(type) else { return }
        others[type, default: 0] += 1
    }

    /// What the summary says and the lines do not.
    func differences(from summary: StoredSummary) -> [String] {
        var result: [String] = []
        // On a full disk not every line had room: the summary may tell of more than they do.
        let isPartial = (summary.linesLeftOut ?? 0) > 0
        func compare(_ what: String, _ told: UInt64, _ found: UInt64) {
            if isPartial ? told < found : told != found {
                result.append("the summary says \(told) \(what), the lines say \(found)")
            }
        }
        compare("pages", summary.pages, storedPages.value)
        let (bytes, overflow) = storedPages.value.multipliedReportingOverflow(by: 4096)
        compare("bytes", summary.bytes, overflow ? .max : bytes)
        compare("unreadable pages", summary.unreadable, unreadable.value)
        compare("pages on disk", summary.referenced, referenced.value)
        for cause in Set(losses.keys).union(summary.losses.keys).sorted() {
            let found = losses[cause]?.value ?? 0
            let isTold = summary.losses[cause] != nil && (losses[cause] != nil || isPartial)
            if !isTold
                || (isPartial ? summary.losses[cause] ?? 0 < found : summary.losses[cause] != found)
            {
                let told = summary.losses[cause].map(String.init) ?? "nothing"
                result.append(
                    "the summary says \(told) lost (\(shown(cause))), the lines say \(found)")
            }
        }
        compare("transitions", summary.transitions, transitions)
        compare("failed attempts", summary.attempts, attempts)
        compare("looks", summary.looks, looks)
        compare("blind spots", summary.blindSpots, others["blind-spot"] ?? 0)
        compare("executions", summary.executions ?? 0, others["execution"] ?? 0)
        compare("children", summary.children, others["process-start"] ?? 0)
        if withoutFile != notStored, !isPartial {
            result.append(
                "\(withoutFile.value) pages have no file, and \(notStored.value) are told as lost "
                    + "because they could not be stored")
        }
        return result + Self.contradictions(in: summary, hasLosses: !losses.isEmpty, unreadable)
    }

    /// What the summary says and cannot be, by itself or with the lines.
    private static func contradictions(
        in summary: StoredSummary, hasLosses: Bool, _ unreadable: Sum
    ) -> [String] {
        var result: [String] = []
        let isComplete = !hasLosses && unreadable.value == 0
        if summary.complete != isComplete {
            result.append(
                summary.complete
                    ? "the summary says complete, the lines tell what is missing"
                    : "the summary says incomplete, the lines tell of nothing that is missing")
        }
        if let expected = summary.expectedPages {
            var sum = Sum()
            for part in [summary.pages, summary.unreadable] + summary.losses.values { sum += part }
            if expected != sum.value {
                result.append(
                    "the summary expects \(expected) pages; captured, unreadable and lost ones "
                        + "are \(sum.value)")
            }
        }
        if let records = summary.records {
            var missing = Sum()
            for record in records { missing += record.missing }
            let told = summary.losses[Loss.Cause.missingRecord.rawValue] ?? 0
            if missing.value != told {
                result.append(
                    "\(missing.value) record numbers are missing, \(told) are told as lost")
            }
        }
        return result
    }

    private static let notStoredCause = "not-stored"

    /// How many pages that is, begun ones too.
    private static func pages(_ length: UInt64) -> UInt64 {
        length / 4096 + (length % 4096 == 0 ? 0 : 1)
    }
}

/// Text of a capture as it may be shown: escaped, and no more than a line can hold.
func shown(_ text: String) -> String {
    let limit = 128
    let head = TargetText(bytes: text.utf8.prefix(limit)).escaped
    return text.utf8.count > limit ? head + "..." : head
}
