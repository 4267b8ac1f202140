// SPDX-License-Identifier: MIT

/// What a terminal would show of what was written to it: as much of a VT100 and of xterm as Husk and
/// the programs that it traces in tests make use of. What it does not know it notes, and tests fail.
public struct VirtualScreen: Sendable {
    private struct Cell: Sendable {
        var character: Character = " "
        var foreground = 0
    }

    private struct Cursor: Sendable {
        var row = 0
        var column = 0
        var foreground = 0
    }

    public private(set) var rows: Int
    public private(set) var columns: Int
    private var cells: [[Cell]]
    /// Of the main screen, while the alternate one is shown.
    private var mainCells: [[Cell]]?
    private var cursor = Cursor()
    private var saved = Cursor()
    private var savedForAlternate = Cursor()
    private var margins: ClosedRange<Int>
    private var wraps = true
    /// The last column has been written: the next character goes to the next row.
    private var wrapsNext = false
    public private(set) var showsCursor = true
    public private(set) var unknown: [String] = []
    /// How often a line was broken because it was too long.
    public private(set) var wrapCount = 0
    private var pending: [UInt8] = []

    public init(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
        cells = Self.blank(rows, columns)
        margins = 0...(rows - 1)
    }

    private static func blank(_ rows: Int, _ columns: Int) -> [[Cell]] {
        Array(repeating: Array(repeating: Cell(), count: columns), count: rows)
    }

    // MARK: What is seen

    public var lines: [String] { cells.map(Self.text) }

    /// From the bottom: 0 is the last row.
    public func line(fromBottom number: Int) -> String { Self.text(cells[rows - 1 - number]) }

    public var text: String { lines.joined(separator: "\n") }

    public var isAlternate: Bool { mainCells != nil }

    /// Rows that scroll.
    public var scrollRegion: ClosedRange<Int> { margins }

    public var cursorRow: Int { cursor.row }
    public var cursorColumn: Int { cursor.column }

    /// What is painted in this colour (30 to 37), row by row.
    public func painted(_ colour: Int) -> [String] {
        cells.map { row in
            String(row.filter { $0.foreground == colour }.map(\.character))
        }.filter { !$0.isEmpty }
    }

    private static func text(_ row: [Cell]) -> String {
        var text = String(row.map(\.character))
        while text.last == " " { text.removeLast() }
        return text
    }

    // MARK: What is done

    /// As xterm does it: what is above stays, unless the cursor would be outside.
    public mutating func resize(rows: Int, columns: Int) {
        func fit(_ cells: [[Cell]], dropping: Int) -> [[Cell]] {
            var kept = Array(cells.dropFirst(dropping).prefix(rows))
            kept = kept.map { row in
                Array(row.prefix(columns))
                    + Array(repeating: Cell(), count: max(0, columns - row.count))
            }
            return kept + Self.blank(max(0, rows - kept.count), columns)
        }
        let above = max(0, cursor.row - rows + 1)
        cells = fit(cells, dropping: above)
        mainCells = mainCells.map { fit($0, dropping: 0) }
        (self.rows, self.columns) = (rows, columns)
        cursor.row -= above
        cursor.column = min(cursor.column, columns - 1)
        margins = 0...(rows - 1)
        wrapsNext = false
    }

    public mutating func feed(_ bytes: some Sequence<UInt8>) {
        pending += bytes
        var rest = pending[...]
        while !rest.isEmpty {
            guard let used = step(rest) else { break }  // the end is still to come
            rest = rest.dropFirst(used)
        }
        pending = Array(rest)
    }

    /// How many bytes were used; nil: that is not all of it yet.
    private mutating func step(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard let first = bytes.first else { return nil }
        switch first {
        case 0x1B: return escape(bytes)
        case 0x0D: (cursor.column, wrapsNext) = (0, false)
        case 0x0A: index()
        case 0x08: (cursor.column, wrapsNext) = (max(0, cursor.column - 1), false)
        case 0x09: cursor.column = min(columns - 1, (cursor.column / 8 + 1) * 8)
        case 0x07: break
        case ..<0x20: unknown.append("control \(first)")
        default:
            let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
            guard bytes.count >= length else { return nil }
            for character in String(decoding: bytes.prefix(length), as: UTF8.self) {
                put(character)
            }
            return length
        }
        return 1
    }

    private mutating func put(_ character: Character) {
        if wrapsNext, wraps {
            wrapCount += 1
            cursor.column = 0
            index()
        }
        cells[cursor.row][cursor.column] = Cell(
            character: character, foreground: cursor.foreground)
        wrapsNext = cursor.column == columns - 1
        if !wrapsNext { cursor.column += 1 }
    }

    /// A row down; at the bottom of what scrolls, that goes up.
    private mutating func index() {
        wrapsNext = false
        if cursor.row == margins.upperBound {
            cells.remove(at: margins.lowerBound)
            cells.insert(Self.blank(1, columns)[0], at: margins.upperBound)
        } else if cursor.row < rows - 1 {
            cursor.row += 1
        }
    }

    private mutating func escape(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard let second = bytes.dropFirst().first else { return nil }
        switch second {
        case UInt8(ascii: "7"): saved = cursor
        case UInt8(ascii: "8"):
            cursor = saved
            cursor.row = min(cursor.row, rows - 1)
            cursor.column = min(cursor.column, columns - 1)
            wrapsNext = false
        case UInt8(ascii: "D"): index()
        case UInt8(ascii: "["):
            guard let end = bytes.dropFirst(2).firstIndex(where: { (0x40...0x7E).contains($0) })
            else { return nil }
            let body = String(
                decoding: bytes[(bytes.startIndex + 2)..<end], as: UTF8.self)
            control(body, Character(Unicode.Scalar(bytes[end])))
            return end - bytes.startIndex + 1
        default: unknown.append("ESC \(Character(Unicode.Scalar(second)))")
        }
        return 2
    }

    private mutating func control(_ body: String, _ final: Character) {
        let isPrivate = body.hasPrefix("?")
        let numbers = body.drop { $0 == "?" }
            .split(separator: ";", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        let first = numbers.first ?? 0
        if isPrivate {
            mode(first, final == "h")
            return
        }
        wrapsNext = false
        switch final {
        case "A": cursor.row = max(0, cursor.row - max(1, first))
        case "H":
            cursor.row = min(rows, max(1, first)) - 1
            cursor.column = min(columns, max(1, numbers.count > 1 ? numbers[1] : 1)) - 1
        case "J":
            if first == 0 { erase(from: cursor.column) }
            for row in (first == 0 ? cursor.row + 1 : 0)..<max(rows, cursor.row + 1) {
                cells[row] = Self.blank(1, columns)[0]
            }
        case "K": erase(from: first == 2 ? 0 : cursor.column)
        case "r":
            let last = numbers.count > 1 && numbers[1] > 0 ? numbers[1] : rows
            margins = (max(1, first) - 1)...(min(rows, last) - 1)
            (cursor.row, cursor.column) = (0, 0)
        case "m":
            for number in numbers {
                if number == 0 || number == 39 { cursor.foreground = 0 }
                if (30...37).contains(number) { cursor.foreground = number }
            }
        default: unknown.append("CSI \(body)\(final)")
        }
    }

    private mutating func erase(from column: Int) {
        for index in column..<columns { cells[cursor.row][index] = Cell() }
    }

    private mutating func mode(_ number: Int, _ isOn: Bool) {
        switch number {
        case 7: wraps = isOn
        case 25: showsCursor = isOn
        case 1049 where isOn:
            guard mainCells == nil else { break }
            savedForAlternate = cursor
            mainCells = cells
            cells = Self.blank(rows, columns)
        case 1049:
            guard let main = mainCells else { break }
            cells = main
            mainCells = nil
            cursor = savedForAlternate
        case 1, 1004, 2004, 2026: break  // keys, focus, pasting: nothing to see
        default: unknown.append("mode \(number)")
        }
    }
}
