// SPDX-License-Identifier: MIT
import Foundation
import Glibc
import HuskPrivileges
import HuskTestSupport
import Testing

/// What Husk may do at each stage, as the kernel tells it (proc_pid_status(5)).
@Suite("privileges", .needsProbes, .serialized)
struct PrivilegesTests {
    /// One thread's lines of /proc/PID/task/TID/status.
    private struct Rights: Equatable, CustomStringConvertible {
        var thread: String
        var effective: UInt64
        var permitted: UInt64
        var getsNoMore: Bool
        var isFiltered: Bool

        var description: String {
            "\(thread) \(String(effective, radix: 16)) \(String(permitted, radix: 16)) "
                + "\(getsNoMore) \(isFiltered)"
        }

        init?(_ status: String) {
            var fields: [Substring: String] = [:]
            for line in status.split(separator: "\n") {
                guard let colon = line.firstIndex(of: ":") else { continue }
                fields[line[..<colon]] = line[line.index(after: colon)...]
                    .trimmingCharacters(in: .whitespaces)
            }
            guard let thread = fields["Name"],
                let effective = fields["CapEff"].flatMap({ UInt64($0, radix: 16) }),
                let permitted = fields["CapPrm"].flatMap({ UInt64($0, radix: 16) })
            else { return nil }
            self.thread = thread
            self.effective = effective
            self.permitted = permitted
            getsNoMore = fields["NoNewPrivs"] == "1"
            isFiltered = fields["Seccomp"] == "2"
        }
    }

    private func threads(of pid: Int32) throws -> [Rights] {
        let folder = "/proc/\(pid)/task"
        return try FileManager.default.contentsOfDirectory(atPath: folder).compactMap { tid in
            // A thread may have ended meanwhile.
            (try? String(contentsOfFile: "\(folder)/\(tid)/status", encoding: .utf8))
                .flatMap(Rights.init)
        }
    }

    private func children(of pid: Int32) throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task").flatMap { tid in
            ((try? String(contentsOfFile: "/proc/\(pid)/task/\(tid)/children", encoding: .utf8))
                ?? "").split(separator: " ").compactMap { Int32($0) }
        }
    }

    /// linux/capability.h.
    private static let storing: UInt64 = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3
    private static let kill: UInt64 = 1 << 5
    private static let reading = kill | 1 << 2 | 1 << 19 | 1 << 40
    private static let attaching: UInt64 = 1 << 38 | 1 << 39

    private func allowed(_ thread: String, attachesMore: Bool) -> UInt64 {
        switch thread {
        case "husk-ring":
            Self.reading | Self.storing | (attachesMore ? Self.attaching : 0)
        case "husk-enforcer", "husk-guards": Self.reading | Self.storing
        case "husk-heartbeat": 0
        case "husk-capture": Self.storing
        default: Self.storing | Self.kill  // the main thread, and Dispatch's
        }
    }

    @Test(
        "while it traces, each thread has what it needs, and the command has all that it had",
        arguments: [
            ["--copy", "auto"], ["--rwx", "trap"], ["--copy", "syscall-exit"],
        ])
    func tracing(_ options: [String]) throws {
        let temporary = try TemporaryFolder()
        let own = try #require(
            Rights(String(contentsOfFile: "/proc/self/status", encoding: .utf8)))
        for output in ["folder/", "file.husk"] {
            let running = try Running(
                BuildProducts.husk,
                ["run", "-q", "-o", "\(temporary.path)/\(output)"] + options
                    + ["--", "sh", "-c", "echo ready; read line"])
            #expect(running.wait { running.outputSoFar.contains("ready") })
            let threads = try threads(of: running.pid)
            #expect(threads.contains { $0.thread == "husk-ring" })
            #expect(threads.contains { $0.thread == "husk-capture" } == (output == "file.husk"))
            for rights in threads {
                // With function probes, or task work, samples are taken once a target needs them.
                let allowed = allowed(rights.thread, attachesMore: options == ["--copy", "auto"])
                #expect(rights.permitted & ~allowed == 0, "\(rights)")
                #expect(rights.effective == rights.permitted, "\(rights)")
                #expect(rights.getsNoMore && rights.isFiltered, "\(rights)")
            }
            let children = try children(of: running.pid)
            #expect(!children.isEmpty)
            for child in children {
                let rights = try #require(
                    Rights(String(contentsOfFile: "/proc/\(child)/status", encoding: .utf8)))
                if rights.thread == "husk-guardian" {
                    #expect(rights.permitted & ~Self.kill == 0, "\(rights)")
                    #expect(rights.getsNoMore, "\(rights)")
                } else {
                    #expect(rights.permitted == own.permitted, "\(rights)")
                    #expect(rights.getsNoMore == own.getsNoMore, "\(rights)")
                    #expect(rights.isFiltered == own.isFiltered, "\(rights)")
                }
            }
            running.send("\n")
            #expect(running.finish().status == 0)
        }
        #expect(try husk("verify", "\(temporary.path)/file.husk").status == 0)
    }

    @Test("a command that reads a capture has no rights but those of the capture's owner")
    func reading() throws {
        let temporary = try TemporaryFolder()
        let file = temporary.path + "/file.husk"
        #expect(try husk("run", "-q", "-o", file, "--", "/bin/true").status == 0)
        let running = try Running(BuildProducts.husk, ["view", file])
        #expect(running.wait { running.outputSoFar.contains("http") })
        let threads = try threads(of: running.pid)
        #expect(threads.count > 1)
        for rights in threads {
            #expect(rights.permitted & ~Self.storing == 0, "\(rights)")
            #expect(rights.getsNoMore && rights.isFiltered, "\(rights)")
        }
        running.signal(SIGINT)
        #expect(running.finish().status == 0)
    }

    @Test(
        "what is given up is gone",
        arguments: ["reading", "serving", "tracing"])
    func givenUp(_ how: String) throws {
        let temporary = try TemporaryFolder()
        try FileManager.default.createDirectory(
            atPath: temporary.path + "/inside", withIntermediateDirectories: false)
        try Data("known".utf8).write(to: URL(fileURLWithPath: temporary.path + "/known"))
        let outcome = try Running(
            BuildProducts.fixture("confined"), [how, temporary.path]
        ).finish()
        var results: [String: String] = [:]
        for line in outcome.outputLines {
            let words = line.split(separator: " ")
            results[String(words[0])] = String(words[1])
        }
        // What it must be able to do.
        for kept in ["inside", "read", "data"] { #expect(results[kept] == "ok", "\(kept)") }
        #expect(results["socket"] == (how == "serving" ? "ok" : "\(EPERM)"))
        for lost in ["code", "setuid", "execute"] {
            #expect(results[lost] == "\(EPERM)", "\(lost)")
        }
        if let version = Confinement.landlockVersion {
            #expect(results["outside"] == "\(EACCES)")
            // A trace may have to end its command, or to let a process go.
            let mayNot = version >= 6 && how != "tracing"
            #expect(results["signal"] == (mayNot ? "\(EPERM)" : "ok"))
        } else {
            print("SKIPPED: this kernel has no Landlock")
        }
    }

    @Test(
        "CAP_BPF and CAP_PERFMON are enough, as another user",
        arguments: ["--copy=auto", "--copy=syscall-exit", "--rwx=trap"])
    func leastPrivilege(_ option: String) throws {
        guard geteuid() == 0 else {
            print("SKIPPED: only root can try to be another user")
            return
        }
        let temporary = try TemporaryFolder()
        #expect(chmod(temporary.path, 0o777) == 0)
        let capabilities = "-all,+bpf,+perfmon"
        let asAnother = [
            "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=\(capabilities)",
            "--ambient-caps=\(capabilities)", "--bounding-set=\(capabilities)",
        ]
        // What it is built of may lie where no one else may look.
        let reachable = try Running(
            "/usr/bin/setpriv", asAnother + [BuildProducts.husk, "--version"]
        ).finish()
        guard reachable.status == 0 else {
            print("SKIPPED: another user cannot reach \(BuildProducts.husk)")
            return
        }
        let file = temporary.path + "/file.husk"
        let outcome = try Running(
            "/usr/bin/setpriv",
            asAnother + [
                BuildProducts.husk, "run", option, "-o", file, "--",
                BuildProducts.fixture("classic"),
            ]
        ).finish()
        #expect(outcome.status == 0)
        #expect(outcome.errors.contains("rw- -> --x"))
        let verified = try Running(
            "/usr/bin/setpriv", asAnother + [BuildProducts.husk, "verify", file]
        ).finish()
        #expect(verified.status == outcome.status, "\(verified.errors)")

        // Without rights: an error that says what to do.
        let none = try Running(
            "/usr/bin/setpriv",
            [
                "--reuid=65534", "--regid=65534", "--clear-groups", BuildProducts.husk, "run",
                "--", "/bin/true",
            ]
        ).finish()
        #expect(none.status == 121)
        #expect(none.errors.contains("CAP_BPF and CAP_PERFMON"))
        #expect(none.errors.contains("setcap"))
    }
}
