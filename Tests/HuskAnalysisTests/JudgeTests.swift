// SPDX-License-Identifier: MIT
import HuskAnalysis
import HuskModel
import ModelSamples
import Testing

@Suite("Judgement")
struct JudgeTests {
    // MARK: Events

    static func file(_ name: String, path: String? = nil, links: UInt32 = 1) -> FileIdentity {
        FileIdentity(
            deviceMajor: 8, deviceMinor: 1, inode: 77, linkCount: links, name: TargetText(name),
            path: path.map { TargetText($0) })
    }

    static func caller(_ name: String) -> CallSite {
        CallSite(address: 0x401234, backing: .file(file(name), offset: 0))
    }

    /// A change of protection with its label, as a tracer gives it.
    static func change(
        _ id: UInt64, _ previous: Protection?, _ effective: Protection,
        backing: Backing = .anonymous,
        caller: CallSite? = caller("sample"), start: Address = 0x7000,
        _ edit: (inout Transition) -> Void = { _ in }
    ) -> Event {
        var transition = Sample.transition(id, start: start)
        transition.previous = previous
        transition.isFresh = previous == nil
        transition.effective = effective
        transition.requested = effective
        transition.backing = backing
        transition.caller = caller
        transition.label = RegionLabel(backing: backing, caller: caller)
        edit(&transition)
        return .transition(transition)
    }

    static func facts(
        _ id: UInt64, _ bytes: [UInt8], start: Address = 0x7000, generations: [Int] = []
    ) -> ContentFacts {
        ContentFacts(
            of: bytes[...], at: start, transition: Transition.ID(rawValue: id),
            generations: generations)
    }

    static let code: [UInt8] = [0x55, 0x48, 0x89, 0xE5, 0xB8, 0x2A, 0, 0, 0, 0x5D, 0xC3]

    private func judge(_ events: [Event], _ facts: [ContentFacts] = []) -> Judgement {
        var judge = Judge()
        for event in events {
            judge.take(event)
            if case .transition(let transition) = event {
                for facts in facts where facts.transition == transition.id { judge.note(facts) }
            }
        }
        return judge.judgement()
    }

    private func kinds(_ judgement: Judgement) -> [Finding.Kind] { judgement.findings.map(\.kind) }

    // MARK: Layers

    @Test("memory that is written, then executable, is packing, with its facts in the reason")
    func packing() throws {
        let judgement = judge(
            [
                Self.change(1, [.read, .write], [.read, .execute]),
                .transitionEnd(Sample.end(1, captured: 1)),
            ],
            [Self.facts(1, Self.code)])
        let finding = try #require(judgement.findings.first)
        #expect(judgement.findings.count == 1)
        #expect(finding.kind == .writtenThenExecutable)
        #expect(finding.importance == .notable)
        #expect(finding.techniques == [.softwarePacking, .deobfuscation])
        #expect(
            finding.reason.hasPrefix(
                "4 KiB of anonymous memory at 0x7000 were written, then made executable "
                    + "(rw- -> r-x, mprotect) by code of sample at 0x401234; it looks like x86-64"))
        #expect(finding.processName == TargetText("target"))
        #expect(finding.start == 0x7000)
        #expect(finding.length == 4096)
        #expect(finding.time == Sample.time(1))
        #expect(finding.evidence.transitions == [Transition.ID(rawValue: 1)])
        #expect(finding.evidence.layer == 1)
        #expect(finding.evidence.requester == Self.caller("sample"))
    }

    @Test("memory of zeros or text that becomes executable is context only")
    func emptyMemory() {
        for bytes in [[UInt8](repeating: 0, count: 4096), Array("only some text here".utf8)] {
            let judgement = judge(
                [Self.change(1, [.read, .write], [.read, .execute])], [Self.facts(1, bytes)])
            #expect(judgement.findings.map(\.importance) == [.context])
        }
        // Mapped executable, never written: nothing can be in it.
        #expect(judge([Self.change(1, nil, [.read, .execute])]).findings.isEmpty)
    }

    @Test("code made by code is a deeper layer and names the one that has made it")
    func layers() throws {
        let inner = CallSite(address: 0x7010, backing: .anonymous)
        let judgement = judge(
            [
                Self.change(1, [.read, .write], [.read, .execute]),
                Self.change(2, [.read, .write], [.read, .execute], caller: inner, start: 0x9000),
            ], [Self.facts(2, Self.code, start: 0x9000)])
        #expect(kinds(judgement) == [.writtenThenExecutable, .deeperLayer])
        let deep = try #require(judgement.findings.last)
        #expect(deep.reason.hasSuffix("layer 2, made by layer 1 at 0x7000"))
        #expect(deep.techniques == [.softwarePacking, .deobfuscation])
        #expect(deep.evidence.layer == 2)
    }

    @Test("writable and executable memory is notable once something is in it")
    func writableAndExecutable() {
        let rwx: Protection = [.read, .write, .execute]
        let unused = judge([Self.change(1, nil, rwx)])
        #expect(unused.findings.map(\.importance) == [.context])
        let used = judge(
            [Self.change(1, nil, rwx), .transitionEnd(Sample.end(1, captured: 1))])
        #expect(used.findings.map(\.importance) == [.notable])
        #expect(used.findings.map(\.techniques) == [[.reflectiveCodeLoading]])
    }

    // MARK: Injection

    private func writer(_ pid: Int32) -> Writer {
        Writer(
            task: TaskIdentity(pid: pid, tid: pid, hostPID: pid, hostTID: pid),
            threadName: TargetText("evil"))
    }

    @Test(
        "another process's write is injection, by the way it was made",
        arguments: [
            (SystemCall.processVMWritev, Technique.processInjection), (.ptrace, .ptraceSystemCalls),
            (.pwrite64, .procMemory), (.write, .procMemory),
        ])
    func injection(_ call: SystemCall, _ technique: Technique) throws {
        let judgement = judge([
            Self.change(1, nil, [.read, .execute]),
            Self.change(2, [.read, .execute], [.read, .execute], caller: nil) {
                $0.kind = .write
                $0.call = call
                $0.writer = writer(666)
            },
        ])
        let finding = try #require(judgement.findings.first { $0.kind == .foreignWrite })
        #expect(finding.techniques == [technique])
        #expect(finding.importance == .notable)
        #expect(finding.reason.contains("process 666 (evil) has written into code of process 42"))
        #expect(finding.evidence.writer == writer(666))
    }

    @Test("injection into JIT code is a finding too")
    func injectionIntoJIT() {
        let rwx: Protection = [.read, .write, .execute]
        let judgement = judge([
            Self.change(1, nil, rwx, caller: Self.caller("libjvm.so")),
            Self.change(2, rwx, rwx, caller: nil) {
                $0.kind = .write
                $0.call = .ptrace
                $0.writer = writer(666)
            },
        ])
        #expect(kinds(judgement) == [.foreignWrite])
    }

    @Test("a process that rewrites its own text through /proc/self/mem is told")
    func ownText() throws {
        let text = Backing.file(Self.file("sample"), offset: 0)
        let judgement = judge([
            Self.change(1, nil, [.read, .execute], backing: text, caller: nil) {
                $0.kind = .execve
            },
            Self.change(2, [.read, .execute], [.read, .execute], backing: text, caller: nil) {
                $0.kind = .write
                $0.call = .pwrite64
                $0.writer = writer(42)
            },
        ])
        let finding = try #require(judgement.findings.first)
        #expect(kinds(judgement) == [.ownWrite])
        #expect(finding.techniques == [.procMemory])
        #expect(finding.reason.contains("by the process itself"))
        #expect(finding.reason.contains("/proc/PID/mem or the file itself"))
    }

    // MARK: Changed code

    private func page(_ id: UInt64, generation: Int) -> Event {
        var page = Sample.page(id, 0x7000, fill: UInt8(truncatingIfNeeded: id))
        page.generation = generation
        return .page(page)
    }

    @Test("text that has changed is told; relocations by the loader are context")
    func textRewritten() {
        let text = Backing.file(Self.file("sample"), offset: 0)
        func events(_ caller: CallSite) -> [Event] {
            [
                Self.change(1, nil, [.read, .execute], backing: text, caller: nil),
                page(1, generation: 3),
                Self.change(2, [.read, .execute], [.read, .write], backing: text, caller: caller),
                Self.change(3, [.read, .write], [.read, .execute], backing: text, caller: caller),
                page(3, generation: 4),
            ]
        }
        let own = judge(events(Self.caller("sample")))
        #expect(kinds(own) == [.textRewritten])
        #expect(own.findings.map(\.importance) == [.notable])
        #expect(own.findings.first?.evidence.transitions == [Transition.ID(rawValue: 3)])
        let loader = judge(events(Self.caller("ld-linux-x86-64.so.2")))
        #expect(loader.findings.map(\.importance) == [.context])
        #expect(loader.findings.first?.techniques.isEmpty == true)
    }

    @Test("another library at the same address is no change")
    func mappedAnew() {
        let judgement = judge([
            Self.change(1, nil, [.read, .execute], backing: .file(Self.file("a.so"), offset: 0)),
            page(1, generation: 0),
            Self.change(2, [.read, .execute], [], backing: .none),
            Self.change(3, nil, [.read, .execute], backing: .file(Self.file("b.so"), offset: 0)),
            page(3, generation: 1),
        ])
        #expect(judgement.findings.isEmpty)
    }

    @Test("a vdso that changes is told")
    func vdso() {
        let judgement = judge([
            Self.change(1, nil, [.read, .execute], backing: .special, caller: nil),
            page(1, generation: 0),
            Self.change(2, [.read, .execute], [.read, .execute], backing: .special, caller: nil),
            page(2, generation: 1),
        ])
        #expect(kinds(judgement) == [.vdsoChanged])
        #expect(judgement.findings.first?.techniques == [.vdsoHijacking])
    }

    @Test("a page that was encrypted and became code is decryption, in a file's text too")
    func decrypted() throws {
        let code = Array(try Bytes.libcSection(".text")[8192..<12288])
        let hidden = Bytes.rc4(code, key: [9, 8, 7])
        let text = Backing.file(Self.file("packed"), offset: 0)
        let judgement = judge(
            [
                Self.change(1, nil, [.read, .execute], backing: text, caller: nil),
                Self.change(2, [.read, .write], [.read, .execute], backing: text),
            ], [Self.facts(1, hidden, generations: [0]), Self.facts(2, code, generations: [1])])
        #expect(kinds(judgement) == [.decrypted])
        #expect(judgement.findings.first?.techniques == [.deobfuscation])
    }

    // MARK: Images and files

    @Test("an ELF in anonymous executable memory is reflective loading, with what it is")
    func image() throws {
        let elf = try Bytes.sharedObject()
        let judgement = judge(
            [Self.change(1, [.read, .write], [.read, .execute])], [Self.facts(1, elf)])
        let finding = try #require(judgement.findings.first { $0.kind == .imageInMemory })
        #expect(finding.techniques == [.reflectiveCodeLoading])
        #expect(finding.reason.contains("an ELF image (ELF64 x86-64 shared-object in file layout"))
        #expect(finding.reason.contains("needs libc.so.6"))
        #expect(finding.evidence.images.first?.address == 0x7000)
        // Of a file's own memory it is no news.
        let text = Backing.file(Self.file("lib.so"), offset: 0)
        #expect(
            judge([Self.change(1, nil, [.read, .execute], backing: text)], [Self.facts(1, elf)])
                .findings.isEmpty)
    }

    @Test("programs and code on no disk are told; an upgraded library is context")
    func fileless() {
        let memfd = Backing.memfd(Self.file("payload", links: 0), offset: 0)
        let executed = judge([
            .programExecution(
                ProgramExecution(
                    task: Sample.task, time: Sample.time(0), name: TargetText("/proc/self/fd/3"),
                    backing: memfd))
        ])
        #expect(kinds(executed) == [.filelessProgram])
        #expect(
            executed.findings.first?.reason.contains("/proc/self/fd/3, which is a memfd") == true)
        #expect(
            kinds(judge([Self.change(1, nil, [.read, .execute], backing: memfd)])) == [
                .filelessMapping
            ])
        let own = judge([
            Self.change(1, nil, [.read, .execute], backing: memfd) { $0.kind = .execve }
        ])
        #expect(own.findings.map(\.importance) == [.context])
        let shm = Backing.file(Self.file("x.so", path: "/dev/shm/x.so"), offset: 0)
        #expect(
            kinds(judge([Self.change(1, nil, [.read, .execute], backing: shm)])) == [
                .filelessMapping
            ])
        let old = Backing.file(Self.file("libssl.so", links: 0), offset: 0)
        let present = judge([
            Self.change(1, nil, [.read, .execute], backing: old, caller: nil) { $0.kind = .present }
        ])
        #expect(present.findings.map(\.importance) == [.context])
    }

    private func view(_ id: UInt64, other: Int32 = 42) -> Event {
        .sharedView(
            SharedView(
                time: Sample.time(id),
                executable: RegionReference(
                    pid: 42, start: 0x7000, length: 4096, protection: [.read, .execute]),
                writable: RegionReference(
                    pid: other, start: 0x20_0000, length: 4096, protection: [.read, .write]),
                backing: .memfd(Self.file("two", links: 0), offset: 0)))
    }

    @Test("two views of one memory are told, and whose they are")
    func dualMapping() {
        let memfd = Backing.memfd(Self.file("two", links: 0), offset: 0)
        let own = judge([Self.change(1, nil, [.read, .execute], backing: memfd), view(2), view(3)])
        #expect(kinds(own) == [.filelessMapping, .dualMapping])
        #expect(own.findings.last?.techniques == [.reflectiveCodeLoading])
        #expect(own.findings.last?.evidence.count == 2)
        let foreign = judge([view(2, other: 99)])
        #expect(foreign.findings.first?.techniques == [.processInjection])
    }

    @Test("an executable stack is context if the program asks for it, notable if made so")
    func stack() {
        let rwx: Protection = [.read, .write, .execute]
        let asked = judge([Self.change(1, nil, rwx, backing: .stack) { $0.kind = .execve }])
        #expect(asked.findings.map(\.importance) == [.context])
        let made = judge([Self.change(1, [.read, .write], rwx, backing: .stack)])
        #expect(kinds(made) == [.executableStack])
        #expect(made.findings.map(\.importance) == [.notable])
        #expect(
            kinds(judge([Self.change(1, [.read, .write], rwx, backing: .heap)])) == [
                .executableHeap
            ])
    }

    @Test("code that was about to run in writable memory is told with its entry and writer")
    func execution() throws {
        let rwx: Protection = [.read, .write, .execute]
        let execution = Execution(
            task: Sample.task, time: Sample.time(5), transition: Transition.ID(rawValue: 2),
            address: 0x7010, region: 0x7000..<0x8000, sequence: 0, registers: Registers(),
            writer: Self.caller("sample"))
        let judgement = judge([
            Self.change(1, nil, rwx), .execution(execution), .execution(execution),
        ])
        #expect(kinds(judgement) == [.writableAndExecutable, .executedWhileWritable])
        let finding = try #require(judgement.findings.last)
        #expect(finding.evidence.entry == 0x7010)
        #expect(finding.evidence.writingCode == Self.caller("sample"))
        #expect(finding.reason.hasSuffix("(2 times)"))
        #expect(finding.reason.contains("about to run at 0x7010"))
    }

    // MARK: What is ordinary

    @Test(
        "what JIT compilers and makers of closures do is no finding",
        arguments: [
            "node", "libjvm.so", "libluajit-5.1.so.2", "libffi.so.8", "libpcre2-8.so.0", "sbcl",
        ])
    func engines(_ name: String) {
        let rwx: Protection = [.read, .write, .execute]
        let engine = Self.caller(name)
        let memfd = Backing.memfd(Self.file("doublemapper", links: 0), offset: 0)
        let judgement = judge(
            [
                Self.change(1, nil, rwx, caller: engine),
                .transitionEnd(Sample.end(1, captured: 1)),
                // A look knows no caller.
                Self.change(2, rwx, rwx, caller: nil) {
                    $0.kind = .look
                    $0.trigger = .ownCall
                },
                // W^X, and back.
                Self.change(3, [.read, .write], [.read, .execute], caller: engine, start: 0x9000),
                Self.change(4, [.read, .execute], [.read, .write], caller: engine, start: 0x9000),
                Self.change(5, [.read, .write], [.read, .execute], caller: nil, start: 0x9000),
                // Its code asks for more itself.
                Self.change(
                    6, nil, rwx, caller: CallSite(address: 0x7800, backing: .anonymous),
                    start: 0xA000),
                .transitionEnd(Sample.end(6, captured: 1)),
                Self.change(
                    7, nil, [.read, .execute], backing: memfd, caller: engine, start: 0xB000),
            ], [Self.facts(2, Self.code)])
        #expect(judgement.findings.isEmpty, "\(judgement.findings.map(\.reason))")
        #expect(judgement.explainedByJIT == 4)
    }

    @Test("files and the kernel's code are no finding")
    func ordinary() {
        let library = Backing.file(Self.file("libc.so.6"), offset: 0x26000)
        let judgement = judge([
            Self.change(1, nil, [.read, .execute], backing: library), page(1, generation: 0),
            Self.change(2, nil, [.read, .execute], backing: .special, start: 0x9000),
            Self.change(3, nil, [], start: 0xA000) { $0.result = -13 },
        ])
        #expect(judgement.findings.isEmpty)
        #expect(judgement.explainedByJIT == 0)
    }

    @Test("a label counts without a caller, and ends with the region it is of")
    func labelAlone() {
        let rwx: Protection = [.read, .write, .execute]
        let inside = CallSite(address: 0x7800, backing: .anonymous)
        let labelled = Self.change(1, nil, rwx, caller: nil) {
            $0.label = RegionLabel(.jit, by: .caller)
        }
        let asked = Self.change(3, nil, rwx, caller: inside, start: 0x9000)
        #expect(judge([labelled, asked]).findings.isEmpty)
        let gone = Self.change(2, rwx, [], backing: .none)
        #expect(judge([labelled, gone, asked]).findings.map(\.start) == [0x9000])
    }

    @Test("a JIT's region that grows by an unknown caller stays its own, a hole in it does not")
    func partsOfRegions() {
        let rwx: Protection = [.read, .write, .execute]
        let engine = Self.caller("node")
        let grown = judge([
            Self.change(1, nil, rwx, caller: engine),
            Self.change(2, [.read, .write], [.read, .execute], caller: nil) { $0.length = 0x2000 },
        ])
        #expect(grown.findings.isEmpty)
        let large = Self.change(1, nil, rwx, caller: engine) { $0.length = 0x3000 }
        let hole = Self.change(2, rwx, [], backing: .none, start: 0x8000)
        for (address, count) in [(0x7800, 0), (0x8800, 1), (0x9800, 0)] as [(UInt64, Int)] {
            let inside = CallSite(address: Address(address), backing: .anonymous)
            let asked = Self.change(3, nil, rwx, caller: inside, start: 0x20_0000)
            #expect(judge([large, hole, asked]).findings.count == count, "\(address)")
        }
    }

    @Test("code that is captured again as it was has not changed")
    func unchanged() {
        let text = Backing.file(Self.file("sample"), offset: 0)
        let judgement = judge([
            Self.change(1, nil, [.read, .execute], backing: text), page(1, generation: 2),
            Self.change(2, [.read, .write], [.read, .execute], backing: text),
            page(2, generation: 2),
        ])
        #expect(judgement.findings.isEmpty)
    }

    @Test("a label that comes late, from a perf map, counts")
    func lateLabel() {
        let label = LabelledRegion(
            task: Sample.task, time: Sample.time(9), start: 0x7000, length: 4096,
            label: RegionLabel(.jit, by: .perfMap))
        let judgement = judge([Self.change(1, [.read, .write], [.read, .execute]), .label(label)])
        #expect(judgement.findings.isEmpty)
        let wild = LabelledRegion(
            task: Sample.task, time: Sample.time(9), start: 0x7000, length: .max,
            label: RegionLabel(.jit, by: .perfMap))
        #expect(
            judge([Self.change(1, [.read, .write], [.read, .execute]), .label(wild)]).findings.count
                == 1)
    }

    // MARK: Bounds

    @Test("the same region again and again is one finding")
    func deduplicated() {
        var events: [Event] = []
        for id in 1...50 as ClosedRange<UInt64> {
            events.append(Self.change(id * 2, [.read, .write], [.read, .execute]))
            events.append(Self.change(id * 2 + 1, [.read, .execute], [], backing: .none))
        }
        let judgement = judge(events)
        #expect(judgement.findings.count == 1)
        #expect(judgement.findings.first?.evidence.count == 50)
        #expect(judgement.findings.first?.evidence.transitions.count == Judge.evidenceLimit)
    }

    @Test("findings are capped, notable ones are kept, and the rest is counted")
    func capped() {
        let events = (0..<1500 as Range<UInt64>).map { index in
            Self.change(
                index + 1, index < 1200 ? nil : [.read, .write],
                index < 1200 ? [.read, .write, .execute] : [.read, .execute],
                start: Address(0x10_0000 + index * 0x2000))
        }
        let judgement = judge(events)
        #expect(judgement.findings.count == Judge.findingLimit)
        #expect(judgement.suppressed == 500)
        #expect(judgement.findings.filter { $0.importance == .notable }.count == 300)
    }

    @Test("events in any order and with any numbers make no trap")
    func hostile() {
        var generator = Bytes.Generator(seed: 3)
        var judge = Judge()
        for id in 0..<20_000 as Range<UInt64> {
            let random = generator.next()
            let start = Address(random & 3 == 0 ? generator.next() : (random >> 8 & 0xFF) << 12)
            let event = Self.change(
                id, Protection(rawValue: UInt32(random >> 16 & 7)),
                Protection(rawValue: UInt32(random >> 20 & 7)),
                backing: [.anonymous, .stack, .heap, .special, .none][Int(random >> 24 & 0xFF) % 5],
                start: start
            ) {
                $0.length = random & 4 == 0 ? generator.next() : 0x3000
                $0.kind =
                    TransitionKind.allCases[
                        Int(random >> 32 & 0xFF) % TransitionKind.allCases.count]
                $0.task.pid = Int32(random >> 40 & 3)
            }
            judge.take(event)
            if random & 8 == 0 {
                judge.take(
                    .processStart(
                        ProcessStart(
                            parent: Sample.task, time: Sample.time(id),
                            child: Int32(random >> 42 & 3),
                            hostChild: 0, sharesMemory: random & 16 == 0)))
            }
            judge.take(page(id, generation: Int(random >> 50 & 3)))
            judge.take(.transitionEnd(Sample.end(id, captured: .max)))
        }
        #expect(judge.judgement().findings.count <= Judge.findingLimit)
    }

    @Test("contents are examined run by run")
    func examiner() throws {
        var examiner = ContentExaminer()
        let none = examiner.take(.page(Sample.page(1, 0x7000, fill: 0)))
        #expect(none == nil)
        let more = examiner.take(.page(Sample.page(1, 0x8000, fill: 0x90)))
        #expect(more == nil)
        let closed = examiner.take(.page(Sample.page(1, 0xA000, fill: 0)))
        let first = try #require(closed)
        #expect(first.start == 0x7000)
        #expect(first.length == 8192)
        let last = examiner.take(.transitionEnd(Sample.end(1, captured: 3)))
        let second = try #require(last)
        #expect(second.start == 0xA000)
        #expect(second.appearance.kind == .zeros)
        let rest = examiner.finish()
        #expect(rest.isEmpty)
    }
}
