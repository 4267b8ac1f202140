// SPDX-License-Identifier: MIT
import Glibc
import Husk

/// What is shown of work that takes longer than a moment: one line on a terminal, written over
/// again and again; elsewhere nothing.
struct ProgressLine {
    private let isWanted = TerminalScreen.isAddressable
    private let began = ContinuousClock.now
    private var next = ContinuousClock.now + .seconds(1)
    private var isShown = false

    /// Now and then.
    mutating func show(_ done: UInt64, of total: UInt64, _ unit: ProgressBar.Unit = .bytes) {
        guard isWanted, ContinuousClock.now >= next else { return }
        next = ContinuousClock.now + .milliseconds(200)
        // -1: job control is not about this terminal.
        guard [-1, getpgrp()].contains(tcgetpgrp(STDERR_FILENO)) else { return }
        isShown = true
        let bar = ProgressBar(
            done: done, total: total, unit: unit, elapsed: ContinuousClock.now - began)
        let columns = TerminalSize.current(of: STDERR_FILENO)?.columns ?? 80
        _ = LineOutput.standardError.write(Array("\r\u{1B}[K\(bar.text(columns: columns))".utf8))
    }

    /// What comes next is written over it.
    mutating func clear() {
        if isShown { _ = LineOutput.standardError.write(Array("\r\u{1B}[K".utf8)) }
        isShown = false
    }
}

/// The same of pages that are being written.
struct WriteProgress {
    private let total: UInt64
    private var done: UInt64 = 0
    private var line = ProgressLine()

    /// - Parameter total: in bytes.
    init(of total: UInt64) {
        self.total = total
    }

    mutating func add(_ bytes: Int) {
        done &+= UInt64(max(0, bytes))
        line.show(done, of: total)
    }

    mutating func clear() { line.clear() }
}
