// SPDX-License-Identifier: MIT
import Glibc
import Husk
import HuskCapture

/// Where the lines of an answer go: the first one at once, later ones some thousand at a time.
final class QuestionOutput {
    private let output = LineOutput.standardOutput
    private var waiting: [UInt8] = []
    private var hasWritten = false
    private static let portion = 1 << 15

    var takesColour: Bool { output.takesColour }
    var isTerminal: Bool { output.isTerminal }

    init() {
        // `| head -1` is no failure: the write says EPIPE.
        signal(SIGPIPE, SIG_IGN)
    }

    /// False: nobody reads any more. For callbacks that go on as long as they return true.
    func add(_ line: [UInt8]) -> Bool {
        waiting += line
        guard !hasWritten || waiting.count >= Self.portion else { return true }
        hasWritten = true
        return flush()
    }

    func add(_ line: String) -> Bool { add(Array((line + "\n").utf8)) }

    /// What comes before the first line of an answer, and is not one.
    func addHeader(_ line: String) { waiting += (line + "\n").utf8 }

    private func flush() -> Bool {
        defer { waiting.removeAll(keepingCapacity: true) }
        return output.write(waiting)
    }

    /// Writes the rest.
    func finish() throws {
        _ = flush()
        guard output.error == 0 || output.error == EPIPE else {
            throw OutputError(cannot: "write", "the answer", errno: output.error)
        }
    }

    enum Colour: String {
        case red = "31"
        case green = "32"
        case dim = "2"
    }

    func paint(_ text: String, _ colour: Colour) -> String {
        takesColour ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
    }
}

/// Columns of a list, of fixed widths: it is written while it is read.
struct Columns {
    private let columns: [(title: String, width: Int)]

    /// - Parameter columns: a negative width aligns to the right.
    init(_ columns: (title: String, width: Int)...) {
        self.columns = columns
    }

    var header: String { line(columns.map(\.title)) }

    func line(_ cells: [String]) -> String {
        zip(columns, cells).map { column, cell in
            let blanks = String(repeating: " ", count: max(0, abs(column.width) - cell.count))
            return column.width < 0 ? blanks + cell : cell + blanks
        }.joined(separator: " ").trimmingTrailingBlanks()
    }
}

extension CaptureInfo {
    /// Seconds since the trace began, as lists show them.
    func clock(_ time: Timestamp) -> String {
        Wording.seconds(time.monotonic >= started ? time.monotonic - started : 0)
    }
}
