// SPDX-License-Identifier: MIT

/// A row at the bottom of the terminal that does not scroll with what is above it, as apt(8) has
/// one: the lines of the target and of Husk go on scrolling in the rows above.
///
/// Pure: it says what to write. All of it is Husk's own text.
struct StatusLine {
    let usesColour: Bool

    /// What scrolls should be more than what does not.
    static func fits(_ size: TerminalSize) -> Bool { size.rows >= 4 }

    /// Takes the bottom row out of what scrolls. What is on it, and the cursor, go up by one.
    ///
    /// - Parameter again: the window has another size now, and what was drawn is somewhere below the
    ///   cursor.
    static func reserve(_ size: TerminalSize, again: Bool) -> String {
        typealias Now = ControlSequence
        return (again ? Now.eraseBelow : "")
            + Now.save + Now.wholeScrollRegion + Now.restore
            + Now.down + Now.save + Now.scrollRegion(rows: size.rows - 1) + Now.restore + Now.up
    }

    /// - Parameter drawn: the size for which the row was reserved.
    static func release(_ drawn: TerminalSize, now: TerminalSize?) -> String {
        typealias Now = ControlSequence
        if let now, now != drawn {
            return Now.save + Now.wholeScrollRegion + Now.restore + Now.eraseBelow
        }
        return Now.save + Now.wholeScrollRegion + Now.row(drawn.rows) + Now.plain
            + Now.eraseLine + Now.restore
    }

    func draw(_ figures: FigureRow, _ size: TerminalSize) -> String {
        typealias Now = ControlSequence
        // A character in the last column makes some terminals wrap.
        let text = figures.text(cells: max(0, size.columns - 7), usesColour: usesColour)
        let line = TerminalText.cut("husk", to: max(0, size.columns - 1))
        return Now.save + Now.row(size.rows) + Now.plain
            + (usesColour ? Now.reverse + line + Now.plain : line)
            + (text.isEmpty ? "" : "  " + text) + Now.eraseRestOfLine + Now.restore
    }
}
