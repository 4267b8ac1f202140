// SPDX-License-Identifier: MIT
import Foundation
import Testing

/// What the fuzzers have found worth keeping (Fuzz/Corpus), through the same functions: also what
/// once made them fail.
@Suite("kept corpus of the fuzzers", .serialized)
struct FuzzCorpusTests {
    private static let corpus = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fuzz/Corpus")

    @Test("each entry has a corpus, each corpus an entry")
    func folders() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.corpus.path)
        #expect(names.sorted() == FuzzEntry.all.map(\.name).sorted())
    }

    @Test("holds what it promises", arguments: FuzzEntry.all.map(\.name))
    func replay(name: String) throws {
        let entry = try #require(FuzzEntry.named(name))
        let folder = Self.corpus.appending(path: name).path
        let inputs = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        // A folder that has been emptied would pass.
        #expect(inputs.count >= 5, "\(folder) has \(inputs.count) inputs")
        for input in inputs {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: folder + "/" + input))
            #expect(throws: Never.self, "\(folder)/\(input)") { try entry.run([UInt8](bytes)) }
        }
        print("corpus: \(inputs.count) inputs of \(name)")
    }

    /// A fuzzer whose promises cannot be broken would find nothing, either.
    @Test("a broken promise is told")
    func promises() {
        #expect(throws: BrokenPromise.self) { try holdPlain("\u{1B}[2J", "a text") }
        #expect(throws: BrokenPromise.self) { try holdPlain("a\u{202E}b", "a text") }
        #expect(throws: BrokenPromise.self) { try hold(false, "it does not hold") }
        #expect(throws: Never.self) { try holdPlain("caf\u{E9} \u{65E5}\u{672C}", "a text") }
    }
}
