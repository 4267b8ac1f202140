// SPDX-License-Identifier: MIT
import Foundation
import HuskCapture
import HuskModel
import HuskTestSupport
import ModelSamples
import Testing

@Suite("The folder of raw files")
struct CaptureFolderTests {
    /// A transition with one page.
    private func add(_ id: UInt64, fill: UInt8, to folder: CaptureFolder) {
        var assembler = TransitionAssembler()
        folder.add(.transition(Sample.transition(id)), through: &assembler)
        folder.add(.page(Sample.page(id, 0x7000, fill: fill)), through: &assembler)
        folder.add(.transitionEnd(Sample.end(id, captured: 1)), through: &assembler)
    }

    @Test("names each run by its base and its hash, writes equal ones once")
    func files() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/out"
        let folder = try CaptureFolder(path: path)
        for (id, fill) in [(1, 0), (20, 0xCC), (40, 0)] as [(UInt64, UInt8)] {
            add(id, fill: fill, to: folder)
        }
        folder.finish(CaptureTally(), records: [], copyMethod: nil, target: nil)
        #expect(folder.failure == nil)
        let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        #expect(names.count == 3)
        #expect(names.contains("7000_ad7facb2586fc6e9.bin"))
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path + "/7000_ad7facb2586fc6e9.bin"))
        #expect(bytes == Data(count: 4096))
        let manifest = try String(contentsOfFile: path + "/manifest.jsonl", encoding: .utf8)
        let lines = manifest.split(separator: "\n")
        #expect(lines.count == 4)
        #expect(lines[0].contains("7000_ad7facb2586fc6e9.bin"))
        #expect(lines[2].contains("7000_ad7facb2586fc6e9.bin"))
        #expect(lines[3].contains(#""type":"summary""#))
    }

    @Test("is readable for its owner only")
    func modes() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/out"
        let folder = try CaptureFolder(path: path)
        add(1, fill: 1, to: folder)
        for name in try FileManager.default.contentsOfDirectory(atPath: path) + ["."] {
            let attributes = try FileManager.default.attributesOfItem(atPath: path + "/" + name)
            let mode = try #require(attributes[.posixPermissions] as? Int)
            #expect(mode & 0o077 == 0, "\(name) has mode \(String(mode, radix: 8))")
        }
    }

    @Test("does not mix captures, does not follow a link, needs a parent")
    func refusals() throws {
        let temporary = try TemporaryFolder()
        try Data().write(to: URL(fileURLWithPath: temporary.path + "/something"))
        #expect(throws: OutputError.self) { try CaptureFolder(path: temporary.path) }
        #expect(throws: OutputError.self) { try CaptureFolder(path: temporary.path + "/a/b") }
        #expect(throws: OutputError.self) { try CaptureFolder(path: temporary.path + "/something") }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: temporary.path) == ["something"])
    }
}
