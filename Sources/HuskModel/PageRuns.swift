// SPDX-License-Identifier: MIT

/// Pages of one transition that lie side by side and all have content.
public struct PageRun: Hashable, Sendable {
    /// Never empty; ascending, without holes. Their bytes may have been given up already
    /// (``TransitionAssembler``).
    public let pages: [Page]
    /// The SHA-256 of all its bytes.
    public let digest: Digest
    /// The first page's bytes.
    public let head: ArraySlice<UInt8>

    /// The first page's address.
    public var base: Address { pages[0].address }
    /// Of all pages, in bytes.
    public var size: Int { pages.reduce(0) { $0 + $1.size } }
    public var transition: Transition.ID { pages[0].transition }

    /// Nil: there are no pages, or one of them has no bytes.
    public init?(pages: [Page]) {
        guard let head = pages.first?.contentSlice else { return nil }
        let chunks = pages.compactMap(\.contentSlice)
        guard chunks.count == pages.count else { return nil }
        self.init(pages: pages, digest: Digest(ofChunks: chunks), head: head)
    }

    fileprivate init(pages: [Page], digest: Digest, head: ArraySlice<UInt8>) {
        self.pages = pages
        self.digest = digest
        self.head = head
    }
}

/// A transition together with everything that came of it.
public struct TransitionCapture: Hashable, Sendable {
    public var transition: Transition
    /// Pages with content, by runs of neighbours.
    public var runs: [PageRun]
    /// Pages that exist and could not be read.
    public var unreadable: [Page]
    /// What was lost of its pages.
    public var losses: [Loss]
    /// Nil: its end never arrived.
    public var end: TransitionEnd?

    /// Pages with content.
    public var pageCount: Int { runs.reduce(0) { $0 + $1.pages.count } }
    /// Of those, in bytes.
    public var byteCount: Int { runs.reduce(0) { $0 + $1.size } }
}

/// Puts the events of interleaved threads together again, transition by transition.
///
/// Pages are hashed as they come, and their bytes are given up then, but for the first page of
/// each run: a transition may have gigabytes.
public struct TransitionAssembler: Sendable {
    /// A run that may go on.
    private struct OpenRun {
        var pages: [Page] = []
        var head: ArraySlice<UInt8> = []
        var next: Address?
        /// Of all bytes; from the second page on.
        var builder: DigestBuilder?

        mutating func add(_ page: Page, _ content: PageContent) {
            if pages.isEmpty {
                head = content.bytes
            } else {
                if builder == nil {
                    builder = DigestBuilder()
                    builder?.add(head)
                }
                builder?.add(content.bytes)
            }
            var page = page
            if case .content(_, let reader) = page.body {
                page.body = .content(content.withoutBytes, reader: reader)
            }
            pages.append(page)
            next = page.address.advanced(by: UInt64(page.size))
        }

        func finished() -> PageRun? {
            guard let digest = builder?.current ?? pages.first?.digest else { return nil }
            return PageRun(pages: pages, digest: digest, head: head)
        }
    }

    private struct OpenCapture {
        var transition: Transition
        var runs: [PageRun] = []
        var run = OpenRun()
        var unreadable: [Page] = []
        var losses: [Loss] = []

        /// Returns the run that ends before this page, if there is one.
        mutating func add(_ page: Page) -> PageRun? {
            guard case .content(let content, _) = page.body else {
                unreadable.append(page)
                return nil
            }
            let closed = page.address != run.next ? closeRun() : nil
            run.add(page, content)
            return closed
        }

        /// Returns the run that is closed with it, if there is one.
        @discardableResult
        mutating func closeRun() -> PageRun? {
            defer { run = OpenRun() }
            guard let finished = run.finished() else { return nil }
            runs.append(finished)
            return finished
        }

        mutating func finish(_ end: TransitionEnd?) -> TransitionCapture {
            closeRun()
            return TransitionCapture(
                transition: transition, runs: runs, unreadable: unreadable, losses: losses,
                end: end)
        }
    }

    private var open: [Transition.ID: OpenCapture] = [:]
    /// The run that the last event has closed, if its transition goes on.
    public private(set) var closedRun: PageRun?

    public init() {}

    /// Takes an event; returns the transition that it completes, if it does.
    public mutating func take(_ event: Event) -> TransitionCapture? {
        closedRun = nil
        switch event {
        case .transition(let transition):
            var capture = OpenCapture(transition: transition)
            if transition.hasPages {
                open[transition.id] = capture
                return nil
            }
            return capture.finish(nil)
        case .page(let page):
            closedRun = open[page.transition]?.add(page)
            return nil
        case .loss(let loss):
            if let id = loss.transition { open[id]?.losses.append(loss) }
            return nil
        case .transitionEnd(let end):
            var whole = open.removeValue(forKey: end.transition)
            return whole?.finish(end)
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
            .map { capture in
                var capture = capture
                return capture.finish(nil)
            }
    }
}
