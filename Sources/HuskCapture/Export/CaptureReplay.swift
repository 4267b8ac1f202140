// SPDX-License-Identifier: MIT
public import HuskModel

extension CaptureFile {
    /// Gives the events again as ``forEachEvent(pages:upTo:_:)`` does, each page with its bytes.
    ///
    /// - Parameter body: returns false to end.
    public func replay(_ body: (_ position: Int64, _ event: Event) throws -> Bool) throws {
        try forEachEvent { position, event, content in
            guard case .page(var page) = event, let content,
                case .content(_, let reader) = page.body
            else { return try body(position, event) }
            page.body = .content(PageContent(try bytes(of: content)), reader: reader)
            return try body(position, .page(page))
        }
    }

    /// Gives transitions with all that came of them, and the events that stand for themselves, in
    /// the order in which `--json` prints them.
    ///
    /// - Parameter body: returns false to end.
    /// - Returns: the sums; nil: it was ended.
    @discardableResult
    public func replayLines(
        _ body: (_ position: Int64, ReplayedLine) throws -> Bool
    ) throws -> CaptureTally? {
        var assembler = TransitionAssembler()
        var tally = CaptureTally(isOfStored: true)
        var last: Int64 = 0
        var goesOn = true
        try replay { position, event in
            last = position
            tally.add(event)
            if let capture = assembler.take(event) {
                goesOn = try body(position, .transition(capture))
            }
            switch event {
            case .transition, .page, .transitionEnd: break
            default: if goesOn { goesOn = try body(position, .event(event)) }
            }
            return goesOn
        }
        guard goesOn else { return nil }
        for capture in assembler.finish() {
            last += 1
            guard try body(last, .transition(capture)) else { return nil }
        }
        return tally
    }

    /// How the command that Husk has started ended, if it has started one.
    public var targetStatus: TargetStatus? {
        if let code = info.targetExitCode { return TargetStatus(exitCode: code) }
        return info.targetSignal.map(TargetStatus.init(signal:))
    }
}

/// What one line of output tells.
public enum ReplayedLine: Hashable, Sendable {
    case transition(TransitionCapture)
    case event(Event)

    /// Bytes of pages that it tells of.
    public var byteCount: Int {
        if case .transition(let capture) = self { capture.byteCount } else { 0 }
    }
}
