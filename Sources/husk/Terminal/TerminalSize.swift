// SPDX-License-Identifier: MIT
import Glibc

/// In character cells.
struct TerminalSize: Equatable {
    /// 0: the terminal does not say.
    var rows: Int
    var columns: Int

    /// What the terminal says; the user's COLUMNS can make it narrower, and stands in where it says
    /// nothing (a serial line).
    static func current(of descriptor: Int32) -> TerminalSize? {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 else { return nil }
        return TerminalSize(
            rows: Int(size.ws_row), columns: Int(size.ws_col),
            wanted: getenv("COLUMNS").flatMap { Int(String(cString: $0)) })
    }

    /// No window is larger; what says so is not believed.
    private static let limit = 4096

    /// - Parameter wanted: the columns that the user has named.
    init(rows: Int, columns: Int, wanted: Int? = nil) {
        let wanted = wanted.flatMap { $0 > 0 ? $0 : nil }
        self.rows = min(rows, Self.limit)
        self.columns = min(columns > 0 ? min(columns, wanted ?? columns) : wanted ?? 80, Self.limit)
    }
}
