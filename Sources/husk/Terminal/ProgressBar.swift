// SPDX-License-Identifier: MIT
import Husk

/// How far work has come of which one knows how much it is:
/// `[#####.....] 43 %  120 MiB of 280 MiB  85 MiB/s  0:02 left`. ASCII only.
struct ProgressBar {
    /// What is counted.
    enum Unit {
        case bytes
        case items(String)
    }

    var done: UInt64
    var total: UInt64
    var unit = Unit.bytes
    var elapsed: Duration

    /// In so many columns, at most.
    func text(columns: Int) -> String {
        let done = min(done, total)
        let percent = total == 0 ? 100 : Int(Double(done) / Double(total) * 100)
        var parts = ["\(percent) %", amount(done)]
        let seconds = elapsed / .seconds(1)
        if done > 0, seconds > 0 {
            let rate = Double(done) / seconds
            parts.append(speed(rate))
            let left = Double(total - done) / rate
            if left < 359_999 {
                parts.append("\(FigureRow.clock(.seconds(left.rounded(.up)))) left")
            }
        }
        // A character in the last column makes some terminals wrap.
        let width = max(1, columns - 1)
        while parts.count > 1, bar(percent, width, parts) == nil { parts.removeLast() }
        return bar(percent, width, parts) ?? TerminalText.cut(parts[0], to: width)
    }

    /// Nil: it does not fit.
    private func bar(_ percent: Int, _ width: Int, _ parts: [String]) -> String? {
        let text = parts.joined(separator: "  ")
        let cells = min(30, width - text.utf8.count - 3)
        guard cells >= 10 else { return nil }
        let full = cells * percent / 100
        return "[" + String(repeating: "#", count: full)
            + String(repeating: ".", count: cells - full) + "] " + text
    }

    private func amount(_ done: UInt64) -> String {
        switch unit {
        case .bytes: "\(TextLines.size(done)) of \(TextLines.size(total))"
        case .items(let noun): "\(done) of \(TextLines.count(total, noun))"
        }
    }

    private func speed(_ rate: Double) -> String {
        let rate = UInt64(min(rate, 1e18))
        return switch unit {
        case .bytes: "\(TextLines.size(rate))/s"
        case .items: "\(rate)/s"
        }
    }
}
