// SPDX-License-Identifier: MIT
import Foundation
import HuskCapture
import HuskModel
import HuskTestSupport
import ModelSamples
import Testing

@Suite("The folder of raw files")
struct CaptureFolderTests {
    private func capture(_ id: UInt64, fill: UInt8) throws -> TransitionCapture {
        var assembler = TransitionAssembler()
        _ = assembler.take(.transition(Sample.transition(id)))
        _ = assembler.take(.page(Sample.page(id, 0x7000, fill: fill)))
        let completed = assembler.take(.transitionEnd(Sample.end(id, captured: 1)))
        return try #require(completed)
    }

    @Test("names each run by its base and its hash, writes equal ones once")
    func files() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/out"
        let folder = try CaptureFolder(path: path)
        for (id, fill) in [(1, 0), (20, 0xCC), (40, 0)] as [(UInt64, UInt8)] {
            folder.add(try capture(id, fill: fill))
        }
        folder.finish(CaptureTally(), copyMethod: nil, target: nil)
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
        folder.add(try capture(1, fill: 1))
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
