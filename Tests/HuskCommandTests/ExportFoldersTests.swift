// SPDX-License-Identifier: MIT
import Foundation
import HuskTestSupport
import Testing

/// `husk export pages|regions|perf-map`, on captures that `husk run` has made.
@Suite("husk export of folders", .needsProbes, .serialized)
struct ExportFoldersTests {
    private func text(_ path: String) throws -> String {
        try String(contentsOfFile: path, encoding: .utf8)
    }

    @Test("pages makes a folder that verifies, with the lines of the capture")
    func pages() throws {
        let capture = try ExportedCapture([], [BuildProducts.fixture("toggle"), "5", "2"])
        let folder = capture.place("out/")
        let outcome = try husk("export", "pages", capture.path, "-o", folder)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let verified = try husk("verify", folder)
        #expect(verified.status == 0, "\(verified.output)")
        #expect(verified.output.hasSuffix("; complete\n"))

        let lines = try husk("export", "json", capture.path).output
        let manifest = try text(folder + "manifest.jsonl")
        let files = /"file":"[0-9a-f]+_[0-9a-f]{16}\.bin",/
        #expect(manifest.contains(files))
        #expect(manifest.replacing(files, with: "") == lines)
        let truth = try #require(Truth.read(capture.output).last)
        #expect(manifest.contains(truth.sha256))

        let again = try husk("export", "pages", capture.path, "-o", folder)
        #expect(again.status == 123)
        #expect(again.errors.contains("is not empty"))
        let link = capture.place("link")
        try FileManager.default.createDirectory(
            atPath: capture.place("elsewhere"), withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(
            atPath: link, withDestinationPath: capture.place("elsewhere"))
        let linked = try husk("export", "pages", capture.path, "-o", link + "/")
        #expect(linked.status == 123)
        #expect(linked.errors.contains("symbolic link"))
    }

    @Test("pages of an incomplete capture says so in its manifest")
    func incomplete() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/sample.husk"
        let traced = try husk(
            "run", "-q", "-o", path, "--no-stall", "--ring-size", "64K", "--",
            BuildProducts.fixture("big"), "24")
        #expect(traced.status == 122)
        let folder = temporary.path + "/out/"
        #expect(try husk("export", "pages", path, "-o", folder).status == 0)
        let verified = try husk("verify", folder)
        #expect(verified.status == 122, "\(verified.output)")
        #expect(verified.output.contains("lost (ring-full)"))
    }

    @Test("regions has the bytes of each region, and scripts that put them there")
    func regions() throws {
        let capture = try ExportedCapture(
            ["--rwx", "trap"], [BuildProducts.fixture("rewrite")], status: 7)
        let folder = capture.place("memory")
        let outcome = try husk("export", "regions", capture.path, "-o", folder)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let memory = try #require(
            try ExportedCapture.objects(text(folder + "/regions.json")).first)
        let script = try text(folder + "/load.r2")
        let entry = try #require(
            try capture.ask("SELECT printf('0x%x', address) FROM execution").first)
        #expect(memory["entry"] as? String == entry)
        #expect(script.hasSuffix("f husk.entry 1 \(entry)\ns \(entry)\n"))
        var seen = 0
        for region in try #require(memory["regions"] as? [[String: Any]]) {
            let known = try #require(region["files"] as? [[String: Any]])
            let missing = try #require(region["missing"] as? [[String: Any]])
            let size = (known + missing).compactMap { $0["size"] as? Int }.reduce(0, +)
            #expect(size == region["size"] as? Int)
            for file in known {
                let name = try #require(file["file"] as? String)
                let hash = try #require(file["sha256"] as? String)
                let sum = try Running("/usr/bin/sha256sum", [folder + "/" + name]).finish()
                #expect(sum.output.hasPrefix(hash))
                let address = try #require(file["address"] as? String)
                let protection = try #require(region["protection"] as? String)
                #expect(name == "\(address.dropFirst(2))_\(protection)_\(hash.prefix(16)).bin")
                #expect(script.contains("on ./\(name) \(address) \(protection)\n"))
                seen += 1
            }
        }
        #expect(seen > 0)
        let again = try husk("export", "regions", capture.path, "-o", folder)
        #expect(again.status == 123)
    }

    @Test("names that targets choose are no commands in scripts and no lines in maps")
    func hostile() throws {
        let capture = try ExportedCapture([], [BuildProducts.fixture("classic")])
        try capture.makeNamesHostile()
        let folder = capture.place("memory")
        #expect(try husk("export", "regions", capture.path, "-o", folder).status == 0)
        for name in ["load.r2", "ghidra_import.py"] {
            #expect(!(try text(folder + "/" + name)).contains("PWNED"))
        }
        #expect((try text(folder + "/regions.json")).contains("PWNED"))
        let python = try Running(
            "/usr/bin/env",
            [
                "python3", "-c", "import ast, sys; ast.parse(open(sys.argv[1]).read())",
                folder + "/ghidra_import.py",
            ]
        ).finish()
        #expect(python.status == 0, "\(python.errors)")
        for line in try text(folder + "/load.r2").split(separator: "\n") {
            #expect(
                line.wholeMatch(of: /(on|f|fs|s|e) [A-Za-z0-9_.\/= -]+|# Memory of process .*/)
                    != nil,
                "\(line)")
        }
        let map = capture.place("map")
        #expect(try husk("export", "perf-map", capture.path, "-o", map).status == 0)
        let lines = try text(map).split(separator: "\n")
        #expect(!lines.isEmpty)
        for line in lines {
            #expect(
                line.wholeMatch(of: /[0-9a-f]+ [0-9a-f]+ husk_[A-Za-z0-9_.+\\-]+/) != nil, "\(line)"
            )
        }
        #expect(lines.contains { $0.hasSuffix(#"\x0a\x21touch\x20PWNED\x27\x3b\x22"#) })
    }

    @Test("perf-map names the code that was made, and nothing of files")
    func perfMap() throws {
        let capture = try ExportedCapture([], [BuildProducts.fixture("classic")])
        let truth = try #require(Truth.read(capture.output).first)
        let map = capture.place("map")
        let outcome = try husk("export", "perf-map", capture.path, "-o", map)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let lines = try text(map).split(separator: "\n")
        #expect(lines.count == 1)
        #expect(
            lines[0].hasPrefix(
                "\(String(truth.address, radix: 16)) \(String(truth.length, radix: 16)) husk_"))
        #expect(try husk("export", "perf-map", capture.path, "-o", map).status == 123)
    }

    @Test(
        "a process that the capture does not have is refused", arguments: ["perf-map", "regions"])
    func unknownProcess(_ format: String) throws {
        let capture = try ExportedCapture([], [BuildProducts.fixture("classic")])
        let output = capture.place("output")
        let outcome = try husk("export", format, "--pid", "1", capture.path, "-o", output)
        #expect(outcome.status == 118)
        #expect(outcome.errors.contains("has no process 1"))
        #expect(!FileManager.default.fileExists(atPath: output))
    }

    @Test("what is no capture is refused, and no folder is made", arguments: ["pages", "regions"])
    func foreign(_ format: String) throws {
        let temporary = try TemporaryFolder()
        let output = temporary.path + "/out"
        let outcome = try husk("export", format, "/etc/hostname", "-o", output)
        #expect(outcome.status == 119)
        #expect(!FileManager.default.fileExists(atPath: output))
    }
}
