// SPDX-License-Identifier: MIT
import Foundation
import Glibc
import HuskTestSupport
import Testing

/// `--rwx trap`, as a user calls it: what a target is left with.
@Suite("husk --rwx trap", .needsProbes, .serialized)
struct TrapTests {
    /// How a trace is ended while its target lives on.
    enum Ending: String, CaseIterable {
        case interrupt, terminate, duration
    }

    private func rewriting(_ mode: String...) throws -> Running {
        let target = try Running(BuildProducts.fixture("rewrite"), mode)
        #expect(target.wait { target.outputSoFar.hasPrefix("ready") })
        return target
    }

    private func executions(_ husk: Running) -> Int {
        husk.outputSoFar.components(separatedBy: "\"type\":\"execution\"").count - 1
    }

    @Test("gives everything back when it ends", arguments: Ending.allCases)
    func detaching(_ ending: Ending) throws {
        let target = try rewriting()
        let duration = ending == .duration ? ["--duration", "1s"] : []
        let husk = try Running(
            BuildProducts.husk,
            ["attach", "--rwx", "trap", "--json"] + duration + ["\(target.pid)"])
        #expect(husk.wait { executions(husk) > 10 }, "\(husk.errorsSoFar)")
        switch ending {
        case .interrupt: husk.signal(SIGINT)
        case .terminate: husk.signal(SIGTERM)
        case .duration: break
        }
        let traced = husk.finish(within: 20)
        #expect(traced.status == 0, "\(traced.errors)")
        #expect(target.isRunning)
        target.send("\n")
        let outcome = target.finish(within: 20)
        #expect(outcome.status == 7, "\(outcome.errors)")
        #expect(outcome.outputLines.last == "self: rwxp, TracerPid 0")
    }

    /// What is documented of SIGKILL: the target lives on, and no thread of it waits for Husk.
    @Test("when it is killed, the target goes on until it needs what is kept from it")
    func killed() throws {
        let target = try rewriting()
        let husk = try Running(
            BuildProducts.husk, ["attach", "--rwx", "trap", "--json", "\(target.pid)"])
        #expect(husk.wait { executions(husk) > 10 }, "\(husk.errorsSoFar)")
        husk.signal(SIGKILL)
        husk.finish(within: 20)
        target.send("\n")
        let outcome = target.finish(within: 20)
        // It ended by itself, or by a fault, depending on where it was.
        #expect([7, 128 + SIGSEGV].contains(outcome.status), "\(outcome)")
    }

    @Test("refuses a target that is traced already; --rwx observe does not")
    func alreadyTraced() throws {
        let target = try rewriting("traced")
        let refused = try husk("attach", "--rwx", "trap", "\(target.pid)")
        #expect(refused.status == 120)
        #expect(refused.errors.contains("is traced already"))
        #expect(refused.errors.contains("--rwx observe"))
        let observed = try husk("attach", "--duration", "300ms", "\(target.pid)")
        #expect(observed.status == 0, "\(observed.errors)")
        target.send("\n")
        let outcome = target.finish(within: 20)
        #expect(outcome.status == 7)
        #expect(outcome.output.contains("self: rwxp, TracerPid "))
    }

    @Test("children that are not followed get everything back, and are let go")
    func notFollowing() throws {
        let husk = try Running(
            BuildProducts.husk,
            ["run", "--rwx", "trap", "--no-follow", "--", BuildProducts.fixture("rewrite"), "fork"])
        #expect(husk.wait { husk.outputSoFar.contains("child: ") }, "\(husk.errorsSoFar)")
        husk.send("\n")
        let outcome = husk.finish(within: 20)
        #expect(outcome.status == 7, "\(outcome.errors)")
        #expect(outcome.output.contains("child: rwxp, TracerPid 0\n"), "\(outcome.output)")
        #expect(!outcome.output.contains("self: rwxp, TracerPid 0"))
    }
}
