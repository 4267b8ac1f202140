// SPDX-License-Identifier: MIT
import Husk
import HuskTestSupport
import Testing

@testable import HuskCommand

/// The table as a value: what it shows, in which order, how wide.
@Suite("The live table")
struct LiveTableTests {
    private func region(
        _ id: Int64, changed: UInt64 = 0, process: String = "node",
        protection: Protection = [.read, .execute], backing: Backing = .anonymous
    ) -> LiveRegion {
        LiveRegion(
            id: id, pid: 4242, process: TargetText(process),
            start: Address(0x7f2c_0fcd_d000 + UInt64(id) << 16), length: 1 << 16,
            protection: protection, isGone: false, backing: backing, transitions: 3, pages: 16,
            generation: 2, changed: changed)
    }

    private func file(_ path: String) -> Backing {
        let text = TargetText(path)
        return .file(
            FileIdentity(
                deviceMajor: 8, deviceMinor: 1, inode: 1, linkCount: 1, name: text, path: text),
            offset: 0)
    }

    private func table(_ regions: [LiveRegion], colour: Bool = false) -> LiveTable {
        var table = LiveTable(title: TargetText("node app.js"))
        table.elapsed = .seconds(75)
        table.figures.transitions = 1234
        table.figures.pages = 5678
        table.figures.bytes = 5678 * 4096
        table.figures.regions = 9
        table.ringFill = 0.031
        table.regions = regions
        table.now = 5_000_000_000
        table.usesColour = colour
        return table
    }

    @Test("at 80 x 24 has all columns")
    func standard() {
        let lines = table([
            region(1, changed: 4_900_000_000, protection: [.read, .write, .execute]),
            region(2, changed: 0, backing: file("/usr/lib/x86_64-linux-gnu/libc.so.6")),
        ]).lines(TerminalSize(rows: 24, columns: 80))
        #expect(
            lines == [
                "husk: node app.js",
                "1:15  1234 transitions  5678 pages  22.1 MiB  0 lost  ring 4 %  complete so far",
                "",
                " PID PROCESS        START SIZE PROT TRANS PAGES GEN AGE WHAT                   ",
                "4242 node    7f2c0fced000  64K rwx!     3    16   2  0s anonymous              ",
                "4242 node    7f2c0fcfd000  64K r-x      3    16   2  5s ..4-linux-gnu/libc.so.6",
            ])
    }

    @Test(
        "stays within the terminal, whatever targets call themselves",
        arguments: [(24, 80), (10, 40), (60, 200), (4, 20), (1, 1), (0, 0)])
    func hostile(_ rows: Int, _ columns: Int) {
        let names = [
            "node", "\u{1B}[2J\u{1B}[H", "漢字漢字漢字漢字漢字漢字漢字漢字", "🧨🧨🧨🧨🧨🧨🧨🧨",
            String(repeating: "x", count: 4096), "a\nb\tc\r\u{202E}d", "",
        ]
        var regions = (0..<100).map { number in
            region(
                Int64(number), process: names[number % names.count],
                backing: file("/tmp/" + names[(number + 1) % names.count]))
        }
        regions[0].start = Address(0xFFFF_FFFF_FF60_0000)
        regions[1].length = .max
        regions[2].pages = .max
        regions[3].transitions = .max
        regions[4].changed = .max
        regions[5].pid = .max
        var table = table(regions)
        table.title = TargetText(names.joined(separator: " "))
        table.message = names.joined()
        table.figures.lost = .max
        table.figures.unreadable = .max
        let size = TerminalSize(rows: rows, columns: columns)
        let lines = table.lines(size)
        #expect(lines.count <= (rows == 0 ? 24 : rows))
        if rows >= 10 { #expect(lines.count == rows) }
        for line in lines {
            #expect(TerminalText.cells(of: line) < max(2, size.columns), "\(line)")
            #expect(line.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F })
        }
        // A terminal shows the same: nothing wraps, nothing scrolls.
        guard rows > 0, columns > 1 else { return }
        table.usesColour = true
        var screen = VirtualScreen(rows: rows, columns: columns)
        screen.feed("old\r\n".utf8)
        screen.feed(LiveTable.enter.utf8)
        screen.feed(table.picture(size).utf8)
        #expect(screen.wrapCount == 0)
        #expect(screen.unknown.isEmpty)
        #expect(screen.lines.first?.isEmpty == false)
        screen.feed(LiveTable.leave.utf8)
        #expect(!screen.isAlternate && screen.showsCursor)
        #expect(rows < 2 || screen.lines.first == String("old".prefix(columns)))
    }

    @Test("wide terminals show whole ranges, narrow ones what matters most")
    func columns() {
        let regions = [region(1), region(2)]
        let wide = table(regions).lines(TerminalSize(rows: 60, columns: 200))
        #expect(wide[3].contains(" RANGE "))
        #expect(wide[4].contains("7f2c0fced000-7f2c0fcfd000"))
        #expect(wide[1].hasSuffix("complete so far  9 regions"))
        let narrow = table(regions).lines(TerminalSize(rows: 10, columns: 40))
        #expect(narrow[1] == "1:15  5678 pages  0 lost  ring 4 %")
        #expect(narrow[3].hasPrefix(" PID        START "))
        #expect(narrow[4].contains("7f2c0fced000"))
        #expect(narrow[4].contains("r-x"))
    }

    @Test("what is writable and executable is marked; colour is there only if it is wanted")
    func marks() {
        let both = region(1, protection: [.read, .write, .execute])
        let plain = table([both]).picture(TerminalSize(rows: 24, columns: 80))
        #expect(plain.contains("rwx!"))
        #expect(!plain.contains("\u{1B}[31m"))
        #expect(!plain.contains("\u{1B}[7m"))
        var lossy = table([both], colour: true)
        lossy.figures.lost = 7
        let lines = lossy.lines(TerminalSize(rows: 24, columns: 80))
        #expect(lines[1].contains("\u{1B}[31m7 lost\u{1B}[0m"))
        #expect(lines[1].contains("\u{1B}[31mINCOMPLETE\u{1B}[0m"))
        #expect(lines[4].contains("\u{1B}[31mrwx!\u{1B}[0m"))
        var gone = region(3)
        gone.isGone = true
        #expect(table([gone]).lines(TerminalSize(rows: 24, columns: 80))[4].contains("gone"))
    }
}

@Suite("The status line's figures")
struct FigureRowTests {
    @Test(
        "as many as there is room for, the most telling ones last",
        arguments: [
            (80, "1:02:03  5 transitions  1 page  4 KiB  2 lost  ring 100 %"),
            (52, "1:02:03  5 transitions  1 page  2 lost  ring 100 %"),
            (24, "1:02:03  1 page  2 lost"), (10, "1:02:03"), (3, "1:0"), (0, ""),
        ])
    func widths(_ width: Int, _ text: String) {
        var figures = TraceFigures()
        (figures.transitions, figures.pages, figures.bytes, figures.lost) = (5, 1, 4096, 2)
        let row = FigureRow(figures, elapsed: .seconds(3723), ringFill: 1.5)
        #expect(row.text(cells: width, usesColour: false) == text)
    }
}
