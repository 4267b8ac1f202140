// SPDX-License-Identifier: MIT

/// How much room text takes on a terminal. For text without control characters, as
/// `TargetText.escaped` makes it; never less than a terminal takes.
enum TerminalText {
    static func cells(of text: String) -> Int {
        text.unicodeScalars.reduce(0) { $0 + cells(of: $1) }
    }

    static func cells(of scalar: Unicode.Scalar) -> Int {
        if scalar.value < 0x1100 { return 1 }
        return isWide(scalar) || scalar.properties.isEmojiPresentation ? 2 : 1
    }

    /// Cut to so many cells: from the end, or from the beginning (of a path, the end says more).
    static func cut(_ text: String, to width: Int, keepingEnd: Bool = false) -> String {
        guard cells(of: text) > width else { return text }
        let mark = width >= 6 ? ".." : ""
        var left = width - mark.count
        var kept = String.UnicodeScalarView()
        let scalars = Array(text.unicodeScalars)
        for scalar in keepingEnd ? scalars.reversed() : scalars {
            left -= cells(of: scalar)
            if left < 0 { break }
            kept.append(scalar)
        }
        guard keepingEnd else { return String(kept) + mark }
        var end = String.UnicodeScalarView()
        end.append(contentsOf: kept.reversed())
        return mark + String(end)
    }

    /// Exactly so many cells.
    static func pad(
        _ text: String, to width: Int, right: Bool = false, keepingEnd: Bool = false
    ) -> String {
        let text = cut(text, to: width, keepingEnd: keepingEnd)
        let blanks = String(repeating: " ", count: max(0, width - cells(of: text)))
        return right ? blanks + text : text + blanks
    }

    /// East Asian Wide and Fullwidth, by blocks; emoji and what is unassigned beside them.
    private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x1100...0x11FF, 0x2E80...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7FB, 0xF900...0xFAFF,
            0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
            0x16FE0...0x18DFF, 0x1AFF0...0x1B2FF, 0x1D300...0x1D37F, 0x1F000...0x1FAFF,
            0x20000...0x3FFFD:
            true
        default: false
        }
    }
}
