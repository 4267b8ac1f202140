// SPDX-License-Identifier: MIT
import Foundation
import HuskTestSupport
import Testing

/// `husk export core` and `husk export elf`, opened by the tools that people open them with.
@Suite("husk export", .needsProbes, .serialized)
struct ExportTests {
    /// What the program that is unpacked prints; the sealed file has it nowhere.
    static let greeting = "hello from within"

    /// A static program, and the same sealed as the fixture `unpack` takes it.
    private func makeProgram(_ temporary: TemporaryFolder) throws -> (plain: String, sealed: String)
    {
        let source = temporary.path + "/hello.c"
        let plain = temporary.path + "/hello"
        let sealed = temporary.path + "/hello.sealed"
        try """
        #include <stdio.h>
        static char greeting[] = "\(Self.greeting)";
        int main(void) { static int n = 40; n += 2; printf("%s %d\\n", greeting, n); return 0; }
        """.write(toFile: source, atomically: true, encoding: .utf8)
        let built = try Running(
            "cc", ["-O1", "-static", "-no-pie", source, "-o", plain]
        ).finish()
        try #require(built.status == 0, "\(built.errors)")
        let bytes = try Data(contentsOf: URL(fileURLWithPath: plain))
        try Data(bytes.map { $0 ^ 0x5A }).write(to: URL(fileURLWithPath: sealed))
        return (plain, sealed)
    }

    private func capture(
        _ temporary: TemporaryFolder, _ mode: String, _ sealed: String, _ more: String...
    ) throws -> String {
        let path = temporary.path + "/sample.husk"
        let outcome = try Running(
            BuildProducts.husk,
            [
                "run", "-q", "--force", "--rwx", mode, "-o", path, "--",
                BuildProducts.fixture("unpack"), sealed,
            ] + more
        ).finish()
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output == Self.greeting + " 42\n")
        return path
    }

    /// Runs a tool of others; neither an error nor a warning is allowed.
    private func clean(_ tool: String, _ arguments: String...) throws -> String {
        let outcome = try Running(tool, arguments).finish()
        #expect(outcome.status == 0, "\(tool): \(outcome.errors)")
        #expect(outcome.errors.isEmpty, "\(tool): \(outcome.errors)")
        #expect(!outcome.output.lowercased().contains("warning"))
        return outcome.output
    }

    @Test("an unpacked static program, caught at its entry, runs and prints what it prints")
    func rebuiltRuns() throws {
        let temporary = try TemporaryFolder()
        let (plain, sealed) = try makeProgram(temporary)
        let path = try capture(temporary, "trap", sealed)
        let rebuilt = temporary.path + "/rebuilt"
        let outcome = try husk("export", "elf", "--at", "entry", path, "-o", rebuilt)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let run = try Running(rebuilt).finish()
        #expect(run.output == Self.greeting + " 42\n", "\(run.status) \(run.errors)")

        _ = try clean("readelf", "-aW", rebuilt)
        #expect(try entry(of: rebuilt) == entry(of: plain))
        #expect(try text(of: rebuilt, as: plain) == text(of: plain, as: plain))
        let shown = try clean(
            "gdb", "-q", "-batch", "-nx", "-ex", "info files", "-ex",
            "x/4i \(try entry(of: plain))",
            rebuilt)
        _ = try clean("objdump", "-d", rebuilt)
        #expect(shown.contains(".text"))
    }

    /// The bytes at the addresses of the original's section .text, as gdb reads them.
    private func text(of path: String, as plain: String) throws -> Data {
        let header = try #require(
            try clean("readelf", "-SW", plain).split(separator: "\n").first {
                $0.contains(" .text ")
            })
        let fields = header.split(separator: " ").drop { $0 != "PROGBITS" }.map(String.init)
        let start = try #require(UInt64(fields[1], radix: 16))
        let size = try #require(UInt64(fields[3], radix: 16))
        #expect(size > 100_000)
        let dump = path + ".text"
        _ = try clean(
            "gdb", "-q", "-batch", "-nx", "-ex",
            "dump binary memory \(dump) \(start) \(start + size)", path)
        return try Data(contentsOf: URL(fileURLWithPath: dump))
    }

    private func entry(of path: String) throws -> String {
        try #require(
            try clean("readelf", "-hW", path).split(separator: "\n")
                .first { $0.contains("Entry point") }?.split(separator: " ").last.map(String.init))
    }

    @Test(
        "text is recovered byte by byte, however the packer makes it executable",
        arguments: ["trap", "observe"], [[], ["rx"]])
    func text(_ mode: String, _ way: [String]) throws {
        let temporary = try TemporaryFolder()
        let (plain, sealed) = try makeProgram(temporary)
        let path =
            way.isEmpty
            ? try capture(temporary, mode, sealed) : try capture(temporary, mode, sealed, way[0])
        let rebuilt = temporary.path + "/rebuilt"
        let outcome = try husk(
            "export", "elf", "--base", way.isEmpty ? "0x400000" : "0x401000", "--entry",
            try entry(of: plain), path, "-o", rebuilt)
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(try text(of: rebuilt, as: plain) == text(of: plain, as: plain))
        _ = try clean("readelf", "-aW", rebuilt)
    }

    @Test("a core opens in gdb, with mappings, registers and a call stack")
    func core() throws {
        let temporary = try TemporaryFolder()
        let (_, sealed) = try makeProgram(temporary)
        let path = try capture(temporary, "trap", sealed)
        let core = temporary.path + "/core"
        let outcome = try husk("export", "core", "--at", "entry", path, "-o", core)
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.errors.contains("1 thread"))
        let shown = try Running(
            "gdb",
            [
                "-q", "-batch", "-nx", "-core", core, "-ex", "info proc mappings", "-ex",
                "x/3i $rip", "-ex", "x/s greeting", "-ex", "bt 1",
            ]
        ).finish()
        #expect(shown.output.contains("fixture-unpack"))
        #expect(shown.output.contains("=> 0x"))
        #expect(shown.output.contains("#0 "))
        #expect(!shown.output.contains("Cannot access memory"))
        #expect(!shown.errors.lowercased().contains("warning"), "\(shown.errors)")
        _ = try clean("readelf", "-hlnW", core)
    }

    @Test("rules find what exists only after unpacking; layers come first")
    func rules() throws {
        let temporary = try TemporaryFolder()
        let (_, sealed) = try makeProgram(temporary)
        let path = try capture(temporary, "observe", sealed)
        let rules = temporary.path + "/rules.yar"
        try """
        rule unpacked { strings: $a = "\(Self.greeting)" condition: $a }
        rule absent { strings: $a = "this is nowhere" condition: $a }
        """.write(toFile: rules, atomically: true, encoding: .utf8)
        let outcome = try husk("analyze", "--rules", rules, path)
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.outputLines.first?.hasPrefix("layers of code") == true)
        #expect(outcome.output.contains("NOTABLE writable-and-executable 400000-"))
        #expect(outcome.output.contains("RULE unpacked (rules)"))
        #expect(!outcome.output.contains("RULE absent"))
        #expect(outcome.output.contains("ELF"))
        // It is stored, and what was there before is as it was.
        #expect(try husk("verify", path).status == 0)
        let stored = try Running(
            "sqlite3", [path, "SELECT rule, count(*) FROM rule_match GROUP BY rule"]
        ).finish()
        #expect(stored.output.hasPrefix("unpacked|"))
        let again = try husk("analyze", "--json", path)
        #expect(again.output.contains("\"type\":\"analysis\""))
        let replaced = try Running(
            "sqlite3", [path, "SELECT count(*) FROM rule_match; SELECT count(*) FROM analysis"]
        ).finish()
        #expect(replaced.output == "0\n1\n")
    }

    @Test("findings that cannot be written are an error; a layer that lies is none")
    func lostFindings() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/sample.husk"
        #expect(
            try husk("run", "-q", "-o", path, "--", BuildProducts.fixture("classic")).status == 0)
        let full = try Running(
            "/bin/sh", ["-c", "\"$0\" analyze \"$1\" >/dev/full", BuildProducts.husk, path]
        ).finish()
        #expect(full.status == 123)
        #expect(full.errors.contains("No space left"))
        _ = try Running("sqlite3", [path, "UPDATE layer SET number = -1"]).finish()
        #expect(try husk("analyze", "--no-store", path).status == 0)
    }

    @Test("ordinary programs and JITs raise no alarm")
    func benign() throws {
        for command in [
            ["node", "-e", "let s = 0; for (let i = 0; i < 1e6; i++) s += i"],
            ["luajit", "-e", "for i = 1, 1e6 do math.sin(i) end"], ["/bin/true"],
        ] {
            let temporary = try TemporaryFolder()
            let path = temporary.path + "/sample.husk"
            let run = try Running(
                BuildProducts.husk, ["run", "-q", "-o", path, "--"] + command
            ).finish()
            #expect(run.status == 0, "\(command) \(run.errors)")
            let outcome = try husk("analyze", path)
            #expect(outcome.output.hasPrefix("nothing notable"), "\(command): \(outcome.output)")
        }
    }

    @Test("bad rules, captures and outputs are told clearly")
    func badInput() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/sample.husk"
        #expect(try husk("run", "-q", "-o", path, "--", "/bin/true").status == 0)
        let rules = temporary.path + "/bad.yar"
        try "rule x { condition: nonsense }".write(
            toFile: rules, atomically: true, encoding: .utf8)
        let bad = try husk("analyze", "--rules", rules, path)
        #expect(bad.status == 64)
        #expect(bad.errors.contains("bad.yar:1"))
        #expect(try husk("analyze", "/etc/passwd").status == 119)
        #expect(try husk("export", "core", "/etc/passwd").status == 119)
        let nothing = try husk("export", "elf", path, "-o", temporary.path + "/x")
        #expect(nothing.status == 118)
        #expect(nothing.errors.contains("no image of a program"))
        #expect(try husk("export", "core", "--pid", "1", path).errors.contains("no process 1"))
        #expect(
            try husk("export", "core", path, "-o", path).errors.contains("exists already"))
        #expect(try husk("export", "core", path, "-o", "/proc/x/core").status == 123)
        #expect(try husk("export", "core", "--at", "yesterday", path).status == 64)
    }
}
