// SPDX-License-Identifier: MIT
import Glibc
import Husk

/// What a terminal shows of a trace while it runs, beside the lines: the status line, or with
/// `--live` the table. Used by the main thread, between its waits.
final class TraceDisplay {
    let meter: TraceMeter
    private let screen: TerminalScreen
    private let usesColour = LineOutput.standardError.takesColour
    /// Nil: it is the status line that is shown.
    private var table: LiveTable?

    private var ringFill: () -> Double? = { nil }
    private var began: ContinuousClock.Instant?
    private(set) var next = Deadline(after: nil)
    /// For which size it stands on the screen at present.
    private var drawn: TerminalSize?
    private var shown = TraceFigures()

    /// For a moment's work it is not worth moving what the terminal shows.
    private static let firstDelay = Duration.milliseconds(400)
    private static let busyInterval = Duration.milliseconds(250)
    private static let idleInterval = Duration.seconds(1)
    private static let tableInterval = Duration.milliseconds(500)

    /// Nil: nothing is to be shown, or there is no terminal for it.
    init?(_ options: TraceOptions, title: String) {
        guard options.live || !options.quiet && !options.hidesStatus, let screen = TerminalScreen()
        else { return nil }
        self.screen = screen
        meter = TraceMeter(regions: options.live ? LiveRegions(hidden: options.hiddenKinds) : nil)
        if options.live {
            var table = LiveTable(title: TargetText(title))
            table.usesColour = usesColour
            self.table = table
        }
    }

    /// The signals that have something to say about the terminal.
    static let signals = [SIGTSTP, SIGCONT, SIGWINCH]

    var isTable: Bool { table != nil }

    /// The trace runs.
    func begin(_ tracer: Tracer) {
        ringFill = { [weak tracer] in tracer?.ringFill }
        began = .now
        next = Deadline(after: isTable ? .zero : Self.firstDelay)
    }

    /// Draws what is due.
    func refresh() {
        guard let began, next.hasPassed else { return }
        let figures = meter.figures
        let isNews = figures != shown
        next = Deadline(
            after: isTable ? Self.tableInterval : isNews ? Self.busyInterval : Self.idleInterval)
        guard screen.isForeground, isTable || screen.isInLineMode, let size = screen.size,
            isTable || StatusLine.fits(size)
        else {
            hide()
            return
        }
        let elapsed = ContinuousClock.now - began
        if screen.draw(preparation(size) + picture(figures, elapsed, size)) {
            (drawn, shown) = (size, figures)
        }
    }

    private func preparation(_ size: TerminalSize) -> String {
        guard size != drawn else { return "" }
        if isTable { return drawn == nil ? LiveTable.enter : "" }
        return StatusLine.reserve(size, again: drawn != nil)
    }

    private func picture(
        _ figures: TraceFigures, _ elapsed: Duration, _ size: TerminalSize
    ) -> String {
        guard var table else {
            return StatusLine(usesColour: usesColour)
                .draw(FigureRow(figures, elapsed: elapsed, ringFill: ringFill()), size)
        }
        table.figures = figures
        table.elapsed = elapsed
        table.ringFill = ringFill()
        table.regions = meter.latestRegions(LiveTable.capacity(size))
        table.now = SystemClock.monotonic
        return table.picture(size)
    }

    /// In the table; the status line leaves room for lines.
    func say(_ message: String) {
        table?.message = message
    }

    /// Takes back what is drawn.
    private func hide() {
        guard let drawn else { return }
        let picture = isTable ? LiveTable.leave : StatusLine.release(drawn, now: screen.size)
        // One that takes nothing (Ctrl-S) must not keep Husk.
        if screen.draw(picture, within: .seconds(1)) { self.drawn = nil }
    }

    /// Husk is about to be stopped.
    func pause() { hide() }

    /// The window has changed, or Husk goes on and someone else has had the terminal.
    func redraw(afterPause: Bool) {
        guard began != nil else { return }
        if afterPause { drawn = nil }
        // A window that is dragged to another size tells of each step.
        next = Deadline(after: .milliseconds(100))
    }

    /// From now on only lines are written.
    func end() {
        hide()
        began = nil
        next = Deadline(after: nil)
    }
}
