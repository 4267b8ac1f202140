// SPDX-License-Identifier: MIT
import Foundation
import HuskTestSupport
import Testing

/// Real programs, captured, and their reports looked at in a real browser.
@Suite("reports of programs", .needsProbes, .serialized, .needsBrowser)
struct ReportOfProgramsTests {
    private func report(
        _ temporary: TemporaryFolder, _ options: [String], _ command: [String]
    ) throws -> String {
        let capture = temporary.path + "/sample.husk"
        let traced = try Running(
            BuildProducts.husk,
            ["run", "-q", "--force", "-o", capture] + options + ["--"] + command
        ).finish()
        #expect(traced.status == 0, "\(traced.errors)")
        let path = temporary.path + "/report.html"
        let made = try husk("report", capture, "-o", path)
        #expect(made.status == 0, "\(made.errors)")
        #expect(made.errors.contains("report.html: "))
        // Once more: nothing is replaced without being asked.
        #expect(try husk("report", capture, "-o", path).status != 0)
        return "file://" + path
    }

    @Test("the packer: a layer's click shows its code, a search finds what was packed")
    func packer() throws {
        let temporary = try TemporaryFolder()
        let source = temporary.path + "/hello.c"
        let plain = temporary.path + "/hello"
        let greeting = "hello from a packed program"
        try "#include <stdio.h>\nint main(void) { puts(\"\(greeting)\"); return 0; }\n".write(
            toFile: source, atomically: true, encoding: .utf8)
        let built = try Running("cc", ["-O1", "-static", "-no-pie", source, "-o", plain]).finish()
        try #require(built.status == 0, "\(built.errors)")
        let bytes = try Data(contentsOf: URL(fileURLWithPath: plain))
        try Data(bytes.map { $0 ^ 0x5A }).write(to: URL(fileURLWithPath: plain + ".sealed"))
        let url = try report(
            temporary, ["--rwx", "trap"], [BuildProducts.fixture("unpack"), plain + ".sealed"])
        let sight = try Browser.look(at: url, ["--search", greeting, "--click-layer", "0"])
        #expect(sight.console.isEmpty, "\(sight.console)")
        #expect(sight.injected == 0)
        #expect(sight.violations.isEmpty, "\(sight.violations)")
        #expect(sight["layersShown"] as? Int == 1)
        #expect((sight["search", "hits"] as? Int ?? 0) >= 1)
        #expect("\(sight["search", "first"] ?? "")".contains(greeting))
        // The entry of a static program of the C library.
        let lines = sight["layerDisassembly"] as? [String] ?? []
        #expect(lines.contains { $0.contains("xor") && $0.contains("ebp, ebp") }, "\(lines)")
    }

    @Test(
        "the classic example, node and java",
        arguments: [
            [BuildProducts.fixture("classic")],
            ["node", "-e", "let s = 0; for (let i = 0; i < 3e6; i++) s += i % 7; console.log(s)"],
            ["java", "-version"],
        ])
    func programs(command: [String]) throws {
        let temporary = try TemporaryFolder()
        let url = try report(temporary, [], command)
        let sight = try Browser.look(at: url)
        #expect(sight.console.isEmpty, "\(sight.console)")
        #expect(sight.injected == 0)
        #expect(sight.violations.isEmpty, "\(sight.violations)")
        #expect((sight["regionsShown"] as? Int ?? 0) > 2)
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips, with the reason, where there is no browser.
    static var needsBrowser: Self {
        .enabled(if: Browser.missing == nil, "\(Browser.missing ?? "")")
    }
}
