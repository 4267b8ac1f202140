// SPDX-License-Identifier: MIT
import Husk

/// The picture of `--live`: sums, and under them the regions that changed last.
///
/// Pure: it says what to write. What comes from targets is escaped and cut, so that each line is as
/// long as the terminal is wide, at most.
struct LiveTable {
    /// The command, or the processes.
    var title: TargetText
    var figures = TraceFigures()
    var elapsed = Duration.zero
    /// From 0 to 1.
    var ringFill: Double?
    /// What Husk has to say at present.
    var message: String?
    /// Most recently changed first.
    var regions: [LiveRegion] = []
    /// CLOCK_MONOTONIC, nanoseconds.
    var now: UInt64 = 0
    var usesColour = false

    /// Rows that are left for regions.
    static func capacity(_ size: TerminalSize) -> Int { max(0, rows(size) - headRows) }

    private static let headRows = 4

    private static let roomBesideRanges = 16

    private static func rows(_ size: TerminalSize) -> Int { size.rows > 0 ? size.rows : 24 }

    /// All of it, drawn over what is there without clearing it first: nothing flickers.
    func picture(_ size: TerminalSize) -> String {
        typealias Now = ControlSequence
        return Now.hideCursor + Now.wholeScrollRegion + Now.plain + Now.cut + Now.home
            + lines(size).joined(separator: Now.eraseRestOfLine + "\r\n")
            + Now.eraseRestOfLine + (lines(size).count < Self.rows(size) ? Now.eraseBelow : "")
            + Now.wrap
    }

    static let enter = ControlSequence.enterAlternateScreen + ControlSequence.hideCursor
    static let leave =
        ControlSequence.wholeScrollRegion + ControlSequence.plain + ControlSequence.home
        + ControlSequence.eraseBelow + ControlSequence.showCursor
        + ControlSequence.leaveAlternateScreen

    /// From the top; not more than there are rows, none wider than there are columns.
    func lines(_ size: TerminalSize) -> [String] {
        // A character in the last column makes some terminals wrap.
        let width = max(1, size.columns - 1)
        let columns = Self.columns(for: shown(size), now, width)
        var lines = [
            TerminalText.cut("husk: " + title.escaped, to: width), sums(width),
            TerminalText.cut(message.map { TargetText($0).escaped } ?? "", to: width),
        ]
        let titles = columns.map {
            TerminalText.pad($0.column.title, to: $0.width, right: $0.column.isRight)
        }.joined(separator: " ")
        let head = TerminalText.pad(titles, to: width)
        lines.append(
            usesColour ? ControlSequence.reverse + head + ControlSequence.plain : head)
        lines += shown(size).map { line($0, columns, width) }
        return Array(lines.prefix(Self.rows(size)))
    }

    private func shown(_ size: TerminalSize) -> ArraySlice<LiveRegion> {
        regions.prefix(Self.capacity(size))
    }

    private func sums(_ width: Int) -> String {
        var row = FigureRow(figures, elapsed: elapsed, ringFill: ringFill)
        row.add(
            figures.isComplete ? "complete so far" : "INCOMPLETE",
            figures.isComplete ? nil : .red, weight: 3)
        row.add(TextLines.count(figures.regions, "region"), weight: 2)
        return row.text(cells: width, usesColour: usesColour)
    }

    private func line(
        _ region: LiveRegion, _ columns: [PlacedColumn], _ width: Int
    ) -> String {
        let cells = columns.map { placed in
            let cell = TerminalText.pad(
                placed.column.text(region, now), to: placed.width, right: placed.column.isRight,
                keepingEnd: placed.column == .what && region.backing.file?.path != nil)
            guard usesColour, placed.column == .protection else { return cell }
            return ControlSequence.paint(cell, Self.colour(of: region))
        }
        let line = cells.joined(separator: " ")
        // In a window that is narrower than what is always shown.
        let least = columns.reduce(columns.count - 1) { $0 + $1.width }
        return least > width ? TerminalText.cut(line, to: width) : line
    }

    private static func colour(of region: LiveRegion) -> ControlSequence.Colour? {
        if region.isGone || !region.protection.contains(.execute) { return .dim }
        if region.protection.contains(.write) { return .red }
        return region.backing.file == nil ? .yellow : nil
    }

    // MARK: Columns

    private struct PlacedColumn {
        var column: LiveColumn
        var width: Int
    }

    /// As many as there is room for, each as wide as what is in it.
    private static func columns(
        for regions: ArraySlice<LiveRegion>, _ now: UInt64, _ width: Int
    ) -> [PlacedColumn] {
        for choice in LiveColumn.choices {
            let wanted = choice.map { column in
                PlacedColumn(
                    column: column,
                    width: regions.reduce(column.title.count) {
                        max($0, TerminalText.cells(of: column.text($1, now)))
                    })
            }
            var needed = least(of: wanted)
            // Whether ranges are shown depends on the window, not on what is in it.
            if choice.contains(.range) { needed += Self.roomBesideRanges }
            if needed <= width || choice == LiveColumn.choices.last {
                return share(width, among: wanted)
            }
        }
        return []
    }

    private static func least(of wanted: [PlacedColumn]) -> Int {
        wanted.reduce(wanted.count - 1) { $0 + min($1.width, $1.column.least ?? $1.width) }
    }

    /// What can be cut gets what is left: the last column most of it.
    private static func share(_ width: Int, among wanted: [PlacedColumn]) -> [PlacedColumn] {
        var room = max(0, width - least(of: wanted))
        let last = wanted.last.map { $0.width - min($0.width, $0.column.least ?? $0.width) } ?? 0
        return wanted.map { placed in
            guard let least = placed.column.least, placed.width > least else { return placed }
            let part = min(
                placed.width - least, placed.column == .what ? room : max(room / 4, room - last))
            room -= part
            return PlacedColumn(column: placed.column, width: least + part)
        }
    }
}
