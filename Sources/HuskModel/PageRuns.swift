// SPDX-License-Identifier: MIT

/// Pages of one transition that lie side by side and all have content.
public struct PageRun: Hashable, Sendable {
    /// Never empty; ascending, without holes.
    public let pages: [Page]

    public var base: Address { pages[0].address }
    public var size: Int { pages.reduce(0) { $0 + $1.size } }
    public var transition: Transition.ID { pages[0].transition }

    /// The SHA-256 of all its bytes.
    public var digest: Digest {
        // Of one page it is known already.
        if pages.count == 1, let digest = pages[0].digest { return digest }
        return Digest(ofChunks: pages.lazy.compactMap(\.contentSlice))
    }

    public init?(pages: [Page]) {
        guard !pages.isEmpty else { return nil }
        self.pages = pages
    }
}

/// A transition together with everything that came of it.
public struct TransitionCapture: Hashable, Sendable {
    public var transition: Transition
    public var runs: [PageRun]
    /// Pages that exist and could not be read.
    public var unreadable: [Page]
    public var losses: [Loss]
    /// Nil: its end never arrived.
    public var end: TransitionEnd?

    public var pageCount: Int { runs.reduce(0) { $0 + $1.pages.count } }
    public var byteCount: Int { runs.reduce(0) { $0 + $1.size } }
}

/// Puts the events of interleaved threads together again, transition by transition.
public struct TransitionAssembler: Sendable {
    private var open: [Transition.ID: (transition: Transition, pages: [Page], losses: [Loss])] = [:]

    public init() {}

    /// Takes an event; returns the transition that it completes, if it does.
    public mutating func take(_ event: Event) -> TransitionCapture? {
        switch event {
        case .transition(let transition):
            if transition.hasPages {
                open[transition.id] = (transition, [], [])
                return nil
            }
            return Self.capture(transition, [], [], end: nil)
        case .page(let page):
            open[page.transition]?.pages.append(page)
            return nil
        case .loss(let loss):
            if let id = loss.transition { open[id]?.losses.append(loss) }
            return nil
        case .transitionEnd(let end):
            guard let whole = open.removeValue(forKey: end.transition) else { return nil }
            return Self.capture(whole.transition, whole.pages, whole.losses, end: end)
        case .processExit, .processStart, .programExecution, .sharedView, .blindSpot, .label,
            .execution:
            return nil
        }
    }

    /// The transitions whose end has not come, oldest first. Call it when nothing more comes.
    public mutating func finish() -> [TransitionCapture] {
        defer { open = [:] }
        return open.values
            .sorted { $0.transition.time < $1.transition.time }
            .map { Self.capture($0.transition, $0.pages, $0.losses, end: nil) }
    }

    private static func capture(
        _ transition: Transition, _ pages: [Page], _ losses: [Loss], end: TransitionEnd?
    ) -> TransitionCapture {
        var runs: [PageRun] = []
        var current: [Page] = []
        for page in pages where page.hasContent {
            if let last = current.last, last.address.advanced(by: UInt64(last.size)) != page.address
            {
                runs += [PageRun(pages: current)].compactMap { $0 }
                current = []
            }
            current.append(page)
        }
        runs += [PageRun(pages: current)].compactMap { $0 }
        return TransitionCapture(
            transition: transition, runs: runs,
            unreadable: pages.filter { !$0.hasContent }, losses: losses, end: end)
    }
}
