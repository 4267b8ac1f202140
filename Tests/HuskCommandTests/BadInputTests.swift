// SPDX-License-Identifier: MIT
import Foundation
import Glibc
import HuskTestSupport
import Testing

/// Bad input: each with a clear message and a documented status.
@Suite("Bad input")
struct BadInputTests {
    @Test(
        "arguments that make no sense, and commands that cannot be run",
        arguments: [
            (["attach"], 64, "Missing expected argument"),
            (["attach", "--duration", "soon", "1"], 64, "--duration"),
            (["attach", "--ring-size", "lots", "1"], 64, "--ring-size"),
            (["attach", "--ring-size", "3M", "1"], 64, "a power of two"),
            (["run"], 64, "Missing expected argument"),
            (["run", "--"], 64, "Missing expected argument"),
            (["run", "-o", "no/such/file", "--", "/bin/true"], 123, "its folder does not exist"),
            (["run", "--disassemble", "-1", "--", "/bin/true"], 64, "--disassemble"),
            (["verify"], 64, "Missing expected argument"),
            (["verify", "/proc/husk"], 64, "husk run -o FILE"),
            (["verify", "/etc/passwd"], 119, "is no capture file"),
            (["verify", "/proc"], 64, "it has no manifest.jsonl"),
            (["frobnicate"], 64, "frobnicate"),
            (["run", "--frobnicate", "--", "/bin/true"], 64, "Unknown option '--frobnicate'"),
            (["view", "--host", "", "/etc/passwd"], 64, "--host takes an address"),
            (["attach", "0"], 120, "0 is not a process ID"),
            (["attach", "--", "-1"], 120, "-1 is not a process ID"),
            (["attach", "abc"], 120, "abc is not a process ID"),
            (["attach", "99999999999999999999"], 120, "is not a process ID"),
            (["attach", "4194305"], 120, "there is no process 4194305"),
            (["attach", "2147483647"], 120, "there is no process 2147483647"),
            (["run", "-o", "/proc/husk/", "--", "/bin/true"], 123, "/proc/husk"),
            (["run", "--log", "/proc/husk", "--", "/bin/true"], 123, "/proc/husk"),
        ] as [([String], Int32, String)])
    func arguments(_ arguments: [String], _ status: Int32, _ message: String) throws {
        let outcome = try Running(BuildProducts.husk, arguments).finish()
        #expect(outcome.status == status, "\(outcome.errors)")
        #expect(outcome.errors.contains(message), "\(outcome.errors)")
        #expect(outcome.output == "")
    }

    @Test(
        "commands that cannot be run", .needsProbes,
        arguments: [
            (["run", "--", "no-such-command-anywhere"], 127, "not found"),
            (["run", "--", "./no/such/file"], 127, "not found"),
            (["run", "--", "/etc/passwd"], 126, "chmod +x"),
            (["run", "--", "/tmp"], 126, "it is a folder"),
        ] as [([String], Int32, String)])
    func commands(_ arguments: [String], _ status: Int32, _ message: String) throws {
        let outcome = try Running(BuildProducts.husk, arguments).finish()
        #expect(outcome.status == status, "\(outcome.errors)")
        #expect(outcome.errors.contains(message), "\(outcome.errors)")
        // The process that was to become it may have been told to have ended.
        for other in [126, 127] where other != Int(status) {
            #expect(!outcome.errors.contains("ended with status \(other)"), "\(outcome.errors)")
        }
    }

    @Test("what could not be begun leaves nothing behind")
    func nothingBehind() throws {
        let temporary = try TemporaryFolder()
        #expect(try husk("attach", "-o", temporary.path + "/out/", "4194305").status == 120)
        #expect(try FileManager.default.contentsOfDirectory(atPath: temporary.path) == [])
    }

    @Test(
        "--force replaces a capture by one that has begun, and by no other", .needsProbes,
        arguments: [
            (["run"], ["--", "./no-such-command"], 127),
            (["run", "--ring-size", "3M"], ["--", "/bin/true"], 64),
            (["attach"], ["4194305"], 120),
        ] as [([String], [String], Int32)])
    func replaced(_ command: [String], _ target: [String], _ status: Int32) throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/out.husk"
        func run(_ words: [String]) throws -> Int32 {
            try Running(BuildProducts.husk, words).finish().status
        }
        #expect(try run(["run", "-q", "-o", path, "--", "/bin/true"]) == 0)
        let old = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(try run(command + ["-q", "--force", "-o", path] + target) == status)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == old)
        #expect(try run(["run", "-q", "--force", "-o", path, "--", "/bin/true"]) == 0)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) != old)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: temporary.path) == ["out.husk"])
    }

    @Test(
        "a limit on the size of files is told as a full disk is", .needsProbes,
        arguments: [
            ["report", "-o", "out"], ["export", "core", "-o", "out"],
            ["export", "json", "-o", "out"],
        ])
    func fileSizeLimit(_ command: [String]) throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/c.husk"
        #expect(try husk("run", "-q", "-o", path, "--", "/bin/true").status == 0)
        let outcome = try Running(
            "/bin/sh",
            ["-c", "ulimit -f 16; exec \"$@\"", "sh", BuildProducts.husk] + command + [path],
            directory: temporary.path
        ).finish()
        #expect(outcome.status == 123, "\(outcome.errors)")
        #expect(outcome.errors.contains("ulimit -f"), "\(outcome.errors)")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: temporary.path) == ["c.husk"])
    }

    @Test("view announces nothing that it cannot serve", .needsProbes)
    func noSuchHost() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/c.husk"
        #expect(try husk("run", "-q", "-o", path, "--", "/bin/true").status == 0)
        for host in ["nonexist.invalid", "192.0.2.1"] {
            let outcome = try husk("view", "--host", host, path)
            #expect(outcome.status == 123, "\(outcome.errors)")
            #expect(outcome.errors.hasPrefix("husk: \(host)"), "\(outcome.errors)")
            #expect(!outcome.errors.contains("serving"), "\(outcome.errors)")
            #expect(outcome.output == "")
        }
    }

    @Test("no process for a command: it is named as it was written", .needsProbes)
    func noProcess() throws {
        // No descriptor is left for the pipes to it, at one of these limits.
        let tries = try (7..<16).map { limit in
            try Running(
                "/bin/sh",
                [
                    "-c", "ulimit -n \(limit); exec \"$@\"", "sh", BuildProducts.husk, "run",
                    "/bin/true",
                ]
            ).finish().errors
        }
        #expect(tries.contains { $0.contains("cannot start a process for /bin/true") }, "\(tries)")
    }

    @Test("a full disk under the report of doctor", .needsProbes)
    func fullStandardOutput() throws {
        let outcome = try Running(
            "/bin/sh", ["-c", "\"$0\" doctor > /dev/full", BuildProducts.husk]
        )
        .finish()
        #expect(outcome.status == 123)
    }

    @Test("a kernel thread", .enabled(if: kill(2, 0) == 0, "no kernel threads are visible here"))
    func kernelThread() throws {
        let outcome = try husk("attach", "2")
        #expect(outcome.status == 120)
        #expect(outcome.errors.contains("kernel thread"))
    }

    @Test("an output folder with files in it is left as it is")
    func occupiedFolder() throws {
        let temporary = try TemporaryFolder()
        try Data("mine".utf8).write(to: URL(fileURLWithPath: temporary.path + "/file"))
        let outcome = try husk("run", "-o", temporary.path, "--", "/bin/echo", "ran")
        #expect(outcome.status == 123)
        #expect(outcome.errors.contains("is not empty"))
        #expect(outcome.output == "")  // the command was not started
        #expect(try FileManager.default.contentsOfDirectory(atPath: temporary.path) == ["file"])
    }

    @Test(
        "an output folder on a full disk: the command goes on, the status tells", .needsProbes,
        .enabled(if: getuid() == 0, "mounting needs root"))
    func fullDisk() throws {
        let temporary = try TemporaryFolder()
        let script = """
            mount -t tmpfs -o size=64k none '\(temporary.path)' || exit 99
            "$0" run -o '\(temporary.path)/out/' -- "$1"; echo status $?
            ls '\(temporary.path)/out'
            """
        let outcome = try Running(
            "/usr/bin/unshare",
            ["-m", "/bin/sh", "-c", script, BuildProducts.husk, BuildProducts.fixture("classic")]
        ).finish()
        #expect(outcome.output.hasPrefix("42\n"))
        #expect(outcome.output.contains("status 123\n"))
        #expect(outcome.errors.contains("the disk is full"))
        #expect(outcome.outputLines.last == "manifest.jsonl")  // no half files
    }

    @Test("no privilege at all", .enabled(if: getuid() == 0, "becoming nobody needs root"))
    func noPrivilege() throws {
        let temporary = try TemporaryFolder()
        let copy = temporary.path + "/husk"
        try FileManager.default.copyItem(atPath: BuildProducts.husk, toPath: copy)
        let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"]
        func asNobody(_ arguments: String...) throws -> Outcome {
            try Running("/usr/bin/setpriv", nobody + [copy] + arguments).finish()
        }
        // A process of someone else's: kill(2) says EPERM, so it exists.
        let foreign = try asNobody("attach", "\(getpid())")
        #expect(foreign.status == 121)
        #expect(foreign.errors.contains("CAP_BPF and CAP_PERFMON"), "\(foreign.errors)")
        let run = try asNobody("run", "--", "/bin/echo", "ran")
        #expect(run.status == 121)
        #expect(run.output == "")
        let doctor = try asNobody("doctor")
        #expect(doctor.status == 121)
        #expect(doctor.output.contains("Husk cannot trace here."))
        #expect(doctor.output.contains("missing  CAP_BPF"))
    }

    /// A trace where a folder of the kernel's is hidden.
    private func tracing(without folder: String) throws -> Outcome {
        let script = "mount -t tmpfs none \(folder) || exit 99; exec \"$0\" run -- /bin/true"
        return try Running(
            "/usr/bin/unshare", ["-m", "/bin/sh", "-c", script, BuildProducts.husk]
        ).finish()
    }

    @Test("no /proc", .enabled(if: getuid() == 0, "mounting needs root"))
    func noProcessFiles() throws {
        let outcome = try tracing(without: "/proc")
        #expect(outcome.status == 121)
        #expect(outcome.errors.contains("there is no /proc"))
    }

    @Test("a kernel without BTF", .enabled(if: getuid() == 0, "mounting needs root"))
    func noTypes() throws {
        let outcome = try tracing(without: "/sys/kernel/btf")
        #expect(outcome.status == 121)
        #expect(outcome.errors.contains("CONFIG_DEBUG_INFO_BTF"))
    }
}

@Suite("What husk says of itself")
struct HelpTests {
    @Test("help teaches, and lists the exit statuses")
    func help() throws {
        let outcome = try husk("--help")
        #expect(outcome.status == 0)
        for word in [
            "run", "attach", "verify", "doctor", "EXAMPLES", "EXIT STATUS", "122", "124", "127",
        ] {
            #expect(outcome.output.contains(word))
        }
        #expect(try husk("run", "--help").output.contains("--disassemble"))
        #expect(try husk("help", "attach").output.contains("--duration"))
    }

    @Test("doctor says that page tables are read, from a map that it knows", .needsProbes)
    func pageTables() throws {
        #expect(try husk("doctor").output.contains("page tables are read"))
    }

    @Test("--version is the one of the changelog")
    func version() throws {
        let version = try husk("--version").output.trimmingCharacters(in: .whitespacesAndNewlines)
        let changelog = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../CHANGELOG.md")
        let text = try String(contentsOf: changelog, encoding: .utf8)
        let released = text.split(separator: "\n").first { $0.hasPrefix("## [") }
        #expect(released?.hasPrefix("## [\(version)]") == true)
    }

    @Test("doctor tells what this machine allows", .needsProbes)
    func doctor() throws {
        let text = try husk("doctor")
        #expect(text.status == 0)
        #expect(text.output.contains("Husk can trace here"))
        // The kernel's own setting, for those who use --rwx trap on programs that are not root.
        let setting = try? String(
            contentsOfFile: "/proc/sys/vm/unprivileged_userfaultfd", encoding: .utf8)
        if setting == "0\n" {
            #expect(text.output.contains("sysctl vm.unprivileged_userfaultfd=1"))
        }
        let outcome = try husk("doctor", "--json")
        let report = try #require(
            try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
        #expect(report["can_trace"] as? Bool == true)
        #expect((report["checks"] as? [[String: Any]])?.count ?? 0 > 10)
    }

    @Test(
        "names that SQLite takes for something else are names",
        arguments: ["file:x.husk", ":memory:", "a?mode=memory", "100%41", "-x.husk"])
    func oddNames(_ name: String) throws {
        let temporary = try TemporaryFolder()
        let outcome = try Running(
            BuildProducts.husk, ["run", "-q", "--output=\(name)", "--", "/bin/true"],
            directory: temporary.path
        ).finish()
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: temporary.path) == [name])
        let verified = try Running(
            BuildProducts.husk, ["verify", "--", name], directory: temporary.path
        ).finish()
        #expect(verified.status == 0, "\(verified.errors)")
    }
}
