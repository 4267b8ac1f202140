// SPDX-License-Identifier: MIT
import Foundation
import HuskAnalysis
import HuskModel
import Testing

/// Contents that are kept in memory.
struct KeptContents: ContentSource {
    var pages: [[UInt8]] = []

    func bytes(of content: ContentReference) throws -> [UInt8] {
        pages[Int(content.rawValue)]
    }
}

/// A process image that is put together in a test.
struct SampleMemory {
    var image = ProcessImage(
        pid: 4242, parentPID: 1, time: Timestamp(monotonic: 5, wall: 5), name: TargetText("sample"),
        regions: [])
    var contents = KeptContents()

    /// A region with bytes from its start on; what comes behind them is not in the capture.
    mutating func add(
        _ start: UInt64, size: UInt64, _ protection: Protection, _ bytes: [UInt8],
        backing: Backing = .anonymous, missingPages: Set<Int> = []
    ) {
        var pages: [ProcessImage.StoredPage] = []
        for (index, from) in stride(from: 0, to: bytes.count, by: 4096).enumerated()
        where !missingPages.contains(index) {
            var page = Array(bytes[from..<min(from + 4096, bytes.count)])
            page += Array(repeating: 0, count: 4096 - page.count)
            pages.append(
                ProcessImage.StoredPage(
                    address: Address(start + UInt64(from)), size: 4096,
                    content: ContentReference(rawValue: Int64(contents.pages.count)),
                    time: image.time, generation: 0))
            contents.pages.append(page)
        }
        image.regions.append(
            ProcessImage.Region(
                MappedRegion(
                    start: Address(start), end: Address(start + size), protection: protection,
                    backing: backing, isShared: false), pages: pages))
        image.regions.sort { $0.mapping.start < $1.mapping.start }
    }

    /// Maps the segments of a file as the kernel does, into anonymous memory.
    mutating func load(_ file: [UInt8], bias: UInt64 = 0, missing: Set<UInt64> = []) throws {
        for load in try ELFImage(file).loads {
            let start = load.address & ~0xFFF
            let end = (load.address + load.memorySize + 0xFFF) & ~0xFFF
            var bytes = [UInt8](repeating: 0, count: Int(end - start))
            let lead = load.address - start
            let from = load.offset - lead
            // Without .bss, whole pages of the file are mapped.
            let to =
                load.memorySize > load.fileSize
                ? load.offset + load.fileSize
                : min(UInt64(file.count), from + UInt64(bytes.count))
            bytes.replaceSubrange(0..<Int(to - from), with: file[Int(from)..<Int(to)])
            var protection: Protection = load.flags & 4 != 0 ? .read : []
            if load.isWritable { protection.insert(.write) }
            if load.isExecutable { protection.insert(.execute) }
            let holes = Set(
                missing.filter { start <= $0 && $0 < end }.map { Int($0 - start) / 4096 })
            add(
                start + bias, size: end - start, protection, bytes, missingPages: holes)
        }
    }

    var finder: ImageFinder { ImageFinder(image, contents: contents) }

    func rebuilt(
        at base: Address, entry: Address? = nil, addresses: RebuiltImage.Addresses = .linked
    ) throws -> RebuiltImage {
        try RebuiltImage(
            finder.image(at: base), in: image, contents: contents, entry: entry,
            addresses: addresses)
    }
}

/// A folder that is removed with its owner.
final class Scratch {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "husk-elf-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ bytes: [UInt8], _ name: String) throws -> String {
        let file = path + "/" + name
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file)
        return file
    }

    /// Compiles C; the file's bytes.
    func compile(_ source: String, _ options: [String]) throws -> [UInt8] {
        let c = try write(Array(source.utf8), "source.c")
        let output = path + "/compiled"
        let result = try run("/usr/bin/cc", options + ["-o", output, c])
        try #require(result.status == 0, "\(result.errors)")
        return Array(try Data(contentsOf: URL(fileURLWithPath: output)))
    }

    struct Result {
        var status: Int32
        var output: String
        var errors: String

        /// Neither said anything of a warning.
        var isQuiet: Bool {
            errors.isEmpty && !output.lowercased().contains("warning")
        }
    }

    func run(_ program: String, _ arguments: [String]) throws -> Result {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.environment = ["PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": path]
        // Files, because a full pipe would stop it.
        let names = (path + "/stdout", path + "/stderr")
        for name in [names.0, names.1] {
            try Data().write(to: URL(fileURLWithPath: name))
        }
        process.standardOutput = try FileHandle(
            forWritingTo: URL(fileURLWithPath: names.0))
        process.standardError = try FileHandle(
            forWritingTo: URL(fileURLWithPath: names.1))
        try process.run()
        process.waitUntilExit()
        func text(_ name: String) throws -> String {
            String(decoding: try Data(contentsOf: URL(fileURLWithPath: name)), as: UTF8.self)
        }
        return Result(
            status: process.terminationStatus, output: try text(names.0),
            errors: try text(names.1))
    }

    func gdb(_ file: String, _ commands: [String]) throws -> Result {
        let options = commands.flatMap { ["-ex", $0] }
        return try run("/usr/bin/gdb", ["-nx", "-q", "-batch"] + options + [file])
    }
}
