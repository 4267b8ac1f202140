// SPDX-License-Identifier: MIT
import HuskAnalysis
import HuskModel
import Testing

@Suite("ELF core files")
struct ELFCoreFileTests {
    static let code: [UInt8] = [0xB8, 0x2A, 0, 0, 0, 0xC3]

    static func sample() -> SampleMemory {
        var memory = SampleMemory()
        memory.add(
            0x40_0000, size: 0x3000, [.read, .execute],
            code + Array(repeating: 0x90, count: 8192 + 4000), missingPages: [1])
        memory.add(0x7000_0000, size: 0x2000, [.read, .write], [1, 2, 3, 4])
        var registers = Registers()
        registers.rip = 0x40_0000
        registers.rsp = 0x7000_0800
        registers.rax = 0x1122_3344_5566_7788
        registers.r15 = 0xFEED
        registers.fsBase = 0xF5
        registers.eflags = 0x246
        registers.cs = 0x33
        memory.image.threads = [
            ProcessImage.Thread(
                task: TaskIdentity(pid: 4242, tid: 4243, hostPID: 4242, hostTID: 4243),
                name: TargetText("sample"), registers: registers)
        ]
        return memory
    }

    static func bytes(_ memory: SampleMemory, limit: Int = CoreFile.largestCount) throws -> (
        CoreFile.Summary, [UInt8]
    ) {
        let core = try CoreFile(memory.image, contents: memory.contents, segmentLimit: limit)
        var bytes: [UInt8] = []
        try core.write { bytes += $0 }
        return (core.summary, bytes)
    }

    @Test("opens in gdb, with registers, memory and nothing that was not captured")
    func gdb() throws {
        var memory = Self.sample()
        let scratch = try Scratch()
        let library = try scratch.write([0x7F], "library.so")
        memory.add(
            0x5000_0000, size: 0x1000, [.read, .execute], [0xCC, 0xC3],
            backing: .file(
                FileIdentity(
                    deviceMajor: 8, deviceMinor: 1, inode: 5, linkCount: 1,
                    name: TargetText("library.so"), path: TargetText(library)), offset: 0x2000))
        let (summary, bytes) = try Self.bytes(memory)
        #expect(summary.segments == 4)
        #expect(summary.size == UInt64(bytes.count))
        #expect(summary.capturedBytes == 4 * 4096)
        let core = try scratch.write(bytes, "core")
        let result = try scratch.gdb(
            "--core=" + core,
            [
                "info proc mappings", "x/2i 0x400000", "info registers rip rax r15 fs_base", "bt",
                "info threads", "x/4xb 0x70000000", "x/2xb 0x50000000",
            ])
        #expect(result.isQuiet)
        #expect(result.output.contains("mov    $0x2a,%eax"))
        #expect(result.output.contains("0x1122334455667788"))
        #expect(result.output.contains("0xfeed"))
        #expect(result.output.contains("0xf5"))
        #expect(result.output.contains("LWP 4243"))
        #expect(result.output.contains("0x01\t0x02\t0x03\t0x04"))
        #expect(
            result.output.contains(
                "0x1000     0x2000"))
        #expect(result.output.contains("\(library)"))
        let unknown = try scratch.gdb("--core=" + core, ["x/2xb 0x401000"])
        #expect(unknown.errors.contains("Cannot access memory at address 0x401000"))
        let headers = try scratch.run("/usr/bin/readelf", ["-aW", core])
        #expect(headers.isQuiet)
        #expect(headers.output.contains("NT_FILE"))
    }

    @Test("opens in gdb without a thread")
    func noThread() throws {
        var memory = Self.sample()
        memory.image.threads = []
        let scratch = try Scratch()
        let core = try scratch.write(try Self.bytes(memory).1, "core")
        let result = try scratch.gdb(
            "--core=" + core, ["x/2i 0x400000", "info registers rip", "info proc mappings"])
        #expect(result.isQuiet)
        #expect(result.output.contains("mov    $0x2a,%eax"))
    }

    @Test("of a 32-bit program is a 32-bit file")
    func bits32() throws {
        var memory = Self.sample()
        memory.image.is32Bit = true
        memory.image.threads[0].registers.rax = 0x5566_7788
        let scratch = try Scratch()
        let (summary, bytes) = try Self.bytes(memory)
        #expect(summary.elfClass == .bits32)
        let core = try scratch.write(bytes, "core")
        let result = try scratch.gdb("--core=" + core, ["info registers eip eax", "x/2i 0x400000"])
        #expect(result.isQuiet)
        #expect(result.output.contains("0x55667788"))
        #expect(result.output.contains("eip            0x400000"))
        #expect(result.output.contains("mov    $0x2a,%eax"))
        // Code that has switched to 64 bits fits into a 64-bit file only.
        memory.image.threads[0].registers.rip = 0x7FFF_0000_0000
        #expect(try Self.bytes(memory).0.elfClass == .bits64)
    }

    @Test("merges and drops runs when there are too many, and says so")
    func limit() throws {
        var memory = SampleMemory()
        memory.add(0x10_0000, size: 0x1000, [.read], [1])
        memory.add(0x10_1000, size: 0x1000, [.read, .write], [2])
        memory.add(0x10_4000, size: 0x1000, [.read], [3])
        memory.add(0x4000_0000, size: 0x2000, [.read], Array(repeating: 4, count: 8192))
        memory.add(0x8000_0000, size: 0x1000, [.read], [5])
        #expect(try Self.bytes(memory).0.segments == 5)
        let touching = try Self.bytes(memory, limit: 4).0
        #expect(touching.segments == 4)
        #expect(touching.mergedRuns == 1)
        #expect(touching.filledPages == 0)
        let (filled, bytes) = try Self.bytes(memory, limit: 3)
        #expect(filled.segments == 3)
        #expect(filled.filledPages == 2)
        #expect(filled.droppedPages == 0)
        #expect(filled.capturedBytes == 6 * 4096)
        #expect(filled.size == UInt64(bytes.count))
        let dropped = try Self.bytes(memory, limit: 2).0
        #expect(dropped.segments == 2)
        #expect(dropped.droppedPages == 1)
        #expect(dropped.capturedBytes == 5 * 4096)
    }

    @Test("has fewer program headers than the format can count")
    func many() throws {
        var memory = SampleMemory()
        memory.contents.pages = [Array(repeating: 7, count: 4096)]
        for index in 0..<70_000 as Range<UInt64> {
            let start = Address(0x1000_0000 + index * 0x2000)
            memory.image.regions.append(
                ProcessImage.Region(
                    MappedRegion(
                        start: start, end: start.advanced(by: 4096), protection: .read,
                        backing: .anonymous, isShared: false),
                    pages: [
                        ProcessImage.StoredPage(
                            address: start, size: 4096, content: ContentReference(rawValue: 0),
                            time: memory.image.time, generation: 0)
                    ]))
        }
        let core = try CoreFile(memory.image, contents: memory.contents)
        #expect(core.summary.segments == 65_533)
        #expect(core.summary.filledPages == 70_000 - 65_533)
        var head: [UInt8] = []
        var size: UInt64 = 0
        var longest = 0
        try core.write {
            if head.count < 64 { head += $0.prefix(64) }
            size += UInt64($0.count)
            longest = max(longest, $0.count)
        }
        #expect(size == core.summary.size)
        #expect(longest <= 1 << 20)
        #expect(Int(head[56]) | Int(head[57]) << 8 == 65_534)
    }

    @Test("of nothing is an error")
    func nothing() {
        #expect(throws: ELFError.self) {
            try CoreFile(SampleMemory().image, contents: KeptContents())
        }
    }
}
