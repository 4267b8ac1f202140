// SPDX-License-Identifier: MIT
import Foundation
import HuskTestSupport
import Testing

/// The commands that ask a capture file, on captures that `husk run` has made.
@Suite("Questions to a capture file", .needsProbes, .serialized)
struct QuestionTests {
    /// Made once for all tests.
    private struct Captures {
        let folder: TemporaryFolder

        init() throws {
            folder = try TemporaryFolder()
            for (name, arguments) in [
                ("classic", []), ("toggle", ["5", "2"]), ("patch", ["4"]),
            ] as [(String, [String])] {
                try Self.make(
                    path(name), ["--", BuildProducts.fixture(name)] + arguments)
            }
        }

        static func make(_ path: String, _ arguments: [String]) throws {
            let outcome = try Running(
                BuildProducts.husk, ["run", "-q", "-o", path] + arguments
            ).finish()
            #expect(outcome.status == 0, "\(outcome.errors)")
        }

        func path(_ name: String) -> String { folder.path + "/\(name).husk" }
    }

    private static let captures = Result { try Captures() }

    private func path(_ name: String) throws -> String { try Self.captures.get().path(name) }

    private func objects(_ outcome: Outcome) throws -> [[String: Any]] {
        try outcome.outputLines.map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    /// The region of a fixture's own code: no file is behind it.
    private func region(_ name: String) throws -> [String: Any] {
        let outcome = try husk(
            "list", path(name), "--hide", "file,kernel", "--protection", "x", "--json")
        return try #require(try objects(outcome).last)
    }

    private func regionName(_ name: String) throws -> String {
        "r\(try #require(try region(name)["region"] as? Int))"
    }

    @Test("info tells the run, the sums and that it is complete")
    func info() throws {
        let outcome = try husk("info", path("classic"))
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("fixture-classic"))
        #expect(outcome.outputLines.last?.hasPrefix("state       complete: ") == true)
        let object = try #require(try objects(husk("info", "--json", path("classic"))).first)
        #expect(object["type"] as? String == "capture")
        #expect(object["complete"] as? Bool == true)
        #expect(object["pages"] as? Int == object["expected_pages"] as? Int)
        #expect((object["target"] as? [String: Any])?["exit_code"] as? Int == 0)
    }

    @Test("info says what is missing")
    func incomplete() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/big.husk"
        let run = try husk(
            "run", "-q", "-o", path, "--no-stall", "--ring-size", "64K", "--",
            BuildProducts.fixture("big"), "24")
        #expect(run.status == 122, "\(run.errors)")
        #expect(try husk("info", path).output.contains("INCOMPLETE: "))
        let losses = try objects(husk("list", "losses", path, "--json"))
        #expect(losses.contains { $0["cause"] as? String == "ring-full" })
        #expect(try husk("list", "losses", path).output.contains("ring-full"))
    }

    @Test("list has a header and a line for each region; filters leave lines out")
    func regions() throws {
        let all = try husk("list", path("toggle"))
        #expect(all.status == 0, "\(all.errors)")
        #expect(all.outputLines.first?.contains("START-END") == true)
        #expect(all.output.contains("libc.so"))
        let some = try husk("list", "regions", path("toggle"), "--hide", "file,kernel")
        #expect(some.outputLines.count == 2, "\(some.output)")
        let own = try region("toggle")
        #expect(own["generation"] as? Int == 4)
        #expect(own["length"] as? Int == 8192)
        let start = try #require(own["start"] as? String)
        let found = try objects(husk("list", path("toggle"), "--address", start, "--json"))
        #expect(found.count == 1)
        #expect(try husk("list", path("toggle"), "--pid", "1").outputLines.count == 1)
        #expect(try objects(husk("list", path("toggle"), "--min-size", "1G", "--json")).isEmpty)
    }

    @Test("pages and generations have the contents that the fixture has told of")
    func pages() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/toggle.husk"
        let run = try husk("run", "-q", "-o", path, "--", BuildProducts.fixture("toggle"), "3")
        let truths = Truth.read(run.output)
        #expect(truths.count == 3)
        for (generation, truth) in truths.enumerated() {
            let address = "0x" + String(truth.address, radix: 16)
            let found = try objects(
                husk("list", "pages", path, "--sha256", String(truth.sha256.prefix(9)), "--json"))
            #expect(found.first?["sha256"] as? String == truth.sha256)
            #expect(found.first?["address"] as? String == address)
            #expect(found.first?["generation"] as? Int == generation)
        }
        let address = "0x" + String(truths[0].address, radix: 16)
        let generations = try objects(
            husk("list", "generations", path, "--address", address, "--json"))
        #expect(generations.map { $0["sha256"] as? String } == truths.map(\.sha256))
        for generation in generations {
            let first = (generation["first"] as? [String: Any])?["monotonic_ns"] as? UInt64 ?? 0
            let last = (generation["last"] as? [String: Any])?["monotonic_ns"] as? UInt64 ?? 0
            #expect(first > 0 && first <= last)
            #expect(generation["snapshots"] as? Int == 1)
        }
        #expect(try husk("list", "generations", path, "--generation", "7").outputLines.count == 1)
    }

    @Test(
        "processes, layers, transitions, executions",
        arguments: [
            "processes", "layers", "transitions", "executions", "losses",
        ])
    func otherLists(_ kind: String) throws {
        let text = try husk("list", kind, path("classic"))
        #expect(text.status == 0, "\(text.errors)")
        let json = try husk("list", kind, path("classic"), "--json")
        #expect(json.status == 0)
        let count = try objects(json).count
        #expect(text.outputLines.count == count + (kind == "transitions" ? 0 : 1))
        #expect(["executions", "losses"].contains(kind) == (count == 0))
    }

    @Test("show prints the code, and who has asked for it, by file, offset and symbol")
    func show() throws {
        let own = try region("classic")
        let start = try #require(own["start"] as? String)
        for place in [start, String(start.dropFirst(2)), try regionName("classic")] {
            let outcome = try husk("show", place, path("classic"))
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.output.contains("mov eax, 0x2a\n"), "\(outcome.output)")
            #expect(outcome.output.contains("rw- -> --x by mprotect"))
            #expect(outcome.output.contains("(fixture_protect+0x"))
        }
        let inside = String((UInt64(start.dropFirst(2), radix: 16) ?? 0) + 5, radix: 16)
        let rest = try husk("show", inside, path("classic"), "-n", "1")
        #expect(rest.outputLines.last?.hasSuffix(" ret") == true, "\(rest.output)")
        let dump = try husk("show", start, path("classic"), "--hex")
        #expect(dump.output.contains("  b8 2a 00 00 00 c3 00 00  "))
        #expect(!dump.output.contains("mov eax"))
        let raw = try husk("show", start, path("classic"), "--raw", "-n", "6")
        #expect(Array(raw.output.unicodeScalars.suffix(1)) != ["\n"])
        let narrow = try husk("show", inside, path("classic"), "--bits", "32", "-n", "1")
        #expect(narrow.status == 0)
    }

    @Test("show has each generation, and says which ones there are")
    func generations() throws {
        let name = try regionName("toggle")
        for generation in 0..<5 {
            let outcome = try husk(
                "show", name, path("toggle"), "--generation", "\(generation)")
            #expect(outcome.output.contains("b8 0\(generation) 00 00 00"), "\(outcome.output)")
            #expect(outcome.output.contains("generation    \(generation) (of 0 to 4)"))
        }
        let missing = try husk("show", name, path("toggle"), "--generation", "5")
        #expect(missing.status == 118)
        #expect(missing.errors.contains("0 to 4"))
    }

    @Test("diff shows the bytes and instructions that changed, of a page and of a region")
    func diff() throws {
        let outcome = try husk("diff", regionName("toggle"), path("toggle"))
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output.hasPrefix("--- generation 3\n+++ generation 4\n"))
        #expect(outcome.output.contains("mov eax, 3\n+"))
        #expect(outcome.output.contains("mov eax, 4\n "))
        let older = try husk(
            "diff", regionName("toggle"), path("toggle"), "--from", "0", "--to", "1", "--json")
        #expect(try objects(older).first?["new"] as? String == "01")
        // Four pages of 256 were patched once each.
        let patched = try objects(husk("diff", regionName("patch"), path("patch"), "--json"))
        #expect(
            patched.map { $0["new"] as? String } == [
                "03000000", "02000000", "01000000", "00000000",
            ])
        let nothing = try husk("diff", regionName("classic"), path("classic"))
        #expect(nothing.status == 118)
        #expect(nothing.errors.contains("no generation before 0"))
    }

    @Test("timeline tells what happened, in order")
    func timeline() throws {
        let outcome = try husk("timeline", path("classic"), "--hide", "file,kernel")
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.outputLines.first?.contains("executes ") == true)
        #expect(outcome.outputLines.last?.hasSuffix("ended with status 0") == true)
        #expect(outcome.output.contains("rw- -> --x"))
        let lines = try objects(husk("timeline", path("classic"), "--json"))
        #expect(lines.first?["type"] as? String == "exec")
        #expect(lines.last?["type"] as? String == "process-exit")
        let transitions = lines.filter { $0["type"] as? String == "transition" }
        #expect(
            transitions.contains {
                ($0["pages"] as? [String: Any])?["complete"] as? Bool == true
            })
        #expect(try husk("timeline", path("classic"), "--time", "900-").output == "")
    }

    @Test("strings are found once, with the page's generation")
    func strings() throws {
        let outcome = try husk("strings", path("classic"), "-n", "8", "--json", "--label", "file")
        #expect(outcome.status == 0, "\(outcome.errors)")
        let found = try objects(outcome)
        #expect(found.contains { $0["text"] as? String == "libc.so.6" })
        let places = found.map {
            "\($0["address"] ?? "") \($0["text"] ?? "") \($0["region"] ?? "")"
        }
        #expect(Set(places).count == places.count)
        #expect(try husk("strings", path("classic"), "-n", "0").status == 64)
    }

    @Test("the layers of a packed program are those that it has")
    func packed() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/packed.husk"
        let program = try BuildProducts.cases() + "/r12-packer"
        let run = try husk("run", "-q", "--rwx", "trap", "-o", path, "--", program)
        #expect(run.status == 0, "\(run.errors)")
        let layers = try objects(husk("list", "layers", path, "--json"))
        #expect((layers.compactMap { $0["number"] as? Int }.max() ?? 0) >= 2, "\(layers)")
        let executions = try objects(husk("list", "executions", path, "--json"))
        #expect(!executions.isEmpty)
        let entry = try #require(layers.last?["entry"] as? String)
        let code = try husk("show", entry, path)
        #expect(code.status == 0, "\(code.errors)")
        #expect(code.output.contains("by look"))
    }

    @Test(
        "what makes no sense, is no capture, or is not in it, has its status",
        arguments: [
            (["list"], 64, "Missing expected argument"),
            (["list", "regions"], 64, "Missing expected argument"),
            (["list", "trees", "CAPTURE"], 64, "cannot be listed"),
            (["list", "CAPTURE", "--hide", "trees"], 64, "no kind of code"),
            (["list", "CAPTURE", "--protection", "q"], 64, "no protection"),
            (["list", "CAPTURE", "--address", "xyz"], 64, "--address"),
            (["list", "CAPTURE", "--address", "9-5"], 64, "--address"),
            (["list", "CAPTURE", "--time", "5"], 64, "--time"),
            (["list", "CAPTURE", "--sha256", "xy"], 64, "--sha256"),
            (["list", "losses", "CAPTURE", "--sha256", "a"], 64, "does not apply"),
            (["list", "no-such-file"], 64, "No such file"),
            (["info", "/etc/passwd"], 119, "no capture file"),
            (["info", "CUT"], 119, "damaged"),
            (["list", "pages", "CUT"], 119, "damaged"),
            (["info", "NEWER"], 119, "newer Husk"),
            (["show", "1", "CAPTURE"], 118, "has no page"),
            (["show", "r999", "CAPTURE"], 118, "has no region r999"),
            (["show", "ffffffffffffffff", "CAPTURE"], 118, "has no page"),
            (["show", "frog", "CAPTURE"], 64, "frog"),
            (["diff", "1", "CAPTURE"], 118, "has no page"),
        ] as [([String], Int32, String)])
    func badInput(_ arguments: [String], _ status: Int32, _ message: String) throws {
        let temporary = try TemporaryFolder()
        let capture = try path("classic")
        var bytes = try Data(contentsOf: URL(fileURLWithPath: capture))
        let cut = temporary.path + "/cut.husk"
        try bytes.prefix(100_000).write(to: URL(fileURLWithPath: cut))
        bytes[63] = 99
        let newer = temporary.path + "/newer.husk"
        try bytes.write(to: URL(fileURLWithPath: newer))
        let outcome = try Running(
            BuildProducts.husk,
            arguments.map { ["CAPTURE": capture, "CUT": cut, "NEWER": newer][$0] ?? $0 }
        ).finish()
        #expect(outcome.status == status, "\(outcome.errors)")
        #expect(outcome.errors.contains(message), "\(outcome.errors)")
    }

    /// Bug: the schema's number stands in the write-ahead log until the trace has ended, and was
    /// looked for in the file.
    @Test("a trace that runs, and one that was killed, can be asked")
    func unfinished() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/live.husk"
        let run = try Running(
            BuildProducts.husk,
            ["run", "-q", "-o", path, "--", "/bin/sh", "-c", "exec sleep 20 >/dev/null 2>&1"])
        func isThere() -> Bool {
            (try? husk("list", path).output.contains("libc.so")) ?? false
        }
        #expect(run.wait(until: isThere))
        let live = try husk("info", path)
        #expect(live.status == 0, "\(live.errors)")
        #expect(live.output.contains("state       unfinished: everything up to the last batch"))
        run.signal(9)
        run.finish()
        #expect(isThere())
        let killed = try husk("info", "--json", path)
        #expect(try objects(killed).first?["finished"] as? Bool == false)
        #expect(try husk("timeline", path).outputLines.first?.contains("executes ") == true)
    }

    @Test("a reader that leaves ends it quietly", arguments: ["list pages", "timeline", "strings"])
    func closedPipe(_ command: String) throws {
        let script = "set -o pipefail; '\(BuildProducts.husk)' \(command) '\(try path("toggle"))'"
        let outcome = try Running("/bin/bash", ["-c", script + " | head -n 1"]).finish()
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.errors == "")
        #expect(outcome.outputLines.count == 1)
    }
}
