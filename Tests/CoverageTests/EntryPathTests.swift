// SPDX-License-Identifier: MIT
import CoverageSuite
import Foundation
import Glibc
import Husk
import HuskTestSupport
import Testing

/// What the verdicts do not say: that each way in is told as what it is.
@Suite("Entry paths", .needsProbes, .serialized)
struct EntryPathTests {
    private func trace(_ name: String, method: CopyMethod? = nil) throws -> CaseRun.Evidence {
        let item = try CoverageCase.all(in: BuildProducts.cases()).first { $0.name == name }
        let evidence = try CaseRun(method: method, scaledDown: true).trace(try #require(item))
        try #require(evidence.status == .exited(0), "\(evidence.output)")
        return evidence
    }

    @Test(
        "the call that made the first code executable",
        arguments: [
            ("e01-rw-rx", TransitionKind.mprotect), ("e07-memfd-write", .mmap),
            ("e09-pkey-mprotect", .pkeyMprotect), ("e11-shmat", .shmat),
            ("e12-brk", .brk), ("e14-int80", .mprotect), ("e21-proc-self-mem", .mprotect),
        ])
    func kinds(_ name: String, _ kind: TransitionKind) throws {
        let evidence = try trace(name)
        let truth = try #require(Truth.read(evidence.output).first)
        let first = try #require(evidence.transitions(at: truth.address).last { $0.kind == kind })
        #expect(first.effective.contains(.execute))
        #expect(first.call?.rawValue == kind.rawValue)
        let wayIn = first.abi
        #expect(wayIn == (name == "e14-int80" ? .compat32 : .native64))
    }

    @Test("every call of an ELF32 program is a 32-bit one")
    func elf32() throws {
        let evidence = try trace("e15-elf32")
        let mine = evidence.transitions.filter { $0.kind != .execve && $0.kind != .look }
        #expect(!mine.isEmpty)
        #expect(mine.allSatisfy { $0.abi == .compat32 })
    }

    @Test("requested and effective protection are told apart")
    func readImpliesExecution() throws {
        let evidence = try trace("e12-read-implies-exec")
        let truth = try #require(Truth.read(evidence.output).first)
        let mapping = try #require(evidence.transitions(at: truth.address).first)
        #expect(mapping.requested == [.read, .write])
        #expect(mapping.effective == [.read, .write, .execute])
    }

    @Test("memory that is moved is gone from where it was")
    func moved() throws {
        let evidence = try trace("e10-mremap-moved")
        let truths = Truth.read(evidence.output)
        let old = evidence.transitions(at: truths[0].address).last { $0.kind == .mremap }
        #expect(old?.effective == [])
        #expect(old?.previous?.contains(.execute) == true)
        let new = evidence.transitions(at: truths[1].address).last { $0.kind == .mremap }
        #expect(new?.effective.contains(.execute) == true)
    }

    @Test(
        "programs that are on no disk are said to be fileless",
        arguments: [
            ("e17-execveat-memfd", ProgramExecution.Fileless.memfd), ("e17-deleted", .deleted),
            ("e17-dev-shm", .sharedMemory), ("e17-proc-self-fd", .memfd),
        ])
    func fileless(_ name: String, _ reason: ProgramExecution.Fileless) throws {
        let executions = try trace(name).executions
        #expect(executions.count == 2)
        #expect(executions.first?.fileless == nil)
        #expect(executions.last?.fileless == reason)
    }

    @Test(
        "who has written, and by which call",
        arguments: [
            ("e22-poketext", SystemCall.ptrace), ("e22-process-vm-writev", .processVMWritev),
            ("e22-proc-pid-mem", .pwrite64),
        ])
    func writers(_ name: String, _ call: SystemCall) throws {
        let evidence = try trace(name, method: .taskWork)
        let truth = try #require(Truth.read(evidence.output).last)
        let writes = evidence.transitions(at: truth.address).filter { $0.kind == .write }
        #expect(!writes.isEmpty)
        #expect(writes.allSatisfy { $0.call == call && $0.task.pid == truth.pid })
        #expect(writes.allSatisfy { $0.writer != nil && $0.writer?.task.pid != truth.pid })
    }

    @Test("a write into a file that is mapped executable makes new generations")
    func sharedFile() throws {
        let evidence = try trace("e23-pwrite", method: .taskWork)
        let truth = try #require(Truth.read(evidence.output).first)
        let writes = evidence.transitions(at: truth.address).filter { $0.kind == .write }
        #expect(writes.count >= 3)
        #expect(writes.allSatisfy { $0.call == .pwrite64 })
        let generations = evidence.pages.filter { $0.address.rawValue == truth.address & ~4095 }
            .map(\.generation)
        #expect((generations.max() ?? 0) >= 3)
    }

    @Test("two views of one memory are joined, and said to be a blind spot")
    func twoViews() throws {
        let evidence = try trace("e08-two-views")
        let truth = try #require(Truth.read(evidence.output).first)
        let view = try #require(
            evidence.events.compactMap { if case .sharedView(let it) = $0 { it } else { nil } }
                .first)
        #expect(view.executable.start.rawValue == truth.address)
        #expect(view.writable.protection == [.read, .write])
        #expect(view.backing.kind == "memfd")
        let spot = evidence.events.compactMap {
            if case .blindSpot(let it) = $0 { it } else { nil }
        }
        #expect(spot.map(\.reason) == [.writableElsewhere])
    }

    @Test("children are told before they run, and their ends")
    func children() throws {
        let evidence = try trace("e33-great-grandchildren")
        let pids = Set(Truth.read(evidence.output).compactMap(\.pid))
        #expect(pids.count == 3)
        var born: Set<Int32> = []
        for event in evidence.events {
            switch event {
            case .processStart(let start): born.insert(start.child)
            case .transition(let transition) where born.isEmpty == false:
                #expect(
                    born.contains(transition.task.pid)
                        || transition.task.pid == evidence.executions.first?.task.pid)
            default: break
            }
        }
        #expect(pids.subtracting(born).count <= 1)
        let ends = evidence.events.count { if case .processExit = $0 { true } else { false } }
        #expect(ends == born.count + 1)
    }

    @Test("a failed call is an attempt, of whatever kind it was")
    func attempts() throws {
        let attempts = try trace("h04-absurd-sizes").transitions.filter(\.isAttempt)
        #expect(Set(attempts.map(\.kind)).isSuperset(of: [.mmap, .mprotect, .pkeyMprotect]))
    }

    @Test(
        "the vdso is whole, also of a process that has not asked for it",
        arguments: [CopyMethod.syscallExit, nil])
    func vdso(_ method: CopyMethod?) throws {
        // Where the kernel has put it in this very process: it is the same in each.
        let auxiliary = try Data(contentsOf: URL(fileURLWithPath: "/proc/self/auxv"))
            .withUnsafeBytes { Array($0.bindMemory(to: UInt.self)) }
        let entry = try #require(
            stride(from: 0, to: auxiliary.count - 1, by: 2).first {
                auxiliary[$0] == UInt(AT_SYSINFO_EHDR)
            })
        let place = try #require(UnsafeRawPointer(bitPattern: auxiliary[entry + 1]))
        let evidence = try trace("e01-rw-rx", method: method)
        let region = try #require(
            evidence.transitions.first { $0.kind == .execve && $0.backing == .special })
        let pages = evidence.pages.filter { region.start <= $0.address && $0.address < region.end }
        #expect(pages.count == Int(region.length) / 4096)
        for page in pages {
            let own = UnsafeRawBufferPointer(
                start: place + Int(page.address.rawValue - region.start.rawValue),
                count: page.size)
            #expect(page.content.map { own.elementsEqual($0) } == true)
            // Not from outside, where it could have come too late.
            #expect(page.reader == .bpfNoFault)
        }
    }

    @Test("the vdso and a library are labelled")
    func labels() throws {
        let evidence = try trace("b01-dlopen")
        let labels = evidence.transitions.compactMap(\.label)
        #expect(labels.contains { $0.kind == .kernel })
        #expect(labels.contains { $0.kind == .file && $0.detail.escaped.hasPrefix("libm") })
    }
}

extension CaseRun.Evidence {
    var transitions: [Transition] {
        events.compactMap { if case .transition(let it) = $0 { it } else { nil } }
    }

    var pages: [Page] {
        events.compactMap { if case .page(let it) = $0 { it } else { nil } }
    }

    var executions: [ProgramExecution] {
        events.compactMap { if case .programExecution(let it) = $0 { it } else { nil } }
    }

    /// Those that touch an address, in order.
    func transitions(at address: UInt64) -> [Transition] {
        transitions.filter { $0.start.rawValue <= address && address < $0.end.rawValue }
    }
}
