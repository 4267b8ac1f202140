// SPDX-License-Identifier: MIT
import Foundation
import Glibc
import HuskTestSupport
import Testing

/// `husk run --user`, `--no-network`, `--private-mounts`.
@Suite("containment", .needsProbes, .serialized)
struct ContainmentTests {
    @Test("a command runs as the user named, who has no rights, cannot get any and is traced")
    func user() throws {
        guard geteuid() == 0 else {
            print("SKIPPED: only root can run a command as another user")
            return
        }
        let outcome = try husk(
            "run", "--user", "nobody", "--", "/bin/sh", "-c",
            "id -u; id -g; echo $HOME; grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; exit 7"
        )
        #expect(outcome.status == 7)
        let lines = outcome.outputLines
        #expect(lines.prefix(2) == ["65534", "65534"])
        #expect(lines.contains { $0.hasPrefix("CapEff") && $0.hasSuffix("0000000000000000") })
        #expect(lines.contains { $0.hasPrefix("CapBnd") && $0.hasSuffix("0000000000000000") })
        #expect(lines.contains("NoNewPrivs:\t1"))
        #expect(lines[2] == "/nonexistent")
        #expect(outcome.errors.contains("/bin/dash"))
        #expect(outcome.errors.contains("husk: complete: "))
    }

    @Test("a command without a network has no other device than a loopback that is down")
    func network() throws {
        let outcome = try husk(
            "run", "--no-network", "--", "/bin/sh", "-c", "tail -n +3 /proc/net/dev; exit 3")
        #expect(outcome.status == 3)
        #expect(outcome.outputLines.count == 1)
        #expect(outcome.output.contains("lo:"))
    }

    @Test("what a command mounts is not seen outside")
    func mounts() throws {
        guard geteuid() == 0 else {
            print("SKIPPED: only root can mount")
            return
        }
        let temporary = try TemporaryFolder()
        let outcome = try husk(
            "run", "--private-mounts", "--", "/bin/sh", "-c",
            "mount -t tmpfs tmpfs \(temporary.path) && touch \(temporary.path)/x && "
                + "ls \(temporary.path)")
        #expect(outcome.status == 0)
        #expect(outcome.output == "x\n")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: temporary.path).isEmpty)
    }

    @Test("mistakes are told before anything is run")
    func mistakes() throws {
        let outcome = try husk("run", "--user", "no\u{1B}[31mbody", "--", "/bin/true")
        #expect(outcome.status != 0)
        #expect(outcome.errors.contains("there is no user no"))
        #expect(!outcome.errors.contains("\u{1B}"))
        let missing = try husk("run", "--no-network", "--", "/no/such/command")
        #expect(missing.status == 127)
    }
}
