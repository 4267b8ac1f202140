// SPDX-License-Identifier: MIT
import Foundation
import HuskTestSupport
import Testing

/// Programs that people run, with their JIT compilers at work.
@Suite("Real programs", .needsProbes, .serialized)
struct RealProgramTests {
    struct Program: CustomTestStringConvertible, Sendable {
        var name: String
        /// Runs some tenths of a second and prints one line.
        var command: [String]
        /// The same for some seconds, for attaching.
        var long: [String]
        /// Whether it makes anonymous memory executable.
        var hasJIT = true

        var testDescription: String { name }

        var isInstalled: Bool {
            let folders = ProcessInfo.processInfo.environment["PATH"] ?? ""
            return folders.split(separator: ":").contains {
                FileManager.default.isExecutableFile(atPath: "\($0)/\(command[0])")
            }
        }
    }

    private static func node(_ rounds: Int) -> [String] {
        [
            "node", "-e",
            """
            function hot(n) { let s = 0; for (let i = 0; i < n; i++) s = (s + i * 7) % 1000003; return s }
            let t = 0; for (let j = 0; j < \(rounds); j++) t += hot(100000); console.log(t)
            """,
        ]
    }

    private static func lua(_ rounds: Int) -> [String] {
        [
            "luajit", "-e",
            "local s = 0 for j = 1, \(rounds) do for i = 1, 1e6 do s = (s + i * 7) % 1000003 end end print(s)",
        ]
    }

    private static func perl(_ rounds: Int) -> [String] {
        [
            "perl", "-e",
            "my $n = 0; for (1..\(rounds)) { $n += () = ('ab' x 99) =~ /a(b|c)/g } print \"$n\\n\"",
        ]
    }

    static let programs: [Program] = [
        Program(name: "/bin/true", command: ["true"], long: ["sleep", "2"], hasJIT: false),
        Program(name: "node", command: node(200), long: node(5_000)),
        Program(name: "luajit", command: lua(20), long: lua(300)),
        Program(name: "perl", command: perl(2_000), long: perl(130_000), hasJIT: false),
        Program(
            name: "java", command: ["java", "Hot.java", "300"], long: ["java", "Hot.java", "3000"]),
    ]

    /// A folder with the Java program in it.
    private func workFolder() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let source = """
            public class Hot {
                static int hot(int n) {
                    int s = 0;
                    for (int i = 0; i < n; i++) s = (s * 31 + i) % 1000003;
                    return s;
                }
                public static void main(String[] a) {
                    long t = 0;
                    for (int i = 0; i < Integer.parseInt(a[0]); i++) t += hot(100000 + i % 7);
                    System.out.println(t);
                }
            }
            """
        try Data(source.utf8).write(to: URL(fileURLWithPath: folder.path + "/Hot.java"))
        return folder
    }

    private func find(_ name: String) -> String {
        let folders = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":") ?? []
        return folders.map { "\($0)/\(name)" }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        } ?? name
    }

    @Test("run: output and status unchanged, pages captured", arguments: programs)
    func run(_ program: Program) throws {
        try #require(program.isInstalled, "\(program.command[0]) is not installed: make deps")
        let folder = try workFolder()
        let plain = try Running(
            find(program.command[0]), Array(program.command.dropFirst()), directory: folder.path
        ).finish()
        let log = folder.path + "/log.jsonl"
        let traced = try Running(
            BuildProducts.husk, ["run", "--json", "--log", log, "--"] + program.command,
            directory: folder.path
        ).finish()
        #expect(traced.status == plain.status, "\(traced.errors)")
        #expect(traced.output == plain.output)
        #expect(traced.errors.contains("husk: complete: "))

        let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
        let records = try lines.map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        let summary = try #require(records.last)
        #expect((summary["pages"] as? Int ?? 0) > 100)  // at least libc
        let anonymous = records.filter { record in
            (record["backing"] as? [String: Any])?["kind"] as? String == "anonymous"
                && (record["effective"] as? String)?.hasSuffix("x") == true
        }
        #expect(anonymous.isEmpty == !program.hasJIT)
    }

    @Test("grep -P with PCRE2's JIT")
    func pcre() throws {
        let plain = try Running("/bin/sh", ["-c", "seq 20000 | grep -cP '(1|2)+\\d{2,}9$'"])
            .finish()
        let process = try Running(
            "/bin/sh",
            ["-c", "seq 20000 | \"$0\" run -- grep -cP '(1|2)+\\d{2,}9$'", BuildProducts.husk])
        let traced = process.finish()
        #expect(traced.output == plain.output)
        #expect(traced.status == 0)
        #expect(traced.errors.contains("new -> rwx"))
        #expect(traced.errors.contains("husk: complete: "))
    }

    @Test("attach while it runs: output and status unchanged", arguments: programs)
    func attach(_ program: Program) throws {
        try #require(program.isInstalled, "\(program.command[0]) is not installed: make deps")
        let folder = try workFolder()
        let target = try Running(
            find(program.long[0]), Array(program.long.dropFirst()), directory: folder.path)
        usleep(200_000)
        let traced = try Running(
            BuildProducts.husk, ["attach", "--duration", "700ms", "\(target.pid)"]
        ).finish()
        #expect(traced.status == 0, "\(traced.errors)")
        #expect(traced.errors.contains("husk: complete: "))
        let outcome = target.finish()
        #expect(outcome.status == 0)
        #expect(outcome.errors == "")
        #expect(outcome.outputLines.count == (program.long[0] == "sleep" ? 0 : 1))
    }
}
