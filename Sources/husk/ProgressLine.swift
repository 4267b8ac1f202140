// SPDX-License-Identifier: MIT
import Husk

/// What is shown of work that takes longer than a moment: one line on a terminal, written over
/// again and again; elsewhere nothing.
struct ProgressLine {
    private let isWanted = LineOutput.standardError.isTerminal
    private var next = ContinuousClock.now + .seconds(1)
    private var isShown = false

    /// Now and then; the text is made when it is shown.
    mutating func show(_ text: @autoclosure () -> String) {
        guard isWanted, ContinuousClock.now >= next else { return }
        next = ContinuousClock.now + .milliseconds(200)
        isShown = true
        _ = LineOutput.standardError.write(Array("\r\u{1B}[Khusk: \(text())".utf8))
    }

    /// What comes next is written over it.
    mutating func clear() {
        if isShown { _ = LineOutput.standardError.write(Array("\r\u{1B}[K".utf8)) }
        isShown = false
    }
}

/// The same of a file that is being written.
struct WriteProgress {
    private let name: String
    private let total: UInt64
    private var done: UInt64 = 0
    private var line = ProgressLine()

    /// - Parameter total: in bytes.
    init(of name: String, total: UInt64) {
        self.name = TargetText(name).escaped
        self.total = total
    }

    mutating func add(_ bytes: Int) {
        done &+= UInt64(max(0, bytes))
        let (name, done, total) = (name, done, total)
        line.show("\(name): \(TextLines.size(done)), \(Self.percent(done, of: total)) %")
    }

    private static func percent(_ done: UInt64, of total: UInt64) -> Int {
        total == 0 ? 100 : Int(min(100, Double(done) * 100 / Double(total)))
    }

    mutating func clear() { line.clear() }
}
