// SPDX-License-Identifier: MIT
import Husk

/// What is told of a trace while it runs.
struct TraceFigures: Equatable, Sendable {
    var transitions: UInt64 = 0
    var regions: UInt64 = 0
    var pages: UInt64 = 0
    var bytes: UInt64 = 0
    var lost: UInt64 = 0
    var unreadable: UInt64 = 0

    init() {}

    init(_ tally: CaptureTally) {
        transitions = UInt64(tally.transitions)
        regions = UInt64(tally.regions)
        pages = UInt64(tally.pages)
        bytes = tally.bytes
        lost = tally.lost
        unreadable = UInt64(tally.unreadable)
    }

    /// So far.
    var isComplete: Bool { lost == 0 && unreadable == 0 }
}

/// Figures side by side, as many as there is room for.
struct FigureRow {
    private struct Part {
        var text: String
        var colour: ControlSequence.Colour?
        /// The lower, the sooner it is left out.
        var weight: Int
    }

    private var parts: [Part] = []

    /// What the status line and the table's head have in common.
    ///
    /// - Parameter ringFill: from 0 to 1.
    init(_ figures: TraceFigures, elapsed: Duration, ringFill: Double?) {
        add(Self.clock(elapsed), weight: 10)
        add(TextLines.count(figures.transitions, "transition"), weight: 5)
        add(TextLines.count(figures.pages, "page"), weight: 8)
        add(TextLines.size(figures.bytes), weight: 4)
        add("\(figures.lost) lost", figures.lost > 0 ? .red : nil, weight: 9)
        if figures.unreadable > 0 {
            add("\(figures.unreadable) unreadable", .yellow, weight: 6)
        }
        if let ringFill {
            // Rounded up: 0 is an empty ring.
            add("ring \(Int((min(1, max(0, ringFill)) * 100).rounded(.up))) %", weight: 7)
        }
    }

    mutating func add(_ text: String, _ colour: ControlSequence.Colour? = nil, weight: Int) {
        parts.append(Part(text: text, colour: colour, weight: weight))
    }

    /// In so many cells at most.
    func text(cells width: Int, usesColour: Bool) -> String {
        var kept = parts
        while kept.count > 1, Self.cells(of: kept) > width,
            let least = kept.indices.min(by: { kept[$0].weight < kept[$1].weight })
        {
            kept.remove(at: least)
        }
        guard Self.cells(of: kept) <= width else {
            return TerminalText.cut(kept.first?.text ?? "", to: width)
        }
        return kept.map { usesColour ? ControlSequence.paint($0.text, $0.colour) : $0.text }
            .joined(separator: Self.gap)
    }

    private static let gap = "  "

    private static func cells(of parts: [Part]) -> Int {
        parts.reduce(gap.count * (parts.count - 1)) { $0 + TerminalText.cells(of: $1.text) }
    }

    /// `0:07`, `12:34`, `1:02:03`.
    static func clock(_ span: Duration) -> String {
        let seconds = max(0, span.components.seconds)
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let (minutes, hours) = (seconds / 60, seconds / 3600)
        return hours > 0
            ? "\(hours):\(two(minutes % 60)):\(two(seconds % 60))"
            : "\(minutes):\(two(seconds % 60))"
    }
}
