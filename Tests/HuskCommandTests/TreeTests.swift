// SPDX-License-Identifier: MIT
import Foundation
import Glibc
import HuskTestSupport
import Testing

/// Process trees, namespaces and what is left out of the lines, as a user sees them.
@Suite("Trees and namespaces", .needsProbes, .serialized)
struct TreeTests {
    private func records(_ text: String) throws -> [[String: Any]] {
        try text.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    private func pids(_ records: [[String: Any]], type: String) -> [Int32] {
        records.filter { $0["type"] as? String == type }.compactMap {
            (($0["process"] as? [String: Any])?["pid"] as? Int).map(Int32.init)
        }
    }

    private let classic = BuildProducts.fixture("classic")

    @Test("run follows children; --no-follow does not")
    func following() throws {
        let script = "\(classic); \(classic) | cat"
        func lines(_ option: String) throws -> [[String: Any]] {
            let folder = try TemporaryFolder()
            let log = folder.path + "/log"
            let outcome = try husk(
                "run", option, "--json", "--log", log, "--", "/bin/sh", "-c", script)
            #expect(outcome.status == 0)
            return try records(String(contentsOfFile: log, encoding: .utf8))
        }
        let followed = try lines("--follow")
        #expect(Set(pids(followed, type: "exec")).count == 4)
        #expect(followed.last?["children"] as? Int == 3)
        #expect(followed.last?["complete"] as? Bool == true)
        let alone = try lines("--no-follow")
        #expect(Set(pids(alone, type: "exec")).count == 1)
    }

    @Test("what a command leaves running is traced to its end")
    func background() throws {
        let outcome = try husk(
            "run", "--", "/bin/sh", "-c", "(sleep 1; exec \(classic)) >/dev/null & exit 3")
        #expect(outcome.status == 3)
        #expect(outcome.errors.contains("tracing what it left running"))
        #expect(outcome.errors.contains("rw- -> --x"))
        #expect(outcome.errors.contains("husk: complete: "))
    }

    @Test("Ctrl-C ends the trace of what is left running, not the process")
    func leftBehind() throws {
        let process = try Running(
            BuildProducts.husk,
            ["run", "--", "/bin/sh", "-c", "sleep 30 </dev/null >/dev/null 2>&1 & echo $!"])
        #expect(process.wait { process.errorsSoFar.contains("left running") })
        let pid = try #require(
            Int32(process.outputSoFar.trimmingCharacters(in: .whitespacesAndNewlines)))
        process.signal(SIGINT)
        // Foundation takes the process for running as long as someone has its descriptors.
        #expect(process.wait(5) { process.errorsSoFar.contains("husk: complete: ") })
        #expect(kill(pid, 0) == 0)
        kill(pid, SIGKILL)  // our own grandchild
        #expect(process.finish(within: 10).status == 0)
    }

    @Test("attach takes what is executable already; --tree takes descendants too")
    func present() throws {
        let shell = try Running(
            "/bin/bash", ["-c", "sleep 30 & sleep 30 & echo ready; wait"])
        defer { shell.signal(SIGKILL) }
        #expect(shell.wait { shell.outputSoFar.contains("ready") })
        let whole = try records(
            husk("attach", "--tree", "--json", "--duration", "200ms", "\(shell.pid)").output)
        let present = whole.filter { $0["kind"] as? String == "present" }
        let traced = Set(pids(present, type: "transition"))
        #expect(traced.count == 3)
        #expect(
            present.contains { ($0["backing"] as? [String: Any])?["name"] as? String == "bash" })
        let one = try records(
            husk("attach", "--json", "--duration", "200ms", "\(shell.pid)").output)
        #expect(Set(pids(one, type: "transition")) == [shell.pid])
        let none = try records(
            husk("attach", "--no-present", "--json", "--duration", "200ms", "\(shell.pid)").output)
        #expect(none.count == 1)
        for pid in traced where pid != shell.pid { kill(pid, SIGKILL) }
    }

    @Test("inside a PID namespace, processes have the numbers that they have there")
    func namespace() throws {
        let folder = try TemporaryFolder()
        let log = folder.path + "/log"
        let outcome = try Running(
            "/usr/bin/unshare",
            [
                "--pid", "--fork", "--mount-proc", BuildProducts.husk, "run", "--json", "--log",
                log,
                "--", classic,
            ]
        ).finish()
        try #require(!outcome.errors.contains("unshare"), "no namespaces here: \(outcome.errors)")
        let found = try records(String(contentsOfFile: log, encoding: .utf8))
        #expect(Set(pids(found, type: "transition")) == [2])
        #expect(found.last?["complete"] as? Bool == true)
        let host = found.compactMap {
            ($0["process"] as? [String: Any])?["host_pid"] as? Int
        }
        #expect(host.allSatisfy { $0 > 2 })
    }

    @Test("files that are unchanged from disk can be referenced instead of stored")
    func references() throws {
        func hashes(_ choice: String, _ key: String) throws -> [String: String] {
            let lines = try husk("run", "--json", "--files", choice, "--", "/bin/true").output
            var found: [String: String] = [:]
            for record in try records(lines) {
                let path = (record["backing"] as? [String: Any])?["path"] as? String
                let hash =
                    key == "reference"
                    ? (record["reference"] as? [String: Any])?["sha256"] as? String
                    : (record["runs"] as? [[String: Any]])?.first?["sha256"] as? String
                if let path, let hash, record["kind"] as? String == "mmap" { found[path] = hash }
            }
            return found
        }
        let stored = try hashes("store", "runs")
        let referenced = try hashes("reference", "reference")
        #expect(stored.count >= 1)
        #expect(stored == referenced)
    }

    @Test("--hide leaves out lines, not what was captured")
    func hiding() throws {
        let outcome = try husk("run", "--hide", "file,kernel", "--", classic)
        #expect(!outcome.errors.contains("libc.so.6"))
        #expect(!outcome.errors.contains("special"))
        #expect(outcome.errors.contains("rw- -> --x"))
        let whole = try husk("run", "--", classic)
        #expect(
            whole.errors.split(separator: "\n").suffix(2)
                == outcome.errors.split(separator: "\n").suffix(2))
        #expect(try husk("run", "--hide", "nonsense", "--", classic).status == 64)
    }

    @Test("code of a JIT is labelled by who asked for it, and by its perf map")
    func labels() throws {
        let folder = try TemporaryFolder()
        let log = folder.path + "/log"
        let outcome = try Running(
            BuildProducts.husk,
            [
                "run", "--json", "--log", log, "--", "/usr/bin/env", "node", "--perf-basic-prof",
                "-e",
                "let s=0; for (let i=0;i<1e6;i++) s=(s*31+i)%1009; console.log(s, process.pid)",
            ], directory: folder.path
        ).finish()
        #expect(outcome.status == 0, "\(outcome.errors)")
        let pid = outcome.outputLines.last?.split(separator: " ").last ?? ""
        defer { unlink("/tmp/perf-\(pid).map") }
        let found = try records(String(contentsOfFile: log, encoding: .utf8))
        let labels = found.compactMap { $0["label"] as? [String: Any] }
        #expect(
            labels.contains {
                $0["kind"] as? String == "jit" && $0["source"] as? String == "caller"
            })
        #expect(
            labels.contains {
                $0["kind"] as? String == "jit" && $0["source"] as? String == "perf-map"
            })
    }

    @Test("--probes functions is refused with a reason where there are none")
    func probes() throws {
        let outcome = try husk("run", "--probes", "functions", "-q", "--", classic)
        if outcome.status == 0 { return }  // this kernel has them
        #expect(outcome.status == 121)
        #expect(outcome.errors.contains("leave the choice to Husk"))
    }
}
