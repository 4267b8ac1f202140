// SPDX-License-Identifier: MIT
import Foundation
import Glibc
import HuskTestSupport
import Testing

/// The status line, on a real terminal.
@Suite("The status line", .needsProbes, .serialized)
struct StatusLineTests {
    /// Runs a shell script under Husk.
    private func run(
        _ script: String, _ options: [String] = [], environment: [String: String?] = [:],
        rows: Int = 24, columns: Int = 80
    ) throws -> PseudoTerminal {
        try PseudoTerminal(
            BuildProducts.husk, ["run"] + options + ["--", "/bin/sh", "-c", script],
            environment: environment, rows: rows, columns: columns)
    }

    private func isShown(_ screen: VirtualScreen) -> Bool {
        screen.line(fromBottom: 0).hasPrefix("husk  0:")
    }

    /// Says "line 1" ... "line 60", twenty a second, the second half of each a moment later.
    private let talking =
        "i=0; while [ $i -lt 60 ]; do i=$((i+1)); printf 'li'; sleep 0.05; echo ne $i; done"

    @Test("has the bottom row, while what the target says scrolls above it")
    func shown() throws {
        let terminal = try run(talking, ["--log", "/dev/null"])
        #expect(terminal.wait(until: isShown))
        #expect(terminal.screen.scrollRegion == 0...22)
        #expect(
            terminal.wait { $0.text.contains("line 40") && isShown($0) }, "\(terminal.screen.text)")
        let screen = terminal.screen
        let words = screen.line(fromBottom: 0).split(separator: " ")
        #expect(screen.line(fromBottom: 0).contains(" transitions  "))
        #expect(screen.line(fromBottom: 0).contains("0 lost  ring "))
        #expect((words.firstIndex(of: "pages").flatMap { Int(words[$0 - 1]) } ?? 0) > 300)
        #expect(screen.painted(31).isEmpty)

        #expect(terminal.finish() == 0)
        let end = terminal.screen
        #expect(end.scrollRegion == 0...23)
        #expect(!end.text.contains("husk  0:"))
        #expect(end.lines.contains { $0.hasPrefix("husk: complete: ") })
        // Each line of the target's is whole, and in its place.
        let lines = end.lines.filter { $0.hasPrefix("line ") }
        #expect(lines == ((61 - lines.count)...60).map { "line \($0)" })
        #expect(lines.count > 15)
        #expect(end.unknown.isEmpty, "\(end.unknown)")
    }

    @Test("leaves Husk's own lines alone")
    func ownLines() throws {
        let terminal = try run("for i in 1 2 3 4 5 6 7 8; do sleep 0.2; done", columns: 200)
        #expect(terminal.wait(until: isShown))
        #expect(terminal.finish() == 0)
        let end = terminal.screen
        #expect(!end.text.contains("husk  0:"))
        let ends = end.lines.filter { $0.hasSuffix("ended with status 0") }
        #expect(ends.count >= 2)
        let rows = end.lines.filter { $0.contains(" execve ") }
        #expect(rows.allSatisfy { $0.contains(" sha256:") }, "\(end.text)")
    }

    @Test("is not there without a terminal, with --quiet, --no-status, TERM=dumb or three rows")
    func absent() throws {
        let outcome = try husk("run", "--", "/bin/sleep", "1")
        #expect(outcome.output == "")
        #expect(!outcome.errors.contains("\u{1B}"))
        let cases: [([String], [String: String?], Int)] = [
            (["-q"], [:], 24), (["--no-status"], [:], 24), ([], ["TERM": "dumb"], 24),
            ([], ["TERM": nil], 24), ([], [:], 3),
        ]
        for (options, environment, rows) in cases {
            let terminal = try PseudoTerminal(
                BuildProducts.husk, ["run"] + options + ["--", "/bin/sleep", "1"],
                environment: environment, rows: rows)
            #expect(terminal.finish() == 0)
            #expect(!terminal.written.contains("\u{1B}7"), "\(options) \(environment) \(rows)")
            #expect(terminal.screen.scrollRegion == 0...(rows - 1))
        }
    }

    @Test("losses are red, unless the user wants no colour")
    func losses() throws {
        for (noColour, red) in [(nil, ["LOST", "lost"]), ("1", [])] as [(String?, [String])] {
            // More than the ring holds, and no one may wait.
            let terminal = try PseudoTerminal(
                BuildProducts.husk,
                ["run", "--log", "/dev/null", "--max-pages", "10", "--", "/bin/sleep", "2"],
                environment: ["NO_COLOR": noColour])
            #expect(
                terminal.wait { isShown($0) && !$0.line(fromBottom: 0).contains(" 0 lost") },
                "\(terminal.screen.text)")
            let painted = terminal.screen.painted(31).joined()
            #expect(painted.isEmpty == red.isEmpty)
            #expect(red.isEmpty || painted.hasSuffix(" lost"), "\(painted)")
            if red.isEmpty {
                #expect(
                    !terminal.written.contains("m")
                        || !terminal.written.contains("\u{1B}[31m"))
            }
            #expect(terminal.finish() == 122)
        }
    }

    @Test("moves with the window, and is cut to it")
    func resized() throws {
        let terminal = try run(talking, ["--log", "/dev/null"])
        #expect(terminal.wait(until: isShown))
        for (rows, columns) in [(30, 100), (12, 30), (24, 80)] {
            terminal.resize(rows: rows, columns: columns)
            #expect(terminal.wait(3) { isShown($0) && $0.scrollRegion == 0...(rows - 2) })
            let statuses = terminal.screen.lines.filter { $0.hasPrefix("husk  0:") }
            #expect(statuses.count == 1, "\(terminal.screen.text)")
        }
        #expect(terminal.finish() == 0)
        #expect(terminal.screen.scrollRegion == 0...23)
        #expect(terminal.screen.wrapCount <= 3)  // the summary's
        #expect(!terminal.screen.text.contains("husk  0:"))
    }

    @Test("COLUMNS makes it narrower")
    func columns() throws {
        let terminal = try run("sleep 1.5", environment: ["COLUMNS": "30"])
        #expect(terminal.wait(until: isShown))
        #expect(terminal.screen.line(fromBottom: 0).count < 30)
        terminal.finish()
    }

    @Test("is gone after Ctrl-C and after SIGTERM")
    func ended() throws {
        let interrupted = try run("sleep 30")
        #expect(interrupted.wait(until: isShown))
        interrupted.send("\u{3}")
        #expect(interrupted.finish(within: 20) == 128 + SIGINT)
        let terminated = try run("sleep 30")
        #expect(terminated.wait(until: isShown))
        terminated.signal(SIGTERM)
        #expect(terminated.finish(within: 20) == 128 + SIGTERM)
        for terminal in [interrupted, terminated] {
            #expect(terminal.screen.scrollRegion == 0...23)
            #expect(!terminal.screen.text.contains("husk  0:"))
            #expect(terminal.screen.text.contains("husk: complete: "))
        }
    }

    @Test("gives the terminal back to the shell on Ctrl-Z, comes again with fg, not with bg")
    func stopped() throws {
        let shell = try PseudoTerminal(
            "/bin/bash", ["--norc", "--noprofile", "-i"],
            environment: ["PS1": "$ ", "HUSK": BuildProducts.husk])
        #expect(shell.wait { $0.text.contains("$ ") || $0.lines.first == "$" })
        shell.send("$HUSK run --log /dev/null -- /bin/sleep 6\n")
        #expect(shell.wait(until: isShown))
        shell.send("\u{1A}")
        #expect(
            shell.wait(5) { $0.text.contains("Stopped") && !isShown($0) }, "\(shell.screen.text)")
        #expect(shell.screen.scrollRegion == 0...23)
        shell.send("bg\n")
        usleep(1_500_000)
        #expect(shell.screen.scrollRegion == 0...23)
        #expect(!isShown(shell.screen))
        shell.send("fg\n")
        #expect(shell.wait(5) { isShown($0) && $0.scrollRegion == 0...22 }, "\(shell.screen.text)")
        #expect(shell.wait(20) { $0.text.contains("husk: complete") && !isShown($0) })
        #expect(shell.screen.scrollRegion == 0...23)
        shell.send("exit\n")
        shell.finish(within: 10)
    }

    @Test("never makes Husk wait for a terminal that takes nothing")
    func heldTerminal() throws {
        let terminal = try run(talking)
        #expect(terminal.wait(until: isShown))
        terminal.send("\u{13}")  // Ctrl-S
        usleep(1_500_000)
        terminal.signal(SIGTERM)
        let begin = Date()
        #expect(terminal.finish(within: 30) == 123)  // lines are missing
        #expect(Date().timeIntervalSince(begin) < 15)
    }
}
