// SPDX-License-Identifier: MIT
import Foundation
import Glibc
import Husk
import HuskTestSupport
import Testing

/// What can be said without loading a single probe: targets that cannot be traced.
@Suite("Targets that cannot be traced")
struct TargetTests {
    private func startError(_ pid: Int32) -> HuskError? {
        do throws(HuskError) {
            let tracer = Tracer(pid: pid)
            try tracer.start()
            return nil
        } catch {
            return error
        }
    }

    @Test("numbers that are no process ID", arguments: [0, -1, Int32.min])
    func invalid(_ pid: Int32) {
        #expect(startError(pid)?.code == .invalidPID)
    }

    @Test("a process that does not exist")
    func absent() {
        // Larger than any pid_max: 2^22 (proc_sys_kernel(5)).
        #expect(startError(Int32.max)?.code == .noSuchProcess)
        #expect(startError(4_194_305)?.code == .noSuchProcess)
    }

    @Test("Husk itself")
    func own() {
        #expect(startError(getpid())?.code == .notTraceable)
    }

    @Test("a kernel thread", .enabled(if: kill(2, 0) == 0, "no kernel threads are visible here"))
    func kernelThread() {
        let error = startError(2)  // kthreadd
        #expect(error?.code == .notTraceable)
        #expect(error?.message.contains("kernel thread") == true)
    }

    @Test("a zombie")
    func zombie() throws {
        // A shell whose child has ended and whose replacement never waits for it.
        let shell = try Running("/bin/sh", ["-c", "sleep 0.3 & echo $!; exec sleep 60"])
        defer { shell.signal(SIGKILL) }
        #expect(shell.wait { shell.outputSoFar.contains("\n") })
        let pid = try #require(
            Int32(shell.outputSoFar.trimmingCharacters(in: .whitespacesAndNewlines)))
        let isZombie = shell.wait {
            let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
            return stat?.contains(") Z ") == true
        }
        #expect(isZombie)
        let error = startError(pid)
        #expect(error?.code == .notTraceable)
        #expect(error?.message.contains("zombie") == true)
    }

    @Test("a thread that is not its process's first")
    func thread() async throws {
        let process = try Running(BuildProducts.fixture("threads"), ["2", "100000"])
        defer { process.signal(SIGKILL) }
        var other: Int32?
        let hasThreads = process.wait {
            let tasks = try? FileManager.default.contentsOfDirectory(
                atPath: "/proc/\(process.pid)/task")
            other = tasks?.compactMap { Int32($0) }.first { $0 != process.pid }
            return other != nil
        }
        #expect(hasThreads)
        let error = startError(try #require(other))
        #expect(error?.code == .notTraceable)
        #expect(error?.hint?.contains("\(process.pid)") == true)
    }

    @Test("no process at all, and an impossible ring")
    func configuration() {
        #expect(throws: HuskError.self) { try Tracer(pids: []).start() }
        for size in [0, 4096, 3 << 20, 2 << 30, -1] {
            var configuration = Tracer.Configuration()
            configuration.ringSize = size
            do throws(HuskError) {
                try Tracer(pid: 1, configuration: configuration).start()
                Issue.record("took a ring of \(size) bytes")
            } catch {
                #expect(error.code == .invalidConfiguration)
            }
        }
    }
}
