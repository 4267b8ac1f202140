// SPDX-License-Identifier: MIT
import Foundation
import Glibc
import HuskCapture
import HuskModel
import HuskTestSupport
import ModelSamples
import Testing

/// Writes events into a capture file and reads them again.
@Suite("capture file")
struct CaptureFileTests {
    let temporary: TemporaryFolder
    let path: String

    init() throws {
        temporary = try TemporaryFolder()
        path = temporary.path + "/sample.husk"
    }

    private func write(
        _ events: [Event], records: [RecordCount] = [], finishing: Bool = true
    ) throws {
        let writer = try CaptureFileWriter(
            path: path, replaces: false,
            run: RunDescription(
                huskVersion: "1.2", command: ["./sample", "\\x1b[31m"], options: ["rwx": "trap"]))
        var tally = CaptureTally()
        var layers = LayerTracker()
        for event in events {
            writer.add(event)
            tally.add(event)
            layers.take(event)
        }
        #expect(writer.drain() == nil)
        guard finishing else { return }
        let failure = writer.finish(
            tally, layers: layers.layers, records: records, probes: "tracepoints",
            copyMethod: "task-work",
            target: TargetStatus(exitCode: 3))
        #expect(failure == nil)
    }

    /// Contents that were stored have other keys: compared by what they tell.
    private func text(_ event: Event) -> String {
        guard case .page(let page) = event else { return "\(event)" }
        var bare = page
        bare.body = .unreadable(.fault, errno: 0)
        return "\(bare) \(page.digest?.hexadecimal ?? "-") \(page.reader?.rawValue ?? "-") "
            + (page.hasContent ? "" : "\(page.body)")
    }

    @Test("is finished while someone reads it; its log is folded in when it is closed in time")
    func finishedWhileRead() throws {
        let events = Sample.everyEvent
        let writer = try CaptureFileWriter(
            path: path, replaces: false,
            run: RunDescription(huskVersion: "1.2", command: nil, options: [:]))
        for event in events { writer.add(event) }
        #expect(writer.drain() == nil)
        // A look that lasts: rows are read while the trace ends.
        let reader = try CaptureFile(path: path)
        var failure: OutputError?
        try reader.forEachEvent { _, _, _ in
            failure = writer.finish(
                CaptureTally(), layers: [], records: [], probes: nil, copyMethod: nil, target: nil)
            return false
        }
        #expect(failure == nil)
        let again = try CaptureFile(path: path)
        #expect(again.info.isFinished)
        var count = 0
        try again.forEachEvent { _, _, _ in
            count += 1
            return true
        }
        #expect(count == events.count)
    }

    /// Found by `make soak`: all of them were those of the first one.
    @Test("what was lost of processes that have ended is theirs")
    func lossesOfEndedProcesses() throws {
        var events: [Event] = []
        for pid: Int32 in [10, 11] {
            let task = TaskIdentity(pid: pid, tid: pid, hostPID: 100 + pid, hostTID: 100 + pid)
            events.append(
                .processExit(ProcessExit(task: task, time: Sample.time(0), status: 0)))
        }
        // When the trace ends, Husk knows them by their number in its own namespace only.
        for pid: Int32 in [11, 10, 12] {
            let task = TaskIdentity(pid: pid, tid: pid, hostPID: 0, hostTID: 0)
            events.append(
                .loss(
                    Loss(
                        cause: .untold, time: Sample.time(1), task: task, start: 0x1000,
                        length: 0x2000)))
        }
        try write(events)
        var told: [Int32] = []
        try CaptureFile(path: path).forEachEvent { _, event, _ in
            if case .loss(let loss) = event, let task = loss.task { told.append(task.pid) }
            return true
        }
        #expect(told == [11, 10, 12])
    }

    /// Found by `make soak`, where records of births are lost: both were one process, with the
    /// end of the later one.
    @Test("a number that comes again is another process, though its birth was not told")
    func numberComesAgain() throws {
        let transition = Sample.transition(1)
        let exits = [5, 9].map { time in
            Event.processExit(
                ProcessExit(task: transition.task, time: Sample.time(UInt64(time)), status: 0))
        }
        var later = Sample.transition(2)
        later.time = Sample.time(7)
        try write([.transition(transition), exits[0], .transition(later), exits[1]])
        var told: [Event] = []
        try CaptureFile(path: path).forEachEvent { _, event, _ in
            told.append(event)
            return true
        }
        #expect(told == [.transition(transition), exits[0], .transition(later), exits[1]])
    }

    @Test("gives back every event as it was, in its order")
    func roundTrip() throws {
        let events = Sample.everyEvent
        try write(events)
        let file = try CaptureFile(path: path)
        var read: [Event] = []
        try file.forEachEvent { _, event, _ in
            read.append(event)
            return true
        }
        #expect(read.map(text) == events.map(text))
        #expect(file.info.command == ["./sample", "\\x1b[31m"])
        #expect(file.info.isFinished)
        #expect(file.info.targetExitCode == 3)
        #expect(file.info.options == ["rwx": "trap"])
    }

    @Test("stores equal contents once, and gives their bytes back")
    func contents() throws {
        let pages: [Event] = [0xAA, 0xBB, 0xAA].enumerated().map {
            .page(Sample.page(1, Address(0x7000 + UInt64($0.offset) * 4096), fill: $0.element))
        }
        try write(
            [.transition(Sample.transition(1, length: 3 * 4096))] + pages
                + [.transitionEnd(Sample.end(1, captured: 3))])
        let file = try CaptureFile(path: path)
        #expect(file.info.contents == 2)
        #expect(file.info.storedBytes < 4096)
        var bytes: [UInt8] = []
        try file.forEachSnapshot { snapshot in
            bytes.append(try file.bytes(of: try #require(snapshot.content))[4095])
            return true
        }
        #expect(bytes == [0xAA, 0xBB, 0xAA])
        let findings = try CaptureFileVerifier(path: path).verify().findings
        #expect(findings.map(\.subject) == [.recordNumbers], "\(findings)")  // it is twice the same
    }

    @Test("a content that comes again after very many others is stored once all the same")
    func doubles() throws {
        let count = 140_000  // more than are remembered
        var events: [Event] = [
            .transition(
                Sample.transition(1, start: 0x1000_1000, length: UInt64(count + 2) * 4096))
        ]
        for number in Array(0..<count) + [0, 1] {
            var page = Sample.page(
                UInt64(number), Address(0x1000_0000 + UInt64(events.count) * 4096), fill: 0)
            page.transition = Transition.ID(rawValue: 1)
            page.number.sequence = UInt64(events.count)
            let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
            page.body = .content(PageContent(bytes), reader: .bpfNoFault)
            events.append(.page(page))
        }
        events.append(.transitionEnd(Sample.end(1, captured: UInt64(count) + 2)))
        try write(events, records: [RecordCount(cpu: 1, given: 1 << 20, missing: 0)])
        let file = try CaptureFile(path: path)
        #expect(file.info.contents == UInt64(count))
        #expect(file.info.pages == UInt64(count) + 2)
        let report = try CaptureFileVerifier(path: path).verify()
        #expect(report.isVerified, "\(report.findings)")
    }

    @Test("a file that another process has locked is waited for, and never called damaged")
    func locked() throws {
        try write([.transition(Sample.transition(1))])
        func holding(_ seconds: Int, _ body: () throws -> Void) throws {
            let holder = try Running(
                "sqlite3",
                [
                    path, "BEGIN EXCLUSIVE",
                    ".shell echo held; exec sleep \(seconds) >/dev/null 2>&1",
                ])
            #expect(holder.wait { holder.outputSoFar.contains("held") })
            try body()
            holder.signal(SIGKILL)
            _ = holder.finish()
        }
        try holding(1) { _ = try CaptureFile(path: path) }
        try holding(30) {
            let checked = #expect(throws: CaptureFileError.self) {
                try CaptureFileVerifier(path: path).verify()
            }
            #expect(checked?.code == .inUse)
            #expect(checked?.hint != nil)
            // Nor is it read without locks if there is a log beside it.
            #expect(FileManager.default.createFile(atPath: path + "-wal", contents: nil))
            let logged = #expect(throws: CaptureFileError.self) { try CaptureFile(path: path) }
            #expect(logged?.code == .inUse)
        }
    }

    @Test("an unfinished file opens, and says what it is")
    func unfinished() throws {
        try write(
            [.transition(Sample.transition(1)), .page(Sample.page(1, 0x7000, fill: 1))],
            finishing: false)
        let file = try CaptureFile(path: path)
        #expect(!file.info.isFinished)
        #expect(file.info.isComplete == nil)
        #expect(file.info.pages == 1)
        let report = try CaptureFileVerifier(path: path).verify()
        #expect(report.isVerified)
        #expect(report.saysComplete == nil)
    }

    @Test("an unfinished file in a folder that cannot be written to opens without its log")
    func readOnlyFolder() throws {
        try write([.transition(Sample.transition(1))])
        // As root nothing is forbidden: a mount that allows no writing.
        let outcome = try Running(
            "/usr/bin/unshare",
            [
                "-m", "sh", "-c",
                """
                mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" || exit 77
                "$1" verify "$0/sample.husk"
                """, temporary.path, BuildProducts.husk,
            ]
        ).finish()
        if outcome.status == 77 { return }
        #expect(outcome.status == 0, "\(outcome.errors)\(outcome.output)")
    }

    @Test("nothing that exists is replaced without being asked")
    func existing() throws {
        try write([])
        let run = RunDescription(huskVersion: "1", command: nil, options: [:])
        #expect(throws: OutputError.self) {
            try CaptureFileWriter(path: path, replaces: false, run: run)
        }
        let link = temporary.path + "/link.husk"
        try FileManager.default.createSymbolicLink(
            atPath: link, withDestinationPath: "/etc/hostname")
        #expect(throws: OutputError.self) {
            try CaptureFileWriter(path: link, replaces: true, run: run)
        }
        let other = temporary.path + "/other.husk"
        let writer = try CaptureFileWriter(path: other, replaces: true, run: run)
        writer.discard()
        #expect(try names() == ["link.husk", "sample.husk"])
    }

    private func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: temporary.path).sorted()
    }

    @Test("what is replaced is kept until the trace has begun, its log with it")
    func replaced() throws {
        let run = RunDescription(huskVersion: "1", command: nil, options: [:])
        let source = try CaptureFileWriter(path: path, replaces: false, run: run)
        source.add(.transition(Sample.transition(1)))
        _ = source.drain()
        let old = try CaptureFile(path: path).info
        // A copy, as a trace that was cut off has left it: no one has it open. (The log goes when
        // its writer does.)
        let copy = temporary.path + "/old.husk"
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix)
        }
        source.discard()
        let discarded = try CaptureFileWriter(path: copy, replaces: true, run: run)
        #expect(try CaptureFile(path: copy).info.uuid != old.uuid)
        #expect(discarded.discard() == nil)
        #expect(try CaptureFile(path: copy).info == old)
        #expect(old.transitions == 1)
        #expect(try !names().contains { $0.contains("replaced") })

        // One that was killed before has left something behind: that is not written over.
        let left = copy + ".replaced-1"
        #expect(FileManager.default.createFile(atPath: left, contents: Data("x".utf8)))
        let begun = try CaptureFileWriter(path: copy, replaces: true, run: run)
        #expect(try CaptureFile(path: copy + ".replaced-2").info == old)
        begun.begin()
        #expect(try !names().contains { $0.contains("replaced-2") })
        begun.discard()
        #expect(try names().filter { $0.hasPrefix("old") } == ["old.husk.replaced-1"])
        #expect(try Data(contentsOf: URL(fileURLWithPath: left)) == Data("x".utf8))
    }

    @Test("a capture is not lost if it cannot be moved out of the way")
    func notReplaced() throws {
        try write([])
        // Its other name would be too long.
        let name = String(repeating: "a", count: 245)
        let long = temporary.path + "/" + name
        try FileManager.default.moveItem(atPath: path, toPath: long)
        let run = RunDescription(huskVersion: "1", command: nil, options: [:])
        #expect(throws: OutputError.self) {
            try CaptureFileWriter(path: long, replaces: true, run: run)
        }
        _ = try CaptureFile(path: long)
        #expect(try names() == [name])
    }

    @Test("an image has the latest bytes of what is mapped, and none of what is not")
    func image() throws {
        var gone = Sample.transition(3, start: 0x9000)
        gone.kind = .munmap
        gone.effective = []
        gone.backing = .none
        gone.hasPages = false
        try write([
            .transition(Sample.transition(1)), .page(Sample.page(1, 0x7000, fill: 1)),
            .transitionEnd(Sample.end(1, captured: 1)),
            .transition(Sample.transition(2, start: 0x9000)),
            .page(Sample.page(2, 0x9000, fill: 2)),
            .transitionEnd(Sample.end(2, captured: 1)), .transition(gone),
            .transition(Sample.transition(4)), .page(Sample.page(4, 0x7000, fill: 4)),
            .transitionEnd(Sample.end(4, captured: 1)),
        ])
        let file = try CaptureFile(path: path)
        let process = try #require(file.processes.first?.id)
        let last = try file.image(of: process)
        #expect(last.regions.map(\.mapping.start) == [0x7000])
        let page = try #require(last.regions.first?.pages.first)
        #expect(try file.bytes(of: page.content).first == 4)
        let earlier = try file.image(of: process, at: 6)
        #expect(earlier.regions.map(\.mapping.start) == [0x7000, 0x9000])
    }
}
