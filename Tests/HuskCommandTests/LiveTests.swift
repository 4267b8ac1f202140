// SPDX-License-Identifier: MIT
import Foundation
import Glibc
import HuskTestSupport
import Testing

/// `--live`, on a real terminal.
@Suite("husk run --live, husk attach --live", .needsProbes, .serialized)
struct LiveTests {
    @Test(
        "shows regions, and leaves the terminal as it was",
        arguments: ["xterm-256color", "vt100", "screen"])
    func run(_ term: String) throws {
        let folder = try TemporaryFolder()
        let log = folder.path + "/log"
        let terminal = try PseudoTerminal(
            "/bin/sh",
            [
                "-c",
                "echo before; \"$0\" run --live --log \"$1\" -- sh -c '\"$0\" >&3; sleep 2' "
                    + "\"$2\" 3>/dev/null", BuildProducts.husk, log,
                BuildProducts.fixture("classic"),
            ], environment: ["TERM": term])
        #expect(
            terminal.wait { screen in
                screen.isAlternate && screen.text.contains(" anonymous")
                    && screen.lines[3].contains("PID PROCESS")
            }, "\(terminal.screen.text)")
        let screen = terminal.screen
        #expect(screen.lines[0].hasPrefix("husk: sh -c "))
        #expect(screen.lines[1].contains(" 0 lost  ring "))
        #expect(screen.lines[4...].contains { $0.contains("libc.so") })
        #expect(screen.wrapCount == 0)
        #expect(!screen.showsCursor)
        #expect(terminal.finish() == 0)
        let end = terminal.screen
        #expect(!end.isAlternate && end.showsCursor && end.scrollRegion == 0...23)
        #expect(end.lines[0] == "before")
        #expect(end.lines[1].hasPrefix("husk: "))
        #expect(end.text.contains("husk: complete: "))
        #expect(end.unknown.isEmpty, "\(end.unknown)")
        // Lines go to the file, and only there.
        let lines = try String(contentsOfFile: log, encoding: .utf8)
        #expect(lines.contains(" executes "))
        #expect(!terminal.written.contains(" executes "))
    }

    @Test("of attach ends with Ctrl-C, adapts to the window, and says what it has to say")
    func attach() throws {
        let target = try Running(BuildProducts.fixture("wait"))
        #expect(target.wait { target.outputSoFar.hasPrefix("ready") })
        let terminal = try PseudoTerminal(
            BuildProducts.husk, ["attach", "--live", "\(target.pid)"])
        #expect(terminal.wait { $0.text.contains("libc.so") })
        #expect(terminal.screen.lines[0] == "husk: process \(target.pid)")
        target.send("go\n")
        #expect(
            terminal.wait { $0.lines[4].contains(" anonymous") && $0.lines[4].contains("--x") },
            "\(terminal.screen.text)")
        terminal.resize(rows: 10, columns: 40)
        // Process IDs are as long as they are.
        #expect(
            terminal.wait { $0.lines[3].contains("START PROT") },
            "\(terminal.screen.text)")
        #expect(terminal.screen.wrapCount == 0)
        terminal.send("\u{3}")
        #expect(terminal.finish(within: 20) == 0)
        #expect(!terminal.screen.isAlternate)
        #expect(target.isRunning)
        #expect(target.finish().status == 7)
    }

    @Test("is refused where there is no terminal, and where lines would go nowhere")
    func refused() throws {
        let piped = try husk("run", "--live", "--", "/bin/true")
        #expect(piped.status == 64)
        #expect(piped.errors.contains("--live needs a terminal on standard error"))
        for (options, word) in [
            (["--json"], "--log FILE"), (["-q"], "--quiet"),
        ] {
            let terminal = try PseudoTerminal(
                BuildProducts.husk, ["run", "--live"] + options + ["--", "/bin/true"])
            #expect(terminal.finish() == 64)
            #expect(terminal.screen.lines.joined().contains(word), "\(terminal.screen.text)")
        }
        let dumb = try PseudoTerminal(
            BuildProducts.husk, ["run", "--live", "--", "/bin/true"], environment: ["TERM": "dumb"])
        #expect(dumb.finish() == 64)
    }
}
