// SPDX-License-Identifier: MIT

/// The sums of a capture, for its summary.
public struct CaptureTally: Hashable, Sendable {
    /// Transitions that succeeded.
    public private(set) var transitions = 0
    /// Calls that asked for execution and failed.
    public private(set) var attempts = 0
    /// Different regions (process, start and length) that were executable.
    public private(set) var regions = 0
    /// Snapshots with content.
    public private(set) var pages = 0
    /// Of the snapshots with content.
    public private(set) var bytes: UInt64 = 0
    /// Pages that were named, not captured (``FileReference``).
    public private(set) var referenced: UInt64 = 0
    /// Pages that could not be read.
    public private(set) var unreadable = 0
    /// Pages that should be in the capture: those that are, those that could not be read, and those
    /// that were lost.
    public var expectedPages: UInt64 {
        let (sum, overflow) = lost.addingReportingOverflow(UInt64(pages + unreadable))
        return overflow ? .max : sum
    }
    /// Different page contents.
    public private(set) var distinctContents = DistinctContents()
    /// Looks at memory that can change without a call, and captures of what was written.
    public private(set) var looks = 0
    /// Code in writable memory that was caught before it ran.
    public private(set) var executions = 0
    /// Regions whose bytes can change with no call: see ``BlindSpot``.
    public private(set) var blindSpots = 0
    /// Processes that were born in the tree.
    public private(set) var children = 0
    /// Losses by cause, counted in pages where their range is known.
    public private(set) var losses: [Loss.Cause: UInt64] = [:]

    private struct RegionKey: Hashable {
        var start: Address
        var length: UInt64
    }

    /// Of each process that lives: a trace may see millions of them.
    private var regionKeys: [Int32: Set<RegionKey>] = [:]

    /// What could not be stored never comes: a loss of it takes nothing away.
    private let isOfStored: Bool

    /// - Parameter isOfStored: the events are those of a stored capture.
    public init(isOfStored: Bool = false) {
        self.isOfStored = isOfStored
    }

    /// Nothing is missing: no loss and no page that could not be read.
    public var isComplete: Bool {
        losses.isEmpty && unreadable == 0
    }

    /// Of all causes together; at most `UInt64.max`.
    public var lost: UInt64 {
        losses.values.reduce(0) { sum, count in
            let (sum, overflow) = sum.addingReportingOverflow(count)
            return overflow ? .max : sum
        }
    }

    /// Counts an event. In the order in which they are told.
    public mutating func add(_ event: Event) {
        switch event {
        case .transition(let transition):
            if transition.isView { break }
            if let reference = transition.reference {
                referenced += reference.length / 4096 + (reference.length % 4096 == 0 ? 0 : 1)
            }
            if transition.isAttempt {
                attempts += 1
            } else if transition.kind == .look || transition.kind == .write {
                looks += 1
            } else {
                transitions += 1
            }
            if transition.effective.contains(.execute) {
                let key = RegionKey(start: transition.start, length: transition.length)
                if regionKeys[transition.task.hostPID, default: []].insert(key).inserted {
                    regions += 1
                }
            }
        case .page(let page):
            switch page.body {
            case .content(let content, _):
                pages += 1
                bytes += UInt64(content.size)
                distinctContents.note(content.key)
            case .unreadable(.processEnded, _) where page.kind == .present:
                break  // it ended while Husk was coming: nothing of the trace is missing
            case .unreadable:
                unreadable += 1
            }
        case .loss(let loss):
            // Lengths come from targets: they may add up to anything.
            let pages = loss.length / 4096 + (loss.length % 4096 == 0 ? 0 : 1)
            let (sum, overflow) = losses[loss.cause, default: 0]
                .addingReportingOverflow(
                    loss.cause == .untold ? loss.count : max(pages, loss.count))
            losses[loss.cause] = overflow ? .max : sum
            if loss.cause == .notStored, !isOfStored {  // captured, but not kept
                self.pages -= min(self.pages, Int(clamping: pages))
                bytes -= min(bytes, loss.length)
            }
        case .blindSpot:
            blindSpots += 1
        case .processStart:
            children += 1
        case .execution:
            executions += 1
        case .processExit(let exit):
            regionKeys[exit.task.hostPID] = nil
        case .transitionEnd, .programExecution, .sharedView, .label:
            break
        }
    }
}
