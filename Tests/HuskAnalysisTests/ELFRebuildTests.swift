// SPDX-License-Identifier: MIT
import Foundation
import HuskAnalysis
import HuskModel
import Testing

@Suite("Rebuilt ELF files")
struct ELFRebuildTests {
    static let hello = """
        #include <stdio.h>
        static int counter = 40;
        static char buffer[20000];
        __thread int local = 7;
        const char *words[] = {"one", "two"};
        int main(void) {
            buffer[19999] = 3;
            printf("hello %d %d %d %s\\n", counter + 2, local, buffer[19999], words[1]);
            return counter;
        }
        """
    static let bare = """
        static char text[] = "bare\\n";
        static long call(long n, long a, long b, long c) {
            long r;
            __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c)
                : "rcx", "r11", "memory");
            return r;
        }
        void _start(void) {
            text[0] = 'B';
            call(1, 1, (long)text, sizeof text - 1);
            call(60, 3, 0, 0);
        }
        """

    /// Checks that the tools read a file without a complaint.
    static func checkTools(_ file: String, _ scratch: Scratch) throws {
        for (tool, options) in [("readelf", ["-aW"]), ("objdump", ["-d"]), ("objdump", ["-x"])] {
            let result = try scratch.run("/usr/bin/" + tool, options + [file])
            #expect(result.status == 0)
            #expect(
                result.isQuiet,
                "\(tool): \(result.errors) \(result.output.split(separator: "\n").filter { $0.lowercased().contains("warning") })"
            )
            #expect(!result.output.contains("<corrupt"))
            #expect(!result.output.contains("bad section"))
        }
        let gdb = try scratch.gdb(file, ["info files", "info address nothing"])
        #expect(gdb.output.contains(".text"))
        #expect(!gdb.errors.contains("arning"), "\(gdb.errors)")
    }

    static func write(_ rebuilt: RebuiltImage, _ scratch: Scratch) throws -> String {
        let bytes = try rebuilt.bytes()
        #expect(UInt64(bytes.count) == rebuilt.size)
        return try scratch.write(bytes, "rebuilt")
    }

    @Test(
        "of a static program run and print what it prints",
        arguments: [
            [], ["-Wl,-z,noseparate-code"], ["-Wl,-z,max-page-size=0x200000"], ["-O2"],
        ])
    func staticProgram(options: [String]) throws {
        let scratch = try Scratch()
        let original = try scratch.compile(Self.hello, ["-static", "-no-pie"] + options)
        let expected = try scratch.run(scratch.path + "/compiled", [])
        #expect(expected.output == "hello 42 7 3 two\n")
        var memory = SampleMemory()
        try memory.load(original)
        let findings = try memory.finder.findings()
        #expect(findings.images.map(\.base) == [0x40_0000])
        #expect(findings.images.first?.evidence == .header)
        let rebuilt = try memory.rebuilt(at: 0x40_0000)
        #expect(rebuilt.missing.isEmpty)
        #expect(rebuilt.entry == (try ELFImage(original).header.entry))
        let file = try Self.write(rebuilt, scratch)
        try Self.checkTools(file, scratch)
        let result = try scratch.run(file, [])
        #expect(result.output == expected.output)
        #expect(result.status == expected.status)
        #expect(rebuilt.remarks.isEmpty)
        // The code is that of the original, and where it was.
        func code(_ file: String) throws -> [String] {
            let options = [
                "-d", "--start-address=\(rebuilt.entry)", "--stop-address=\(rebuilt.entry + 512)",
            ]
            return try scratch.run("/usr/bin/objdump", options + [file]).output
                .split(separator: "\n").filter { $0.hasPrefix("  ") }
                // Address and bytes: the original's operands have names.
                .map { $0.split(separator: "\t").prefix(2).joined(separator: " ") }
        }
        let disassembly = try code(file)
        #expect(disassembly.count > 50)
        #expect(disassembly == (try code(scratch.path + "/compiled")))
    }

    @Test("of a program that has run nearly to its end can be read")
    func ended() throws {
        let scratch = try Scratch()
        // Writes its own memory to a file when main has returned.
        let dumping = """
            #include <fcntl.h>
            #include <unistd.h>
            extern char __executable_start[], _end[];
            __attribute__((destructor)) static void dump(void) {
                int file = open("DUMP", O_CREAT | O_EXCL | O_WRONLY, 0600);
                if (file >= 0) write(file, __executable_start, _end - __executable_start);
            }

            """.replacingOccurrences(of: "DUMP", with: scratch.path + "/dump")
        let original = try scratch.compile(dumping + Self.hello, ["-static", "-no-pie"])
        #expect(try scratch.run(scratch.path + "/compiled", []).status == 40)
        let dump = Array(try Data(contentsOf: URL(fileURLWithPath: scratch.path + "/dump")))
        var fresh = SampleMemory()
        try fresh.load(original)
        var late = SampleMemory()
        for region in fresh.image.regions.map(\.mapping) {
            let from = Int(region.start.rawValue - 0x40_0000)
            let to = min(dump.count, Int(region.end.rawValue - 0x40_0000))
            late.add(
                region.start.rawValue, size: region.end.rawValue - region.start.rawValue,
                region.protection, Array(dump[from..<to]))
        }
        #expect(late.contents.pages != fresh.contents.pages)
        let file = try Self.write(try late.rebuilt(at: 0x40_0000), scratch)
        try Self.checkTools(file, scratch)
        // That it starts again is not to be expected: its allocator believes in a heap that is
        // not there (glibc 2.36 dies of it).
    }

    @Test("keep what the program has done until then, and run again")
    func late() throws {
        let scratch = try Scratch()
        let original = try scratch.compile(
            Self.bare, ["-static", "-nostdlib", "-no-pie", "-fno-stack-protector"])
        var memory = SampleMemory()
        let data = try #require(try ELFImage(original).loads.last { $0.isWritable })
        // As if it had changed its text before the look.
        var changed = original
        let place = try #require(changed.firstRange(of: Array("bare".utf8)))
        #expect(place.lowerBound >= Int(data.offset))
        changed.replaceSubrange(place, with: Array("late".utf8))
        try memory.load(changed)
        let file = try Self.write(try memory.rebuilt(at: 0x40_0000), scratch)
        #expect(try scratch.run(file, []).output == "Bate\n")
    }

    @Test(
        "of a program without a library run, too",
        arguments: [[], ["-Wl,-N"], ["-Wl,-z,noseparate-code"]])
    func bareProgram(options: [String]) throws {
        let scratch = try Scratch()
        let original = try scratch.compile(
            Self.bare, ["-static", "-nostdlib", "-no-pie", "-fno-stack-protector"] + options)
        var memory = SampleMemory()
        try memory.load(original)
        let file = try Self.write(try memory.rebuilt(at: 0x40_0000), scratch)
        try Self.checkTools(file, scratch)
        let result = try scratch.run(file, [])
        #expect(result.output == "Bare\n")
        #expect(result.status == 3)
    }

    @Test("of a program whose header page is destroyed run from the entry that was caught")
    func withoutHeader() throws {
        let scratch = try Scratch()
        let original = try scratch.compile(
            Self.bare, ["-static", "-nostdlib", "-no-pie", "-fno-stack-protector"])
        let entry = try ELFImage(original).header.entry
        var memory = SampleMemory()
        try memory.load(original)
        let page = memory.image.regions[0].pages[0].content
        memory.contents.pages[Int(page.rawValue)] = Array(repeating: 0, count: 4096)
        let found = try #require(try memory.finder.findings().images.first)
        #expect(found.evidence == .layout)
        #expect(found.base == 0x40_0000)
        let rebuilt = try RebuiltImage(
            found, in: memory.image, contents: memory.contents, entry: Address(entry))
        let file = try Self.write(rebuilt, scratch)
        try Self.checkTools(file, scratch)
        #expect(try scratch.run(file, []).output == "Bare\n")
    }

    @Test("of shellcode run")
    func shellcode() throws {
        let scratch = try Scratch()
        // mov edi, 42; mov eax, 60; syscall
        let code: [UInt8] = [0xBF, 42, 0, 0, 0, 0xB8, 60, 0, 0, 0, 0x0F, 0x05]
        var memory = SampleMemory()
        memory.add(
            0x1000_0000, size: 0x3000, [.read, .write, .execute],
            Array(repeating: 0, count: 4096) + code)
        let found = try #require(try memory.finder.findings().images.first)
        let rebuilt = try RebuiltImage(found, in: memory.image, contents: memory.contents)
        #expect(rebuilt.entry == 0x1000_1000)
        #expect(rebuilt.missing == [0x1000_2000..<0x1000_3000])
        let file = try Self.write(rebuilt, scratch)
        try Self.checkTools(file, scratch)
        #expect(try scratch.run(file, []).status == 42)
        let gdb = try scratch.gdb(file, ["x/12xb 0x10001000", "x/3i 0x10001000"])
        #expect(gdb.errors.isEmpty)
        #expect(gdb.output.contains("0xbf\t0x2a\t0x00\t0x00\t0x00\t0xb8\t0x3c\t0x00"))
        #expect(gdb.output.contains("syscall"))
        let objdump = try scratch.run(
            "/usr/bin/objdump", ["-d", "--start-address=0x10001000", file])
        #expect(objdump.output.contains("bf 2a 00 00 00"))
        #expect(objdump.output.contains("0f 05"))
    }

    @Test("of a position-independent static program run at another address")
    func staticPIE() throws {
        let scratch = try Scratch()
        let original = try scratch.compile(Self.hello, ["-static-pie"])
        var memory = SampleMemory()
        let bias: UInt64 = 0x7F12_3400_0000
        try memory.load(original, bias: bias)
        let findings = try memory.finder.findings()
        #expect(findings.images.map(\.base) == [Address(bias)])
        let rebuilt = try memory.rebuilt(at: Address(bias))
        #expect(rebuilt.bias == bias)
        #expect(rebuilt.remarks.isEmpty)
        let file = try Self.write(rebuilt, scratch)
        try Self.checkTools(file, scratch)
        #expect(try scratch.run(file, []).output == "hello 42 7 3 two\n")
        // With the addresses of the capture it is one to look at.
        let captured = try memory.rebuilt(at: Address(bias), addresses: .captured)
        #expect(captured.bias == 0)
        #expect(captured.entry == rebuilt.entry + bias)
        let second = try Self.write(captured, scratch)
        try Self.checkTools(second, scratch)
    }

    @Test("of 32 bits above 4 GiB keep no addresses that they have no room for")
    func narrowHigh() throws {
        var memory = SampleMemory()
        memory.add(0x5555_5555_4000, size: 0x1000, [.read, .execute], ELFCorpus.narrowShared)
        let linked = try memory.rebuilt(at: 0x5555_5555_4000)
        #expect(try ELFImage(linked.bytes()).segments == linked.segments)
        #expect {
            _ = try memory.rebuilt(at: 0x5555_5555_4000, addresses: .captured)
        } throws: {
            ($0 as? ELFError)?.code == .malformed
        }
    }

    @Test("of a program with libraries keep their symbols, relocations and versions, and run")
    func dynamicProgram() throws {
        let scratch = try Scratch()
        let original = try scratch.compile(Self.hello, ["-pie", "-fPIE"])
        var memory = SampleMemory()
        try memory.load(original, bias: 0x5555_5555_4000)
        let rebuilt = try memory.rebuilt(at: 0x5555_5555_4000)
        let names = Set(rebuilt.sections.map(\.name))
        for name in [
            ".interp", ".dynamic", ".dynsym", ".dynstr", ".rela.dyn", ".rela.plt", ".gnu.hash",
            ".gnu.version", ".gnu.version_r", ".init_array", ".text", ".data",
        ] {
            #expect(names.contains(name), "\(name) is not in \(names)")
        }
        let file = try Self.write(rebuilt, scratch)
        try Self.checkTools(file, scratch)
        let symbols = try scratch.run("/usr/bin/objdump", ["-T", file])
        #expect(symbols.output.contains("printf"))
        #expect(symbols.output.contains("GLIBC_2.2.5"))
        #expect(try scratch.run(file, []).output == "hello 42 7 3 two\n")
    }

    @Test("of the running test program's own libc are read by the tools")
    func ownLibrary() throws {
        let mapsFile = try #require(FileHandle(forReadingAtPath: "/proc/self/maps"))
        let maps = String(decoding: try mapsFile.readToEnd() ?? Data(), as: UTF8.self)
        let line = try #require(
            maps.split(separator: "\n").first { $0.hasSuffix("/libc.so.6") }, "\(maps)")
        let path = String(try #require(line.split(separator: " ").last))
        var memory = SampleMemory()
        let base = try #require(UInt64(line.prefix { $0 != "-" }, radix: 16))
        // As it is in this process: with relocations applied and pointers in .dynamic moved.
        for line in maps.split(separator: "\n") where line.hasSuffix(path) {
            let fields = line.split(separator: " ")
            let ends = fields[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
            guard fields[1].hasPrefix("r") else { continue }
            var protection: Protection = .read
            if fields[1].contains("w") { protection.insert(.write) }
            if fields[1].contains("x") { protection.insert(.execute) }
            let bytes = try #require(UnsafeRawPointer(bitPattern: UInt(ends[0])))
            memory.add(
                ends[0], size: ends[1] - ends[0], protection,
                Array(UnsafeRawBufferPointer(start: bytes, count: Int(ends[1] - ends[0]))))
        }
        let scratch = try Scratch()
        let rebuilt = try memory.rebuilt(at: Address(base))
        #expect(!rebuilt.remarks.contains { $0.contains("PT_DYNAMIC") }, "\(rebuilt.remarks)")
        let file = try Self.write(rebuilt, scratch)
        try Self.checkTools(file, scratch)
        let symbols = try scratch.run("/usr/bin/objdump", ["-T", file])
        #expect(symbols.output.contains(" printf"))
        #expect(rebuilt.buildID?.count == 20)
    }

    @Test("of 32-bit programs are 32-bit files", arguments: [false, true])
    func bits32(isPIE: Bool) throws {
        let scratch = try Scratch()
        let source = """
            static int call(int n, int a, const char *b, int c) {
                int r;
                __asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c) : "memory");
                return r;
            }
            void _start(void) {
                call(4, 1, "narrow\\n", 7);
                call(1, 5, 0, 0);
            }
            """
        let options = ["-m32", "-nostdlib", "-fno-stack-protector"]
        let original = try scratch.compile(
            source, options + (isPIE ? ["-pie", "-fPIE"] : ["-static", "-no-pie"]))
        let base: UInt64 = isPIE ? 0x5660_0000 : 0x0804_8000
        var memory = SampleMemory()
        try memory.load(original, bias: isPIE ? base : 0)
        let rebuilt = try memory.rebuilt(at: Address(base))
        #expect(rebuilt.sections.contains { $0.name == ".dynamic" } == isPIE)
        let file = try Self.write(rebuilt, scratch)
        try Self.checkTools(file, scratch)
        // Not every kernel runs such programs, and a PIE needs a loader that may not be here.
        let expected = try? scratch.run(scratch.path + "/compiled", [])
        if !isPIE, let expected {
            let result = try scratch.run(file, [])
            #expect(result.output == expected.output)
            #expect(result.status == expected.status)
        }
    }

    @Test("say which pages were not captured")
    func missing() throws {
        let scratch = try Scratch()
        let original = try scratch.compile(Self.hello, ["-static", "-no-pie"])
        let text = try #require(try ELFImage(original).loads.first { $0.isExecutable })
        let data = try #require(try ELFImage(original).loads.last)
        let last = (data.end - 1) & ~0xFFF
        var memory = SampleMemory()
        try memory.load(original, missing: [text.address + 0x2000, last])
        let rebuilt = try memory.rebuilt(at: 0x40_0000)
        #expect(
            rebuilt.missing == [
                Address(text.address + 0x2000)..<Address(text.address + 0x3000),
                Address(last)..<Address(data.end),
            ])
        try Self.checkTools(try Self.write(rebuilt, scratch), scratch)
    }

    @Test("of a file in a buffer are the file")
    func fileInBuffer() throws {
        let scratch = try Scratch()
        let original = try scratch.compile(Self.hello, ["-static", "-no-pie"])
        var memory = SampleMemory()
        memory.add(
            0x7000_0000, size: UInt64(original.count + 0x3000) & ~0xFFF, [.read, .write], original)
        let found = try #require(try memory.finder.findings().images.first)
        #expect(found.form == .file)
        let rebuilt = try RebuiltImage(found, in: memory.image, contents: memory.contents)
        let bytes = try rebuilt.bytes()
        #expect(bytes == Array(original.prefix(bytes.count)))
        let file = try scratch.write(bytes, "rebuilt")
        try Self.checkTools(file, scratch)
        #expect(try scratch.run(file, []).output == "hello 42 7 3 two\n")
    }

    @Test("start where they are told to, and nowhere else")
    func entry() throws {
        let scratch = try Scratch()
        let original = try scratch.compile(
            Self.bare, ["-static", "-nostdlib", "-no-pie", "-fno-stack-protector"])
        var memory = SampleMemory()
        try memory.load(original)
        #expect(try memory.rebuilt(at: 0x40_0000, entry: 0x40_1004).entry == 0x40_1004)
        #expect(throws: ELFError.self) { try memory.rebuilt(at: 0x40_0000, entry: 0x10) }
        #expect(throws: ELFError.self) { try memory.finder.image(at: 0x10) }
    }
}
