// SPDX-License-Identifier: MIT
import Foundation
import Glibc
import Husk
import HuskTestSupport
import Testing

/// The heart, in the real kernel: probes are loaded, fixtures are traced, and what they say
/// of their own memory is compared with what was captured.
@Suite("Tracing", .needsProbes, .serialized)
struct TracerTests {
    struct Result {
        var pages: [Page]
        var events: [Event]
        var losses: [Loss]
        var output: String
        var status: HeldCommand.Status
        var truths: [Truth] { Truth.read(output) }

        var transitions: [Transition] {
            events.compactMap { if case .transition(let it) = $0 { it } else { nil } }
        }

        var ends: [TransitionEnd] {
            events.compactMap { if case .transitionEnd(let it) = $0 { it } else { nil } }
        }

        /// Those that touch a range, in order.
        func transitions(at address: UInt64, length: UInt64 = 4096) -> [Transition] {
            transitions.filter {
                $0.start.rawValue < address + length && address < $0.end.rawValue
            }
        }
    }

    final class EventLog: Sendable {
        private let stored = Locked<[Event]>([])
        func add(_ event: Event) { stored.update { $0.append(event) } }
        var events: [Event] { stored.value }
    }

    /// Traces a fixture from its first instruction to its end.
    private func trace(
        _ fixture: String, _ arguments: [String] = [], method: CopyMethod? = nil,
        ringSize: Int = 64 << 20, stallLimit: Duration = .seconds(10),
        _ adapt: (inout Tracer.Configuration) -> Void = { _ in }
    ) throws -> Result {
        let folder = try TemporaryFolder()
        let output = folder.path + "/output"
        let file = open(output, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        try #require(file >= 0)
        defer { close(file) }
        let command = try HeldCommand(
            [BuildProducts.fixture(fixture)] + arguments, standardOutput: file)
        let log = EventLog()
        var configuration = Tracer.Configuration()
        configuration.copyMethod = method
        configuration.ringSize = ringSize
        configuration.stallLimit = stallLimit
        configuration.onEvent = { log.add($0) }
        adapt(&configuration)
        let tracer = Tracer(pid: command.pid, configuration: configuration)
        try tracer.start()
        try command.execute()
        var status = command.poll()
        let deadline = Date(timeIntervalSinceNow: 60)
        while status == .running, Date() < deadline {
            usleep(2000)
            status = command.poll()
        }
        if status == .running { kill(command.pid, SIGKILL) }
        let pages = try tracer.stop()
        return Result(
            pages: pages, events: log.events, losses: tracer.losses,
            output: (try? String(contentsOfFile: output, encoding: .utf8)) ?? "",
            status: status)
    }

    @Test("the classic: six bytes, mprotect, 42, to the byte", arguments: ProbeGate.copyMethods)
    func classic(_ method: CopyMethod) throws {
        let result = try trace("classic", method: method)
        #expect(result.status == .exited(0))
        #expect(result.output.hasPrefix("42\n"))
        let truth = try #require(result.truths.first)
        let page = try #require(result.pages.first { $0.address.rawValue == truth.address })
        if page.body == .unreadable(.processEnded, errno: 0), method == .syscallExit,
            ProbeGate.hasProtectionKeys
        {
            // Execute-only memory is read from outside then, by which time it may have gone.
            print("skipped: the bytes, on a CPU with protection keys")
        } else {
            #expect(Truth.missing(result.truths, from: result.pages) == [])
            #expect(page.content?.prefix(6) == [0xB8, 0x2A, 0, 0, 0, 0xC3])
        }
        #expect(page.size == 4096)
        #expect(page.kind == .mprotect)
        #expect(page.protectionBefore == [.read, .write])
        #expect(page.protectionAfter == [.execute])
        #expect(page.generation == 0)
        #expect(page.task.pid == page.task.tid)
        #expect(page.instructionPointer.rawValue > 0)
        let age = Date().timeIntervalSince1970 - Double(page.time.wall) / 1e9
        #expect(age >= 0 && age < 60, "the wall clock is off by \(age) s")
    }

    @Test("every generation of a page is kept, in order", arguments: ProbeGate.copyMethods)
    func generations(_ method: CopyMethod) throws {
        let result = try trace("toggle", ["50", "3"], method: method)
        #expect(result.status == .exited(0))
        #expect(result.truths.count == 50)
        #expect(Truth.missing(result.truths, from: result.pages) == [])
        let first = result.pages.filter { $0.address.rawValue == result.truths[0].address }
        #expect(first.map(\.generation) == Array(0..<50))
        #expect(first.map(\.time) == first.map(\.time).sorted())
        // Losing X is a transition too, without pages.
        let lowered = result.transitions(at: result.truths[0].address).filter {
            $0.effective == [.read, .write]
        }
        #expect(lowered.count == 49)
        #expect(lowered.allSatisfy { $0.previous == [.read, .execute] && !$0.hasPages })
    }

    @Test(
        "of what a call names again, only what was writable meanwhile is captured",
        arguments: ProbeGate.copyMethods)
    func patches(_ method: CopyMethod) throws {
        let result = try trace("patch", ["300"], method: method)
        #expect(result.status == .exited(0))
        #expect(result.losses == [])
        #expect(result.truths.count == 301)
        #expect(Truth.missing(result.truths, from: result.pages) == [])
        let region = result.truths[0]
        let ours = result.pages.filter {
            $0.address.rawValue >= region.address
                && $0.address.rawValue < region.address + UInt64(region.length)
        }
        #expect(ours.count == 256 + 300)
    }

    @Test("another thread's write between a call's entry and its effect is not overlooked")
    func racingPatches() throws {
        let result = try trace("patch", ["2000", "race"])
        #expect(result.status == .exited(0))
        // A page may lose its X again before the call that gave it can look.
        #expect(result.losses.filter { $0.cause != .vanished } == [])
        #expect(result.truths.count > 1)
        #expect(Truth.missing(result.truths, from: result.pages) == [])
    }

    @Test("untouched reservations of any size cost one record", arguments: ProbeGate.copyMethods)
    func reservations(_ method: CopyMethod) throws {
        let result = try trace("reserve", method: method)
        #expect(result.status == .exited(0))
        let lines = result.output.split(separator: "\n").filter { $0.hasPrefix("reserved") }
        #expect(lines.count == 2)
        for line in lines {
            let words = line.split(separator: " ")
            let start = try #require(UInt64(words[1].dropFirst(2), radix: 16))
            let length = try #require(UInt64(words[2]))
            let told = result.transitions(at: start, length: length)
            #expect(told.count == 1)
            #expect(told.first?.length == length)
            #expect(
                !result.pages.contains { (start..<(start + length)).contains($0.address.rawValue) })
        }
        // Of the 512 MiB region, exactly the three pages that were written.
        #expect(Truth.missing(result.truths, from: result.pages) == [])
        let partly = try #require(result.transitions(at: result.truths[0].address).last)
        #expect(result.pages.filter { $0.transition == partly.id }.count == 3)
        let end = try #require(result.ends.first { $0.transition == partly.id })
        #expect(end.captured == 3)
        #expect(end.untouched == partly.length / 4096 - 3)
        guard method == .taskWork else { return }  // reading from outside makes files resident
        // Looking does not make pages resident: statm counts loosely, in batches of 64.
        let grown = try #require(
            result.output.split(separator: "\n").last?.split(separator: " ").last.flatMap {
                Int($0)
            })
        #expect(grown < 128, "the target has grown by \(grown) pages")
    }

    @Test("failed calls are attempts, not changes")
    func attempts() throws {
        let result = try trace("attempts")
        #expect(result.status == .exited(0))
        let expected = result.output.split(separator: "\n").map(String.init)
        #expect(expected.count == 8)
        let failed = result.transitions.filter { $0.failure != nil }
        let told = failed.map { attempt in
            let address = String(attempt.arguments.address.rawValue, radix: 16)
            let length = String(attempt.arguments.length, radix: 16)
            return "attempt \(attempt.kind.rawValue) \(address == "0" ? "0" : "0x" + address) "
                + "\(length == "0" ? "0" : "0x" + length) \(attempt.failure ?? 0)"
        }
        #expect(told == expected)
        #expect(failed.allSatisfy { $0.effective == [] && !$0.hasPages })
    }

    @Test("one call over several regions: each with its own protection before")
    func severalRegions() throws {
        let result = try trace("pages")
        #expect(result.status == .exited(0))
        #expect(Truth.missing(result.truths, from: result.pages) == [])
        let base = result.truths[1].address
        let over = result.transitions(at: base, length: 6 * 4096).filter {
            $0.kind == .mprotect && $0.arguments.length == 5 * 4096 + 1
        }
        // The last two pages were code before, have been captured as such, and still are.
        #expect(over.map(\.start.rawValue) == [base, base + 2 * 4096])
        #expect(over.map(\.previous) == [[.read, .write], [.read]])
        #expect(over.allSatisfy { $0.length == 8192 && $0.effective == [.read, .execute] })

        let gone = result.transitions(at: base + 4096).filter { $0.kind == .munmap }
        #expect(gone.map(\.start.rawValue) == [base + 4096])
        #expect(gone.map(\.length) == [4096])
        #expect(gone.map(\.previous) == [[.read, .execute]])

        let replaced = result.transitions(at: base + 5 * 4096).filter { $0.kind == .mmap }
        #expect(replaced.map(\.previous) == [[.read, .execute]])
        #expect(replaced.map(\.effective) == [[.read, .write]])
    }

    @Test("files, deleted files, memfds and shared memory, resident or not")
    func files() throws {
        let folder = try TemporaryFolder()
        let result = try trace("files", [folder.path + "/code.bin"], method: .taskWork)
        #expect(result.status == .exited(0))
        #expect(Truth.missing(result.truths, from: result.pages) == [])
        let transitions = result.truths.map {
            result.transitions(at: $0.address, length: UInt64($0.length)).last
        }
        #expect(transitions.map { $0?.backing.kind } == ["file", "file", "memfd", "shared-memory"])
        #expect(transitions[0]?.backing.file?.name == TargetText("code.bin"))
        #expect(transitions[2]?.backing.file?.name == TargetText("memfd:a\nb"))
        // The second mapping ends beyond the file: those pages exist for no one (SIGBUS), and
        // nothing is missing without them.
        let mapping = result.pages.filter { $0.transition == transitions[1]?.id }
        let length = try #require(transitions[1]?.length)
        #expect(mapping.allSatisfy { $0.content != nil })
        #expect(UInt64(mapping.count) == length / 4096 - 4)
    }

    // Each of these was a silent miss, or worse, in the first version.
    @Test(
        "calls that change more, or less, than they say",
        arguments: ["partial", "growsdown"], ProbeGate.copyMethods)
    func inexactCalls(_ fixture: String, _ method: CopyMethod) throws {
        let result = try trace(fixture, method: method)
        #expect(result.status == .exited(0))
        #expect(result.truths.count == 1)
        #expect(Truth.missing(result.truths, from: result.pages) == [])
        #expect(result.losses == [])
    }

    @Test("sparse shared memory is captured where there is something, and stays sparse")
    func sparse() throws {
        let result = try trace("sparse", method: .taskWork)
        #expect(result.status == .exited(0))
        #expect(Truth.missing(result.truths, from: result.pages) == [])
        #expect(result.output.hasPrefix("blocks 16\n"))  // two pages, in units of 512 bytes
        let view = try #require(result.transitions(at: result.truths[0].address).last)
        let end = try #require(result.ends.first { $0.transition == view.id })
        #expect(end.captured == 2)
        #expect(end.untouched == (256 << 20) / 4096 - 2)
    }

    @Test("memory behind a userfaultfd is not asked for", arguments: ProbeGate.copyMethods)
    func userfault(_ method: CopyMethod) throws {
        let result = try trace("userfault", method: method)
        if result.status == .exited(77) { return }  // no userfaultfd here
        #expect(result.status == .exited(0))
        let line = try #require(result.output.split(separator: "\n").first { $0.hasPrefix("slow") })
        let start = try #require(UInt64(line.dropFirst(7), radix: 16))
        let pages = result.pages.filter { $0.address.rawValue == start }
        #expect(pages.map(\.body) == [.unreadable(.userfaultfd, errno: 0)])
    }

    @Test(
        "a region larger than the ring: the thread waits, nothing is lost",
        arguments: ProbeGate.copyMethods, [1 << 16, 1 << 20])
    func backPressure(_ method: CopyMethod, _ ringSize: Int) throws {
        let result = try trace("big", ["24"], method: method, ringSize: ringSize)
        #expect(result.status == .exited(0))
        #expect(result.losses == [])
        #expect(Truth.missing(result.truths, from: result.pages) == [])
    }

    @Test("threads that find the ring full at the same time", arguments: ProbeGate.copyMethods)
    func backPressureOnThreads(_ method: CopyMethod) throws {
        let result = try trace("threads", ["4", "50"], method: method, ringSize: 1 << 16)
        #expect(result.status == .exited(0))
        #expect(result.losses == [])
        #expect(Truth.missing(result.truths, from: result.pages) == [])
    }

    @Test(
        "where no one may wait, what finds no room is a loss with an address",
        arguments: ProbeGate.copyMethods)
    func ringFull(_ method: CopyMethod) throws {
        let result = try trace("big", ["24"], method: method, ringSize: 1 << 16) {
            $0.neverStalls = true
        }
        #expect(result.status == .exited(0))
        let truth = try #require(result.truths.first)
        let transition = try #require(result.transitions(at: truth.address).last)
        let end = try #require(result.ends.first { $0.transition == transition.id })
        #expect(end.lost > 0)
        #expect(result.losses.allSatisfy { $0.start != nil || $0.cause == .missingRecord })
        let lost = result.losses.filter {
            $0.cause == .ringFull && $0.transition == transition.id
        }
        // Captured and lost make up the whole region, each page once.
        var pages = Set(result.pages.filter { $0.transition == transition.id }.map(\.address))
        #expect(UInt64(pages.count) == end.captured)
        for loss in lost {
            let start = try #require(loss.start)
            for offset in stride(from: 0, to: loss.length, by: 4096) {
                #expect(pages.insert(start.advanced(by: offset)).inserted)
            }
        }
        // Where not even the loss found room, there is one of all that the process could not tell.
        let untold = result.losses.filter { $0.cause == .untold }
        let missing = stride(from: 0, to: transition.length, by: 4096)
            .map { transition.start.advanced(by: $0) }
            .filter { address in
                !pages.contains(address)
                    && !untold.contains { loss in
                        loss.start.map { $0 <= address && address < $0.advanced(by: loss.length) }
                            ?? false
                    }
            }
        let count = missing.count
        #expect(count == 0, "\(end) \(result.losses)")
    }

    @Test(
        "what a budget does not allow is a loss, page by page", arguments: [0, 7, 100] as [UInt64])
    func budget(_ pages: UInt64) throws {
        let result = try trace("big", ["1"]) { $0.pageBudget = pages }
        #expect(result.status == .exited(0))
        #expect(UInt64(result.pages.filter(\.hasContent).count) == pages)
        #expect(result.losses.allSatisfy { $0.cause == .budget && $0.start != nil })
        let expected = result.ends.reduce(0) { $0 + $1.captured + $1.lost }
        let lost = result.losses.reduce(0) { $0 + $1.length / 4096 }
        #expect(pages + lost == expected)
    }

    @Test("looking at memory does not make it resident", arguments: ProbeGate.copyMethods)
    func residence(_ method: CopyMethod) throws {
        let result = try trace("resident", method: method)
        #expect(result.status == .exited(0))
        #expect(result.losses == [])
        let lines = result.output.split(separator: "\n").map { $0.split(separator: " ") }
            .filter { $0.first == "resident" }
        #expect(lines.count == 3)
        for line in lines {
            #expect(line[2] == "64")
            #expect(line[2] == line[3], "\(line[1]): \(line[2]) before, \(line[3]) after")
        }
        // Each page that exists is in the capture, and none else.
        #expect(result.pages.count { $0.kind == .mprotect } >= 3 * 64)
    }

    @Test("threads that toggle at the same time are kept apart", arguments: ProbeGate.copyMethods)
    func threads(_ method: CopyMethod) throws {
        let result = try trace("threads", ["4", "50"], method: method)
        #expect(result.status == .exited(0))
        #expect(result.truths.count == 200)
        #expect(result.losses == [])
        #expect(Truth.missing(result.truths, from: result.pages) == [])
        #expect(Set(result.pages.map(\.task.tid)).count >= 4)
    }

    // MARK: Life

    /// A fixture that waits for its input, traced by attaching to it.
    private func waiting() throws -> (Running, Tracer) {
        let process = try Running(BuildProducts.fixture("wait"))
        #expect(process.wait { process.outputSoFar.hasPrefix("ready") })
        return (process, Tracer(pid: process.pid))
    }

    @Test("attaching to a process that runs")
    func attach() throws {
        let (process, tracer) = try waiting()
        try tracer.start()
        process.send("go\ngo\n")
        #expect(process.wait { Truth.read(process.outputSoFar).count == 2 })
        let pages = try tracer.stop()
        let outcome = process.finish()
        #expect(outcome.status == 7)
        #expect(Truth.missing(Truth.read(outcome.output), from: pages) == [])
        #expect(pages.count == 2)
        #expect(tracer.losses == [])
    }

    @Test("starting twice, stopping twice, stopping what never started")
    func order() throws {
        let (process, tracer) = try waiting()
        #expect(throws: HuskError.self) { try tracer.stop() }
        try tracer.start()
        #expect(throws: HuskError.self) { try tracer.start() }
        process.send("go\n")
        #expect(process.wait { Truth.read(process.outputSoFar).count == 1 })
        let pages = try tracer.stop()
        #expect(pages.count == 1)
        #expect(try tracer.stop() == pages)
        #expect(throws: HuskError.self) { try tracer.start() }
        #expect(process.finish().status == 7)
    }

    @Test("a target that ends while it is traced ends the events")
    func targetEnds() async throws {
        let (process, tracer) = try waiting()
        try tracer.start()
        process.send("go\n")
        process.closeInput()
        var kinds: [String] = []
        for await event in tracer.events {
            switch event {
            case .transition: kinds.append("transition")
            case .page: kinds.append("page")
            case .transitionEnd: kinds.append("end")
            case .loss: kinds.append("loss")
            case .processExit(let exit):
                kinds.append("exit")
                #expect(exit.status == 7 << 8)
            default: kinds.append("other")
            }
        }
        #expect(kinds.suffix(4) == ["transition", "page", "end", "exit"])
        #expect(!kinds.contains("loss"))
        #expect(try tracer.stop().count == 1)
    }

    @Test("a target that is killed leaves what was captured")
    func targetKilled() throws {
        let (process, tracer) = try waiting()
        try tracer.start()
        process.send("go\n")
        #expect(process.wait { Truth.read(process.outputSoFar).count == 1 })
        process.signal(SIGKILL)
        let outcome = process.finish()
        #expect(outcome.status == 128 + SIGKILL)
        let pages = try tracer.stop()
        #expect(Truth.missing(Truth.read(outcome.output), from: pages) == [])
        #expect(tracer.losses == [])
    }

    @Test("dropping a tracer without stopping detaches it; the target goes on")
    func dropped() throws {
        let process = try Running(BuildProducts.fixture("wait"))
        #expect(process.wait { process.outputSoFar.hasPrefix("ready") })
        let before = try descriptorCount()
        do {
            let tracer = Tracer(pid: process.pid)
            try tracer.start()
            #expect(try descriptorCount() > before)
        }
        #expect(process.wait { (try? descriptorCount()) == before })
        process.send("go\n")
        let outcome = process.finish()
        #expect(outcome.status == 7)
        #expect(Truth.read(outcome.output).count == 1)
    }

    /// The BPF objects that this process holds: the tests of this suite run one by one.
    private func descriptorCount() throws -> Int {
        let folder = "/proc/self/fd"
        return try FileManager.default.contentsOfDirectory(atPath: folder).filter {
            let target = try? FileManager.default.destinationOfSymbolicLink(
                atPath: "\(folder)/\($0)")
            return target?.contains("bpf") == true || target?.contains("perf_event") == true
        }.count
    }

    @Test("a consumer of events that is too slow is told what it has missed")
    func slowConsumer() async throws {
        let process = try Running(BuildProducts.fixture("wait"))
        #expect(process.wait { process.outputSoFar.hasPrefix("ready") })
        var configuration = Tracer.Configuration()
        configuration.eventBufferLimit = 4
        let tracer = Tracer(pid: process.pid, configuration: configuration)
        try tracer.start()
        process.send("go\ngo\ngo\n")
        #expect(process.wait { Truth.read(process.outputSoFar).count == 3 })
        usleep(1_000_000)
        var iterator = tracer.events.makeAsyncIterator()
        for _ in 0..<4 { _ = await iterator.next() }
        process.send("go\n")
        guard case .loss(let loss) = await iterator.next() else {
            Issue.record("no word about what was dropped")
            return
        }
        #expect(loss.cause == .consumerTooSlow)
        #expect(loss.count == 3 * 3 - 4)
        #expect(process.finish().status == 7)
        #expect(try tracer.stop().count == 4)
    }

    @Test("the ten lines of the README")
    func readmeLines() async throws {
        let (process, _) = try waiting()
        let pid = process.pid
        async let captured = capturePages(of: pid, during: .seconds(4))
        // The probes are in place some tenths of a second later.
        try await Task.sleep(for: .seconds(2))
        process.send("go\n")
        let pages = try await captured
        #expect(pages.count == 1)
        #expect(process.finish().status == 7)
    }

    @Test("tells how full the ring is while it runs")
    func ringFill() throws {
        let fills = Locked<[Double]>([])
        let source = Locked<Tracer?>(nil)
        let command = try HeldCommand([BuildProducts.fixture("wait")])
        var configuration = Tracer.Configuration()
        configuration.ringSize = 1 << 20
        configuration.capturesPresent = true
        // While this runs nothing is read: what the target does meanwhile waits in the ring.
        configuration.onEvent = { event in
            guard case .programExecution = event else { return }
            usleep(200_000)
            if let fill = source.value?.ringFill { fills.update { $0.append(fill) } }
        }
        let tracer = Tracer(pid: command.pid, configuration: configuration)
        #expect(tracer.ringFill == nil)
        try tracer.start()
        source.update { $0 = tracer }
        #expect(tracer.ringFill == 0)
        try command.execute()
        let deadline = Date(timeIntervalSinceNow: 20)
        while fills.value.isEmpty || tracer.ringFill != 0, Date() < deadline { usleep(10_000) }
        #expect(tracer.ringFill == 0)
        source.update { $0 = nil }
        try tracer.stop()
        #expect(tracer.ringFill == nil)
        kill(command.pid, SIGKILL)
        _ = command.poll()
        let highest = fills.value.max() ?? 0
        #expect(highest > 0.1 && highest <= 1, "\(fills.value)")
    }
}
