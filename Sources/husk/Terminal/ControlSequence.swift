// SPDX-License-Identifier: MIT

/// What terminals do, from the VT100 on (ECMA-48, and DEC's own).
enum ControlSequence {
    /// Cursor and attributes (DECSC, DECRC).
    static let save = "\u{1B}7"
    static let restore = "\u{1B}8"
    /// A row down in the same column; at the bottom, all goes up (IND).
    static let down = "\u{1B}D"
    static let up = "\u{1B}[A"
    static let home = "\u{1B}[H"
    static let eraseRestOfLine = "\u{1B}[K"
    static let eraseLine = "\u{1B}[2K"
    static let eraseBelow = "\u{1B}[J"
    static let plain = "\u{1B}[0m"
    static let reverse = "\u{1B}[7m"
    static let hideCursor = "\u{1B}[?25l"
    static let showCursor = "\u{1B}[?25h"
    /// What is too long for a row is cut (DECAWM).
    static let cut = "\u{1B}[?7l"
    static let wrap = "\u{1B}[?7h"
    /// xterm's second screen, without a history; the cursor is kept for the way back. Terminals
    /// that have none ignore it.
    static let enterAlternateScreen = "\u{1B}[?1049h"
    static let leaveAlternateScreen = "\u{1B}[?1049l"

    static func row(_ number: Int) -> String { "\u{1B}[\(number);1H" }

    /// What scrolls: the rows from the first on (DECSTBM). Moves the cursor home.
    static func scrollRegion(rows: Int) -> String { "\u{1B}[1;\(rows)r" }
    static let wholeScrollRegion = "\u{1B}[r"

    enum Colour: String {
        case red = "31"
        case yellow = "33"
        case dim = "2"
    }

    static func paint(_ text: String, _ colour: Colour?) -> String {
        guard let colour else { return text }
        return "\u{1B}[\(colour.rawValue)m\(text)\(plain)"
    }
}
