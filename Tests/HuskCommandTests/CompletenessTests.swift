// SPDX-License-Identifier: MIT
import Foundation
import Glibc
import Husk
import HuskTestSupport
import Testing

/// What happens to the target, and to the capture, when Husk cannot go on as it should.
@Suite("completeness", .needsProbes, .serialized)
struct CompletenessTests {
    private static let copyMethods = ProbeGate.copyMethods.map(\.rawValue)

    @Test("no target stays held when Husk is killed", arguments: copyMethods)
    func killed(_ method: String) throws {
        let outcome = try Running(
            BuildProducts.fixture("kill"),
            ["8", BuildProducts.husk, "--ring-size", "64K", "--copy", method]
        ).finish()
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("\"killed\":8,\"wrong\":0"))
    }

    @Test("a target waits for a stopped Husk for a moment only", arguments: copyMethods)
    func stopped(_ method: String) throws {
        let temporary = try TemporaryFolder()
        let log = temporary.path + "/log"
        let husk = try Running(
            BuildProducts.husk,
            [
                "run", "--json", "--log", log, "--ring-size", "64K", "--copy", method, "--",
                BuildProducts.fixture("toggle"), "100000", "16",
            ])
        #expect(husk.wait { Truth.read(husk.outputSoFar).count > 2 })
        husk.signal(SIGSTOP)
        let before = Truth.read(husk.outputSoFar).count
        // Half a second without a sign of life, then it runs on.
        #expect(husk.wait(10) { Truth.read(husk.outputSoFar).count > before + 50 })
        husk.signal(SIGCONT)
        husk.signal(SIGINT)
        #expect(husk.wait(20) { !husk.isRunning })
        let outcome = husk.finish()
        // What it did meanwhile is missing, or was read late; that is told, and nothing hangs.
        #expect([122, 128 + SIGINT].contains(outcome.status), "\(outcome.status)")
        #expect(try String(contentsOfFile: log, encoding: .utf8).contains("\"type\":\"summary\""))
    }

    /// Found by `make soak`: each process spent half a second on its end, with a processor to itself.
    @Test("processes that end wait for a stopped Husk once, not one by one", arguments: copyMethods)
    func stoppedAtEnds(_ method: String) throws {
        let temporary = try TemporaryFolder()
        let husk = try Running(
            BuildProducts.husk,
            [
                "run", "-q", "-o", temporary.path + "/pages", "--ring-size", "64K", "--copy",
                method, "--", BuildProducts.fixture("brief"), "1000",
            ])
        let ended = { husk.outputSoFar.split(separator: "\n").count }
        #expect(husk.wait { ended() > 2 })
        husk.signal(SIGSTOP)
        let before = ended()
        // Waiting one by one they would need 30 s.
        #expect(husk.wait(15) { ended() > before + 60 })
        husk.signal(SIGCONT)
        husk.signal(SIGINT)
        #expect([122, 128 + SIGINT].contains(husk.finish().status))
    }

    /// Found by `make soak`: the tracer took the stop for one of its own, so that what Husk read were
    /// the bytes of the next round; and pages that were read from outside counted as unchanged when
    /// they were again what a probe had sent last.
    @Test(
        "what finds no room in the ring is captured as it was, or told as lost",
        arguments: copyMethods, ["observe", "trap"])
    func leftToHusk(_ method: String, _ rwx: String) throws {
        let temporary = try TemporaryFolder()
        let log = temporary.path + "/log"
        let outcome = try Running(
            BuildProducts.husk,
            [
                "run", "--json", "--log", log, "--ring-size", "64K", "--copy", method, "--rwx", rwx,
                "--", BuildProducts.fixture("toggle"), "300", "16", "2",
            ]
        ).finish()
        // On a machine that is too busy for it, Husk may be silent for half a second.
        #expect([0, 122].contains(outcome.status), "\(outcome.errors)")
        var digests: Set<String> = []
        var incomplete = 0
        for line in try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n") {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
            guard let line = object as? [String: Any], line["kind"] as? String == "mprotect",
                let pages = line["pages"] as? [String: Any]
            else { continue }
            for run in line["runs"] as? [[String: Any]] ?? [] {
                if let digest = run["sha256"] as? String { digests.insert(digest) }
            }
            if pages["complete"] as? Bool != true { incomplete += 1 }
            // Each page is another one each time.
            #expect(pages["unchanged"] == nil, "\(line)")
        }
        let truths = Truth.read(outcome.output)
        #expect(truths.count == 300)
        let missing = truths.filter { !digests.contains($0.sha256) }.count
        #expect(missing <= incomplete, "\(missing) of \(truths.count)")
    }

    @Test("a full disk: what is there stays readable, the rest is told as lost")
    func diskFull() throws {
        let temporary = try TemporaryFolder()
        let outcome = try Running(
            "/usr/bin/unshare",
            [
                "-m", "sh", "-c",
                """
                mkdir "$0/disk" "$0/kept" && mount -t tmpfs -o size=6M none "$0/disk" || exit 77
                "$1" run -q -o "$0/disk/out/" -- "$2" 200 64 >/dev/null
                echo "status $?"
                cp -a "$0/disk/out" "$0/kept/"
                """, temporary.path, BuildProducts.husk, BuildProducts.fixture("toggle"),
            ]
        ).finish()
        if outcome.status == 77 { return }  // no mounts here
        #expect(outcome.output == "status 123\n")
        #expect(outcome.errors.contains("the disk is full"))
        let verified = try husk("verify", temporary.path + "/kept/out")
        #expect(verified.status == 122, "\(verified.output)")
        #expect(verified.output.contains("lost (not-stored)"))
    }

    @Test("a full disk: a capture file holds everything up to the last batch")
    func diskFullOfFile() throws {
        let temporary = try TemporaryFolder()
        let outcome = try Running(
            "/usr/bin/unshare",
            [
                "-m", "sh", "-c",
                """
                mkdir "$0/disk" && mount -t tmpfs -o size=12M none "$0/disk" || exit 77
                "$1" run -q -o "$0/disk/out.husk" -- "$2" 400 64 >/dev/null
                echo "status $?"
                ls "$0/disk"
                cp "$0/disk/out.husk"* "$0/"
                """, temporary.path, BuildProducts.husk, BuildProducts.fixture("toggle"),
            ]
        ).finish()
        if outcome.status == 77 { return }  // no mounts here
        #expect(outcome.outputLines.first == "status 123")
        #expect(outcome.errors.contains("the disk is full"))
        let verified = try husk("verify", temporary.path + "/out.husk")
        #expect(verified.status == 122, "\(verified.output)\(verified.errors)")
        #expect(verified.output.contains("lost (not-stored)"))
    }

    @Test("a disk without room for a capture file: nothing is left on it")
    func diskTooSmall() throws {
        let temporary = try TemporaryFolder()
        let outcome = try Running(
            "/usr/bin/unshare",
            [
                "-m", "sh", "-c",
                """
                mkdir "$0/disk" && mount -t tmpfs -o size=2112k none "$0/disk" || exit 77
                "$1" run -q -o "$0/disk/out.husk" -- true
                echo "status $?"
                ls "$0/disk"
                """, temporary.path, BuildProducts.husk,
            ]
        ).finish()
        if outcome.status == 77 { return }  // no mounts here
        #expect(outcome.output == "status 123\n")
        #expect(outcome.errors.contains("the disk is full"))
    }

    @Test("a capture file outlives Husk's death, and says that it is unfinished")
    func huskDies() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/out.husk"
        let husk = try Running(
            BuildProducts.husk,
            ["run", "-q", "-o", path, "--", BuildProducts.fixture("toggle"), "2000", "16"])
        #expect(husk.wait { Truth.read(husk.outputSoFar).count > 200 })
        usleep(700_000)  // a batch is closed twice a second
        husk.signal(SIGKILL)
        _ = husk.finish()
        let verified = try HuskTestSupport.husk("verify", path)
        #expect(verified.status == 122, "\(verified.output)\(verified.errors)")
        #expect(verified.output.contains("cut off"))
        #expect(!verified.output.contains("verified: 0 of"))
    }

    @Test(
        "budgets end with 122, and say how much is there",
        arguments: ["--max-pages", "--max-bytes"])
    func budget(_ option: String) throws {
        let outcome = try husk(
            "run", option, option == "--max-pages" ? "10" : "40K", "--",
            BuildProducts.fixture("toggle"), "5", "3")
        #expect(outcome.status == 122)
        #expect(outcome.errors.contains("INCOMPLETE: 10 of "))
        #expect(outcome.errors.contains("lost (budget)"))
        let none = try husk("run", option, "0", "--", BuildProducts.fixture("classic"))
        #expect(none.status == 122)
        #expect(none.errors.contains("INCOMPLETE: 0 of "))
    }

    @Test(
        "rings of sizes that cannot be", arguments: ["4K", "100000", "2G", "0", "-1", "65537", "x"])
    func ringSizes(_ size: String) throws {
        let outcome = try husk("run", "--ring-size", size, "--", "/bin/true")
        #expect(outcome.status == 64)
        #expect(outcome.output.isEmpty)
    }
}
