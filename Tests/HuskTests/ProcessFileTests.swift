// SPDX-License-Identifier: MIT
import Foundation
import Glibc
import Husk
import Testing

@testable import Husk

/// Files that the kernel, or a target, writes for others to read.
@Suite("Process files")
struct ProcessFileTests {
    private func region(_ line: String) -> MappedRegion? {
        MemoryMaps.region(from: Array(line.utf8))
    }

    @Test("lines of /proc/PID/maps")
    func maps() throws {
        let library = try #require(
            region("7f42b855e000-7f42b86b4000 r-xp 00026000 fe:00 1234      /usr/lib/libc.so.6"))
        #expect(library.protection == [.read, .execute])
        #expect(!library.isShared)
        #expect(library.backing.fileOffset == 0x26000)
        #expect(library.backing.file?.deviceMajor == 0xFE)
        #expect(library.backing.file?.path == TargetText("/usr/lib/libc.so.6"))
        #expect(library.backing.file?.linkCount == 1)

        let memory = try #require(
            region("7f0000000000-7f0000001000 rw-s 00000000 00:01 77   /memfd:a\\012b (deleted)"))
        #expect(memory.backing.kind == "memfd")
        #expect(memory.backing.file?.name == TargetText("memfd:a\nb"))
        #expect(region("7ffd0000-7ffe0000 rwxp 00000000 00:00 0   [stack]")?.backing == .stack)
        #expect(region("1000-2000 r-xp 00000000 00:00 0 ")?.backing == .anonymous)
        let gone = region("1000-2000 r-xp 00000000 08:01 9   /tmp/x (deleted)")
        #expect(gone?.backing.file?.linkCount == 0)
        #expect(gone?.backing.file?.path == TargetText("/tmp/x"))
    }

    @Test(
        "lines that are none are passed over",
        arguments: [
            "", "x", "1000-2000", "2000-1000 r-xp 0 0:0 0", "zz-zz r-xp 0 0:0 0",
            "1000-2000 r-x 0 0:0 0", "1000-2000 r-xp 0 00 0", "1000-2000 r-xp 0 0:0 x",
            "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]",
        ])
    func malformed(_ line: String) {
        #expect(region(line) == nil)
    }

    @Test("a perf map says which regions a JIT has filled; nonsense in it does no harm")
    func perfMap() throws {
        // A number that no process has (proc_sys_kernel(5): at most 2^22).
        let pid: Int32 = 4_194_400
        let path = "/tmp/perf-\(pid).map"
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(PerfMap(of: pid, isAlive: false) == nil)
        try Data(
            "1000 20 LazyCompile:~\u{1B}[31m\n2000 0 x\nzz\nffffffffffffffff ff y\n1ff0 20 z\n".utf8
        ).write(to: URL(fileURLWithPath: path))
        let map = try #require(PerfMap(of: pid, isAlive: false))
        func count(_ start: UInt64, _ end: UInt64) -> Int {
            map.symbolCount(in: Address(start)..<Address(end))
        }
        #expect(count(0x1000, 0x2000) == 2)
        #expect(count(0x2000, 0x3000) == 1)
        #expect(count(0x3000, 0x4000) == 0)
    }

    @Test("a file is referenced by its hash only if it has not changed since it was mapped")
    func references() throws {
        let path = NSTemporaryDirectory() + "husk-reference-\(getpid())"
        defer { unlink(path) }
        let bytes = [UInt8](repeating: 0xC3, count: 10_000)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        var status = stat()
        #expect(stat(path, &status) == 0)
        let device = UInt64(status.st_dev)
        let file = FileIdentity(
            deviceMajor: UInt32(device >> 8 & 0xFFF), deviceMinor: UInt32(device & 0xFF),
            inode: UInt64(status.st_ino), linkCount: 1, name: TargetText("reference"),
            path: TargetText(path))
        func reference(afterChange seconds: Double) -> FileReference? {
            let changed =
                UInt64(status.st_ctim.tv_sec) * 1_000_000_000 + UInt64(status.st_ctim.tv_nsec)
            let time = UInt64(Double(changed) + seconds * 1e9)
            return BackingFileReader().reference(
                to: file, at: 4096, length: 8192, mappedAt: Timestamp(monotonic: 0, wall: time))
        }
        let known = try #require(reference(afterChange: 1))
        #expect(known.length == 10_000 - 4096)
        #expect(known.digest == Digest(of: Array(bytes[4096...])))
        #expect(reference(afterChange: -1) == nil)
        #expect(reference(afterChange: 0) == nil)
    }

    @Test("a perf map that is a FIFO is not waited for")
    func fifo() {
        let pid: Int32 = 4_194_401
        let path = "/tmp/perf-\(pid).map"
        defer { unlink(path) }
        #expect(mkfifo(path, 0o600) == 0)
        #expect(PerfMap(of: pid, isAlive: false) == nil)
    }
}
