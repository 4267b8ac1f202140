// SPDX-License-Identifier: MIT
import HuskCapture
import HuskModel
import ModelSamples
import Testing

/// The JSON is an interface: compared with literal text, so that no key changes unseen.
@Suite("JSON lines")
struct JSONLinesTests {
    private let json = JSONLines()

    private func text(_ line: [UInt8]) -> String {
        String(decoding: line, as: UTF8.self)
    }

    @Test("a transition with a page")
    func transition() throws {
        var assembler = TransitionAssembler()
        _ = assembler.take(.transition(Sample.transition(0x12)))
        _ = assembler.take(.page(Sample.page(0x12, 0x7000, fill: 0)))
        let completed = assembler.take(.transitionEnd(Sample.end(0x12, captured: 1)))
        let capture = try #require(completed)
        // The SHA-256 of 4096 zeros.
        let zeros = "ad7facb2586fc6e966c004d7d1d16b024f5805ff7cb47c7a85dabd8b48892ca7"
        #expect(
            text(json.line(capture, files: ["7000_ad7facb2586fc6e9.bin"])) == """
                {"abi":"64-bit","arguments":{"address":"0x7000","flags":"0x0","length":"0x1000"},\
                "backing":{"kind":"anonymous"},"call":"mprotect","effective":"--x","fresh":false,\
                "id":"0000000000000012","instruction_pointer":"0x401000","kind":"mprotect",\
                "length":4096,"pages":{"captured":1,"complete":true,"lost":0,"stalled_ns":0,\
                "unreadable":0,"untouched":0},"previous":"rw-",\
                "process":{"host_pid":1042,"host_tid":1043,"pid":42,"tid":43},\
                "requested":"--x","result":"0x0","runs":[{"base":"0x7000",\
                "file":"7000_ad7facb2586fc6e9.bin","pages":[{"address":"0x7000",\
                "cpu":1,"generation":0,"reader":"bpf-nofault","sequence":19,\
                "sha256":"\(zeros)",\
                "time_ns":1000019}],"sha256":"\(zeros)","size":4096}],"shared":false,\
                "stack_pointer":"0x7ffe0000","start":"0x7000","thread_name":"target",\
                "time":{"monotonic_ns":1000018,"wall_ns":1700000000000000018},\
                "type":"transition","unreadable":[],"unseen":false,"vanished":false}

                """)
    }

    @Test("a failed call names its errno and has no pages")
    func attempt() throws {
        var assembler = TransitionAssembler()
        let completed = assembler.take(
            .transition(Sample.transition(1, result: -13, pages: false)))
        let line = text(json.line(try #require(completed)))
        #expect(line.contains(#""error":"EACCES""#))
        #expect(line.contains(#""result":"-13""#))
        #expect(!line.contains(#""runs""#))
    }

    @Test("a transition without an end does not claim to be complete")
    func cutOff() throws {
        var assembler = TransitionAssembler()
        _ = assembler.take(.transition(Sample.transition(1)))
        let capture = try #require(assembler.finish().first)
        #expect(text(json.line(capture)).contains(#""complete":false"#))
    }

    @Test("names of targets cannot break a line or a string")
    func hostileNames() throws {
        var transition = Sample.transition(1, pages: false)
        transition.threadName = TargetText("a\"\n\u{1B}]0;x")
        transition.backing = .file(
            FileIdentity(
                deviceMajor: 8, deviceMinor: 1, inode: .max, linkCount: 0,
                name: TargetText(bytes: [0xFF, 0x0A])), offset: 4096)
        var assembler = TransitionAssembler()
        let completed = assembler.take(.transition(transition))
        let line = text(json.line(try #require(completed)))
        #expect(line.filter { $0 == "\n" }.count == 1)
        #expect(line.contains(#""thread_name":"a\"\\x0a\\x1b]0;x""#))
        #expect(line.contains(#""name":"\\xff\\x0a""#))
        #expect(line.contains(#""inode":"18446744073709551615""#))
        #expect(line.contains(#""deleted":true"#))
    }

    @Test("losses, the end of a process, the summary")
    func others() throws {
        let loss = Loss(
            cause: .ringFull, time: Sample.time(0), task: Sample.task,
            transition: Transition.ID(rawValue: 7), start: 0x7000, length: 8192)
        #expect(
            text(try #require(json.line(.loss(loss)))) == """
                {"cause":"ring-full","count":1,"length":8192,\
                "process":{"host_pid":1042,"host_tid":1043,"pid":42,"tid":43},"start":"0x7000",\
                "time":{"monotonic_ns":1000000,"wall_ns":1700000000000000000},\
                "transition":"0000000000000007","type":"loss"}

                """)
        let exit = ProcessExit(task: Sample.task, time: Sample.time(0), status: 0x0300)
        #expect(text(try #require(json.line(.processExit(exit)))).contains(#""exit_code":3"#))
        let killed = ProcessExit(task: Sample.task, time: Sample.time(0), status: 9)
        #expect(text(try #require(json.line(.processExit(killed)))).contains(#""signal":9"#))
        var tally = CaptureTally()
        tally.add(.loss(loss))
        #expect(
            text(
                json.summary(
                    tally, records: [RecordCount(cpu: 0, given: 7, missing: 1)],
                    copyMethod: "task-work", target: TargetStatus(exitCode: 3)))
                    == """
                    {"attempts":0,"blind_spots":0,"bytes":0,"children":0,"complete":false,\
                    "copy_method":"task-work","distinct_contents":0,"expected_pages":2,\
                    "looks":0,"losses":{"ring-full":2},"pages":0,\
                    "records":[{"cpu":0,"given":7,"missing":1}],"referenced":0,"regions":0,\
                    "target":{"exit_code":3},"transitions":0,"type":"summary","unreadable":0}

                    """)
    }
}
