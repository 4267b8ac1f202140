// SPDX-License-Identifier: MIT
import Foundation
import HuskTestSupport
import Testing

@testable import HuskCommand

@Suite("Progress bars")
struct ProgressBarTests {
    private func bar(
        _ done: UInt64, _ total: UInt64, _ unit: ProgressBar.Unit = .bytes,
        seconds: Double = 1, columns: Int = 80
    ) -> String {
        ProgressBar(done: done, total: total, unit: unit, elapsed: .seconds(seconds))
            .text(columns: columns)
    }

    @Test("say how far, how much, how fast and how long")
    func full() {
        #expect(
            bar(120 << 20, 280 << 20, seconds: 2)
                == "[############..................] 42 %  120 MiB of 280 MiB  60 MiB/s  0:03 left")
        #expect(
            bar(500, 1000, .items("page"), seconds: 100)
                == "[###############...............] 50 %  500 of 1000 pages  5/s  1:40 left")
        #expect(bar(0, 0) == "[##############################] 100 %  0 B of 0 B")
        #expect(bar(0, 10).hasPrefix("[..............................] 0 %  0 B of 10 B"))
        // More than was said: a bar has an end.
        #expect(bar(2000, 1000, .items("page")).contains("] 100 %  1000 of 1000 pages"))
    }

    @Test("fit, whatever the width and the numbers", arguments: [1, 5, 20, 40, 80, 200])
    func widths(_ columns: Int) {
        for total in [1, 4096, 1 << 40, UInt64.max] {
            for seconds in [0, 0.001, 1, 1e6] {
                let text = bar(total / 3, total, seconds: seconds, columns: columns)
                #expect(text.utf8.count < max(2, columns), "\(text)")
                #expect(text.utf8.allSatisfy { (0x20..<0x7F).contains($0) })
            }
        }
        #expect(bar(1, 2, columns: 40).hasPrefix("[") == (columns >= 0))
    }

    @Test("are shown on a terminal, and nowhere else", .needsProbes)
    func real() throws {
        let folder = try TemporaryFolder()
        let capture = folder.path + "/big.husk"
        let made = try husk(
            "run", "-q", "-o", capture, "--", BuildProducts.fixture("big"), "128")
        #expect(made.status == 0)
        let arguments = ["export", "json", capture, "-o"]
        let terminal = try PseudoTerminal(
            BuildProducts.husk, arguments + [folder.path + "/shown.jsonl"])
        #expect(terminal.finish() == 0)
        #expect(terminal.written.contains(" MiB of 1"), "\(terminal.written)")
        #expect(terminal.written.contains("MiB/s  0:0"))
        #expect(terminal.screen.wrapCount == 0)
        #expect(terminal.screen.lines.joined() == "")
        let dumb = try PseudoTerminal(
            BuildProducts.husk, arguments + [folder.path + "/dumb.jsonl"],
            environment: ["TERM": "dumb"])
        #expect(dumb.finish() == 0)
        #expect(dumb.written == "")
        let piped = try Running(BuildProducts.husk, arguments + [folder.path + "/piped.jsonl"])
            .finish()
        #expect(piped.output + piped.errors == "")
    }
}
