// SPDX-License-Identifier: MIT
import Foundation
import Glibc
import HuskTestSupport
import Testing

/// `husk run`, as a user calls it.
@Suite("husk run", .needsProbes, .serialized)
struct RunTests {
    private let classic = BuildProducts.fixture("classic")

    @Test("passes the command's output and status on")
    func transparent() throws {
        let outcome = try husk("run", "--", classic)
        #expect(outcome.status == 0)
        #expect(outcome.output.hasPrefix("42\ncode 0x"))
        #expect(outcome.outputLines.count == 2)
        #expect(outcome.errors.contains("rw- -> --x"))
        #expect(outcome.errors.contains("husk: complete: "))

        #expect(try husk("run", "/bin/true").status == 0)
        #expect(try husk("run", "--", "/bin/sh", "-c", "exit 3").status == 3)
        let killed = try husk("run", "--", "/bin/sh", "-c", "kill -9 $$")
        #expect(killed.status == 128 + SIGKILL)
        #expect(killed.errors.contains("ended by signal 9"))
    }

    @Test("passes standard input on, and options of the command too")
    func input() throws {
        let process = try Running(BuildProducts.husk, ["run", "-q", "--", "/bin/cat", "-n"])
        process.send("a line\n")
        let outcome = process.finish()
        #expect(outcome.status == 0)
        #expect(outcome.output == "     1\ta line\n")
        #expect(outcome.errors == "")
    }

    @Test("gives the command the descriptors, signals and group it would have had")
    func environment() throws {
        // Looked at by programs that start nothing themselves: a shell's own pipes and blocked
        // signals come and go. One shell starts all, because tests that run at the same time
        // leak descriptors into the processes that they start.
        let script = """
            for husk in '' "$0 run -q --"; do
              $husk ls /proc/self/fd
              $husk grep -E '^(Sig(Blk|Ign|Cgt)|Groups|NoNewPrivs|Seccomp)' /proc/self/status
              $husk ps -o pgid=,sid= -C ps
              echo ----
            done
            """
        let outcome = try Running("/bin/sh", ["-c", script, BuildProducts.husk]).finish()
        #expect(outcome.status == 0)
        let halves = outcome.output.components(separatedBy: "----\n")
        #expect(halves.count == 3)
        #expect(halves[0] == halves[1])
        #expect(halves[0].contains("SigCgt"))
    }

    @Test("keeps pages in a folder, named by base and hash")
    func folder() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/out/"
        let outcome = try husk(
            "run", "-q", "-o", path, "--", BuildProducts.fixture("toggle"), "5", "2")
        #expect(outcome.status == 0)
        let truths = Truth.read(outcome.output)
        #expect(truths.count == 5)
        for truth in truths {
            // One run of pages per truth here, so the file's name is known beforehand.
            let name = String(truth.address, radix: 16) + "_" + truth.sha256.prefix(16) + ".bin"
            let bytes = try? Data(contentsOf: URL(fileURLWithPath: path + name))
            #expect(bytes?.count == truth.length, "\(name) is missing")
        }
        let manifest = try String(contentsOfFile: path + "manifest.jsonl", encoding: .utf8)
        let records = try manifest.split(separator: "\n").map {
            try #require(
                try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        let hashes = records.flatMap { ($0["runs"] as? [[String: Any]] ?? []) }
            .compactMap { $0["sha256"] as? String }
        #expect(truths.allSatisfy { hashes.contains($0.sha256) })
        #expect(records.last?["type"] as? String == "summary")
        #expect(records.last?["complete"] as? Bool == true)
    }

    @Test("under sudo, what is made belongs to who has called it, from the first moment")
    func ownedByCaller() throws {
        let temporary = try TemporaryFolder()
        let caller = ["SUDO_UID": "65534", "SUDO_GID": "65534"]
        func owners(_ path: String) throws -> [UInt32] {
            let names = [""] + ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [])
            return try names.map { name in
                var status = stat()
                try #require(lstat(name.isEmpty ? path : path + "/" + name, &status) == 0)
                #expect(status.st_mode & 0o077 == 0)
                return status.st_uid
            }
        }
        for name in ["folder/", "file.husk"] {
            let path = temporary.path + "/" + name
            let running = try Running(
                BuildProducts.husk,
                ["run", "-q", "-o", path, "--", "sh", "-c", "echo ready; read line"],
                environment: caller)
            #expect(running.wait { running.outputSoFar.contains("ready") })
            #expect(Set(try owners(path)) == [65534])
            for suffix in ["-wal", "-shm"] where !name.hasSuffix("/") {
                #expect(try owners(path + suffix) == [65534])
            }
            running.send("\n")
            #expect(running.finish().status == 0)
            #expect(Set(try owners(path)) == [65534])
        }
        let report = temporary.path + "/report.html"
        let made = try husk(
            "report", temporary.path + "/file.husk", "-o", report, environment: caller)
        #expect(made.status == 0)
        #expect(try owners(report) == [65534])
        // Not under sudo: root's own.
        let plain = temporary.path + "/plain.html"
        #expect(try husk("report", temporary.path + "/file.husk", "-o", plain).status == 0)
        #expect(try owners(plain) == [geteuid()])
    }

    @Test("--json gives one object per line, with a summary as the last")
    func json() throws {
        let temporary = try TemporaryFolder()
        let log = temporary.path + "/events.jsonl"
        let outcome = try husk("run", "--json", "--log", log, "--", classic)
        #expect(outcome.outputLines.count == 2)
        let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
        let types = try lines.map { line in
            let record = try JSONSerialization.jsonObject(with: Data(line.utf8))
            return (record as? [String: Any])?["type"] as? String
        }
        #expect(types.contains("transition"))
        // What the program has made executable is a layer above its file.
        #expect(types.suffix(3) == ["process-exit", "layer", "summary"])

        // Without --log they go to standard output, beside the command's own lines.
        let mixed = try husk("run", "--json", "--", classic)
        #expect(mixed.outputLines.filter { $0.hasPrefix("{") }.count == lines.count)
    }

    @Test("works with closed standard streams, and with SIGCHLD ignored")
    func strangeParents() throws {
        let temporary = try TemporaryFolder()
        let closed = try Running(
            "/bin/sh",
            [
                "-c", "\"$0\" run -o '\(temporary.path)/out/' -- \"$1\" <&- >&- 2>&-",
                BuildProducts.husk, classic,
            ]
        ).finish()
        #expect(closed.status == 0)
        let manifest = try String(
            contentsOfFile: temporary.path + "/out/manifest.jsonl", encoding: .utf8)
        #expect(manifest.split(separator: "\n").allSatisfy { $0.hasPrefix("{") })

        let ignored = try Running(
            "/usr/bin/env",
            [
                "--ignore-signal=CHLD", BuildProducts.husk, "run", "-q", "--", "/bin/sh", "-c",
                "exit 3",
            ]
        ).finish()
        #expect(ignored.status == 3)
    }

    @Test("passes arguments on that are no UTF-8")
    func rawArguments() throws {
        let outcome = try Running(
            "/bin/bash",
            ["-c", "\"$0\" run -q -- printf %s $'a\\xffb' | od -A n -t x1", BuildProducts.husk]
        ).finish()
        #expect(outcome.output == " 61 ff 62\n")
    }

    @Test(
        "can be ended while the reader of its lines does not read",
        arguments: [
            // The command runs when the signal comes, has ended, shares its pipe with both streams.
            "--json -- \"$1\" 100000 >\"$2\"", "--json -- \"$1\" 50 >\"$2\"",
            "--json -- \"$1\" 50 >\"$2\" 2>&1",
        ])
    func stuckReader(arguments: String) throws {
        let temporary = try TemporaryFolder()
        let script = """
            mkfifo "$2"; sleep 60 <"$2" & reader=$!
            /usr/bin/env --default-signal "$0" run \(arguments) & husk=$!
            sleep 3; kill -INT $husk; wait $husk; echo status $?; kill $reader
            """
        // A shell makes its background commands ignore SIGINT: env undoes that.
        let shell = try Running(
            "/bin/bash",
            [
                "-c", script, BuildProducts.husk, BuildProducts.fixture("toggle"),
                temporary.path + "/pipe",
            ])
        let outcome = shell.finish(within: 30)
        #expect(outcome.output == "status 123\n")
    }

    @Test("waits for a reader of its lines who pauses")
    func pausingReader() throws {
        let outcome = try Running(
            "/bin/bash",
            [
                "-c",
                """
                "$0" run --json -- /bin/sh -c '"$0" 100 >/dev/null' "$1" | (sleep 4; cat) | tail -n 1
                echo ${PIPESTATUS[0]}
                """, BuildProducts.husk, BuildProducts.fixture("toggle"),
            ]
        ).finish()
        #expect(outcome.outputLines.count == 2)
        #expect(outcome.outputLines.first?.contains("\"type\":\"summary\"") ?? false)
        #expect(outcome.outputLines.last == "0")
    }

    /// A named pipe, and its reading end, which does not wait.
    private func pipe(in folder: TemporaryFolder) throws -> (path: String, descriptor: Int32) {
        let path = folder.path + "/pipe"
        try #require(mkfifo(path, 0o600) == 0)
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        try #require(descriptor >= 0)
        return (path, descriptor)
    }

    @Test("a second Ctrl-C does not wait for a slow reader either")
    func slowReader() throws {
        let temporary = try TemporaryFolder()
        let (path, pipe) = try pipe(in: temporary)
        defer { close(pipe) }
        let running = try Running(
            "/bin/bash",
            [
                "-c",
                "exec \"$0\" run --json -- /bin/sh -c '\"$0\" 20000 >/dev/null' \"$1\" >'\(path)'",
                BuildProducts.husk, BuildProducts.fixture("toggle"),
            ])
        var bytes = [UInt8](repeating: 0, count: 2048)
        func readSlowly(for seconds: Double) -> Bool {
            running.wait(seconds) {
                usleep(50_000)
                _ = read(pipe, &bytes, bytes.count)
                return !running.isRunning
            }
        }
        #expect(!readSlowly(for: 3))
        running.signal(SIGINT)
        if !readSlowly(for: 2) { running.signal(SIGINT) }
        // It ends the command first, which may stand for want of room.
        #expect(readSlowly(for: 13))
        #expect(running.finish().status == 123)
    }

    /// The command writes to the same pipe: it may take the room that Husk has just seen there.
    @Test("never waits in write(2) for a reader")
    func sharedPipe() throws {
        let temporary = try TemporaryFolder()
        let (path, pipe) = try pipe(in: temporary)
        let running = try Running(
            "/bin/bash",
            [
                "-c",
                "exec \"$0\" run --json -- /bin/sh -c 'yes & exec \"$0\" 1000000' \"$1\" >'\(path)'",
                BuildProducts.husk, BuildProducts.fixture("toggle"),
            ])
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        var taken = 0
        // With room for the last time when Husk is seen to wait, which it should not.
        let waits = running.wait(5) {
            while case let size = read(pipe, &bytes, bytes.count), size > 0 { taken += size }
            usleep(1_000)
            return isWriting(running.pid)
        }
        #expect(!waits)
        #expect(taken > 1 << 20)
        running.signal(SIGINT)
        #expect(running.wait(20) { running.errorsSoFar.contains("the last lines are missing") })
        close(pipe)  // ends `yes`
        #expect(running.finish().status == 123)
    }

    /// Whether a thread waits in write(2), call 1 of x86-64: seen twice in the same one.
    private func isWriting(_ pid: Int32) -> Bool {
        let folder = "/proc/\(pid)/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return threads.contains { thread in
            let calls = (0..<2).map { _ in
                usleep(500)
                let path = "\(folder)/\(thread)/syscall"
                return (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            }
            return calls[0].hasPrefix("1 ") && calls[0] == calls[1]
        }
    }

    @Test("--disassemble shows the first instructions")
    func disassembly() throws {
        let outcome = try husk("run", "--disassemble", "2", "--", classic)
        #expect(outcome.errors.contains("b8 2a 00 00 00          mov eax, 0x2a\n"))
        #expect(outcome.errors.contains("c3                      ret\n"))
    }

    @Test("names of files cannot break a line")
    func hostileNames() throws {
        let temporary = try TemporaryFolder()
        let outcome = try husk("run", "--", BuildProducts.fixture("files"), temporary.path + "/f")
        #expect(outcome.errors.contains("memfd:memfd:a\\x0ab"))
        // Beyond the end of the file there are no pages: nothing is missing.
        #expect(outcome.status == 0)
        #expect(outcome.errors.contains("husk: complete: "))
    }

    @Test("ends with 122 when something was lost, whatever the command's status")
    func incomplete() throws {
        let outcome = try husk(
            "run", "--no-stall", "--ring-size", "64K", "--",
            BuildProducts.fixture("big"), "24")
        #expect(outcome.status == 122)
        #expect(outcome.errors.contains("LOST ring-full"))
        #expect(outcome.errors.contains("INCOMPLETE"))
        #expect(Truth.read(outcome.output).count == 1)
    }

    // MARK: Ending

    @Test("Ctrl-C ends the command, and what was captured is kept")
    func interrupt() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/out/"
        let process = try Running(
            BuildProducts.husk, ["run", "-o", path, "--", BuildProducts.fixture("wait")])
        #expect(process.wait { process.outputSoFar.hasPrefix("ready") })
        process.send("go\n")
        #expect(process.wait { Truth.read(process.outputSoFar).count == 1 })
        process.signal(SIGINT)
        #expect(process.wait { !process.isRunning })
        let outcome = process.finish()
        #expect(outcome.status == 128 + SIGINT)
        #expect(outcome.errors.contains("husk: complete: "))
        let truth = try #require(Truth.read(outcome.output).first)
        let name = String(truth.address, radix: 16) + "_" + truth.sha256.prefix(16) + ".bin"
        #expect(FileManager.default.fileExists(atPath: path + name))
    }

    @Test("a command that does not want to end is made to")
    func stubborn() throws {
        let process = try Running(
            BuildProducts.husk,
            [
                "run", "--duration", "500ms", "--", "/bin/sh", "-c",
                "trap '' INT TERM; echo armed; while :; do sleep 0.1; done",
            ])
        #expect(process.wait { process.outputSoFar == "armed\n" })
        let outcome = process.finish(within: 30)
        #expect(outcome.status == 128 + SIGKILL)
        #expect(outcome.errors.contains("the time is up"))
    }

    @Test("a reader that has seen enough does not disturb the command")
    func closedPipe() throws {
        let outcome = try Running(
            "/bin/bash",
            [
                "-c", "\"$0\" run --json -- \"$1\" 2>/dev/null | head -1; echo ${PIPESTATUS[0]}",
                BuildProducts.husk, BuildProducts.fixture("toggle"),
            ]
        ).finish()
        #expect(outcome.outputLines.count == 2)
        // The command's own output goes into the same closed pipe: it may end by SIGPIPE.
        #expect(["0", "141"].contains(outcome.outputLines.last))
    }
}
