// SPDX-License-Identifier: MIT
import Foundation
import HuskTestSupport
import Testing

/// `husk verify`, on captures that `husk run` has made.
@Suite("husk verify", .needsProbes, .serialized)
struct VerifyTests {
    private func capture(
        _ temporary: TemporaryFolder, _ arguments: String..., expecting status: Int32 = 0
    ) throws -> String {
        let path = temporary.path + "/out/"
        let outcome = try Running(
            BuildProducts.husk, ["run", "-q", "-o", path] + arguments
        ).finish()
        #expect(outcome.status == status, "\(outcome.errors)")
        return path
    }

    @Test("finds a capture as it was made, and what was done to it since")
    func damaged() throws {
        let temporary = try TemporaryFolder()
        let path = try capture(temporary, "--", BuildProducts.fixture("toggle"), "5", "2")
        let sound = try husk("verify", path)
        #expect(sound.status == 0, "\(sound.output)\(sound.errors)")
        #expect(sound.output.hasPrefix("verified: "))
        #expect(sound.output.hasSuffix("; complete\n"))
        #expect(sound.outputLines.count == 1)

        let name = try #require(
            try FileManager.default.contentsOfDirectory(atPath: path)
                .first { $0.hasSuffix(".bin") })
        let file = URL(fileURLWithPath: path + name)
        let bytes = try Data(contentsOf: file)
        var changed = bytes
        changed[changed.count - 1] ^= 1
        try changed.write(to: file)
        let flipped = try husk("verify", path)
        #expect(flipped.status == 124)
        #expect(flipped.output.contains("\(name), 0x"))
        #expect(flipped.outputLines.last?.hasPrefix("NOT VERIFIED: ") == true)
        try bytes.write(to: file)
        #expect(try husk("verify", path).status == 0)

        let manifest = URL(fileURLWithPath: path + "manifest.jsonl")
        let text = try Data(contentsOf: manifest)
        try text.prefix(text.count / 2).write(to: manifest)
        let cut = try husk("verify", path)
        #expect(cut.status == 124)
        #expect(cut.output.contains("the manifest is cut off"))
        #expect(cut.outputLines.last?.hasSuffix("; cut off") == true)
    }

    @Test("ends with 122 if the capture says that something is missing")
    func incomplete() throws {
        let temporary = try TemporaryFolder()
        let path = try capture(
            temporary, "--no-stall", "--ring-size", "64K", "--",
            BuildProducts.fixture("big"), "24", expecting: 122)
        let outcome = try husk("verify", path)
        #expect(outcome.status == 122, "\(outcome.output)")
        #expect(outcome.output.contains("; INCOMPLETE: "))
        #expect(outcome.output.contains("lost (ring-full)"))
    }

    @Test("--json prints one object")
    func json() throws {
        let temporary = try TemporaryFolder()
        let path = try capture(temporary, "--rwx", "trap", "--", BuildProducts.fixture("classic"))
        let outcome = try husk("verify", "--json", path)
        #expect(outcome.status == 0, "\(outcome.output)")
        let report = try #require(
            try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
        #expect(report["verified"] as? Bool == true)
        #expect(report["complete"] as? Bool == true)
        #expect(report["pages"] as? Int == report["pages_verified"] as? Int)
        #expect((report["findings"] as? [Any])?.isEmpty == true)
    }
}
