// SPDX-License-Identifier: MIT
import Foundation
import HuskCapture
import HuskModel
import HuskTestSupport
import ModelSamples
import Testing

/// Capture files that someone has changed: clear errors, nothing is run, nothing is believed.
@Suite("hostile capture files")
struct HostileCaptureTests {
    let temporary: TemporaryFolder
    let path: String

    init() throws {
        temporary = try TemporaryFolder()
        path = temporary.path + "/sample.husk"
        let writer = try CaptureFileWriter(
            path: path, replaces: false,
            run: RunDescription(huskVersion: "1", command: nil, options: [:]))
        Self.finish(writer, Sample.everyEvent, missing: 2)
    }

    private static func finish(_ writer: CaptureFileWriter, _ events: [Event], missing: UInt64) {
        var tally = CaptureTally()
        var layers = LayerTracker()
        for event in events {
            writer.add(event)
            tally.add(event)
            layers.take(event)
        }
        _ = writer.drain()
        _ = writer.finish(
            tally, layers: layers.layers,
            records: [RecordCount(cpu: 1, given: 100, missing: missing)], probes: nil,
            copyMethod: nil, target: nil)
    }

    private func change(_ sql: String) throws {
        let outcome = try Running(
            "sqlite3", [path, "PRAGMA writable_schema = ON; PRAGMA foreign_keys = OFF;" + sql]
        ).finish()
        try #require(outcome.status == 0, "\(outcome.errors)")
    }

    /// Asks everything that can be asked.
    private func readAll() throws {
        let file = try CaptureFile(path: path)
        try file.forEachEvent { _, _, content in
            if let content { _ = try file.bytes(of: content) }
            return true
        }
        try file.forEachRegion { _ in true }
        try file.forEachSnapshot { _ in true }
        try file.forEachGeneration { _ in true }
        try file.forEachTransition { _, _ in true }
        try file.forEachLoss { _ in true }
        _ = try file.layers()
        for process in file.processes { _ = try file.image(of: process.id) }
    }

    private func code(_ body: () throws -> Void) -> CaptureFileError.Code? {
        do {
            try body()
            return nil
        } catch {
            return (error as? CaptureFileError)?.code
        }
    }

    @Test("is read whole as it was made")
    func sound() throws {
        try readAll()
        #expect(try CaptureFileVerifier(path: path).verify().isVerified)
    }

    @Test(
        "a schema of someone else's is refused",
        arguments: [
            "CREATE VIEW v AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT x FROM c;",
            "CREATE TRIGGER t AFTER INSERT ON loss BEGIN SELECT load_extension('x'); END;",
            "CREATE TABLE other (a);", "CREATE VIRTUAL TABLE f USING fts5(a);",
            "DROP TABLE region; CREATE VIEW region AS SELECT 1 AS id;",
            "CREATE INDEX i ON loss(abs(length));",
        ])
    func schema(_ sql: String) throws {
        try change(sql)
        #expect(code(readAll) == .foreign)
    }

    @Test(
        "values that cannot be are failures, never traps",
        arguments: [
            "UPDATE content SET size = 107374182400;", "UPDATE content SET size = -1;",
            "UPDATE content SET sha256 = x'00';",
            "UPDATE content_bytes SET encoding = 'zstd', bytes = x'28b52ffd';",
            "UPDATE content_bytes SET encoding = 'lzma';", "DELETE FROM content_bytes;",
            "UPDATE transition SET kind = 'bogus';", "UPDATE transition SET effective = 'rwxx';",
            "UPDATE transition SET process = 99;", "UPDATE transition SET file = 99;",
            "UPDATE snapshot SET content = NULL;", "UPDATE snapshot SET size = -4096;",
            "UPDATE process SET pid = 9223372036854775807;",
            "UPDATE snapshot SET generation = -9223372036854775808, content = 99;",
            "DELETE FROM capture;", "DELETE FROM process;",
            "INSERT INTO layer SELECT 9, 1, 9, 1, 0, 0, 0, 0, 0, 'anonymous', NULL, NULL, "
                + "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL;",
        ])
    func values(_ sql: String) throws {
        try change(sql)
        let code = code(readAll)
        let report = try CaptureFileVerifier(path: path).verify()
        #expect(code == .damaged || !report.isVerified, "\(report.findings)")
        #expect(!report.isVerified)
    }

    /// Two generations of two pages, and nothing is missing.
    private static var generations: [Event] {
        var events: [Event] = []
        for (round, fills) in ([[1, 2], [1, 3], [4, 3]] as [[UInt8]]).enumerated() {
            let id = UInt64(round * 10)
            events.append(.transition(Sample.transition(id, start: 0x7000, length: 8192)))
            for (index, fill) in fills.enumerated() {
                var page = Sample.page(id, Address(0x7000 + UInt64(index) * 4096), fill: fill)
                page.number.sequence = id + UInt64(index)
                page.generation = [[0, 0], [0, 1], [1, 1]][round][index]
                events.append(.page(page))
            }
            events.append(.transitionEnd(Sample.end(id, captured: 2)))
        }
        return events
    }

    @Test(
        "what a file says is compared with all else that it says",
        arguments: [
            // A count of nothing that was not stored turned checks off.
            (
                "INSERT INTO loss_sum VALUES ('not-stored', 0); UPDATE transition SET captured = 1;",
                "pages are captured"
            ),
            ("INSERT INTO loss_sum VALUES ('not-stored', 1);", "lost (not-stored)"),
            ("INSERT INTO loss_sum VALUES ('ring-full', 7);", "lost (ring-full)"),
            ("UPDATE snapshot SET address = 0x9000 WHERE position = 2;", "outside of its"),
            ("UPDATE snapshot SET address = 0x8000 WHERE position = 2;", "there twice"),
            ("UPDATE snapshot SET address = address + 1;", "no whole page"),
            ("UPDATE snapshot SET size = 8192;", "no whole page"),
            ("UPDATE snapshot SET generation = generation + 1;", "says generation"),
            ("UPDATE snapshot SET content = 1 WHERE content = 4;", "says generation"),
            ("UPDATE snapshot SET content = 3 WHERE content = 2;", "says generation"),
            ("UPDATE snapshot SET position = 100 WHERE position = 2;", "after its end"),
            ("UPDATE snapshot SET region = NULL;", "region and process"),
            ("UPDATE snapshot SET cpu = 9;", "a CPU that has none"),
            ("UPDATE transition SET untouched = 1;", "it has 2"),
            ("UPDATE transition SET unchanged = -1;", "it has 2"),
            ("UPDATE transition SET length = 4096;", "outside of its"),
            ("UPDATE transition SET length = -4096;", "cannot be"),
            ("UPDATE transition SET start = -4096;", "cannot be"),
            ("UPDATE transition SET end_position = NULL;", "a part of its end"),
            ("UPDATE transition SET end_position = 2 WHERE position = 1;", "the position 2"),
            ("UPDATE transition SET has_pages = 0;", "should have no pages"),
            ("UPDATE transition SET id = 10;", "there are two of it"),
            ("UPDATE transition SET region = NULL;", "not of the region"),
            ("UPDATE transition SET sequence = 100 WHERE position = 1;", "was never given"),
            ("UPDATE transition SET reference_length = 4096;", "half missing"),
            ("UPDATE region SET transitions = 1;", "not what its transitions make"),
            ("UPDATE region SET start = -1;", "not what its transitions make"),
            ("UPDATE region SET length = 4096;", "not what its transitions make"),
            ("UPDATE region SET gone_ns = 5;", "not what its transitions make"),
            ("UPDATE region SET protection = 'rwx';", "not what its transitions make"),
            ("UPDATE region SET label = 'jit', label_source = 'caller';", "not what its"),
            (
                "INSERT INTO region SELECT 2, process, start, length, born_ns, gone_ns, protection, "
                    + "shared, backing, file, file_offset, label, label_source, label_detail, "
                    + "transitions FROM region;", "there are 2 regions"
            ),
            ("UPDATE layer SET length = 4096;", "the layers"),
            ("DELETE FROM layer;", "the layers"),
            ("UPDATE capture SET stored_bytes = 1;", "stored bytes"),
            ("UPDATE capture SET state = 'other';", "neither finished"),
            ("UPDATE capture SET state = 'open';", "neither finished"),
            ("UPDATE capture SET ended_ns = 1;", "neither finished"),
            ("UPDATE capture SET target_exit_code = 0, target_signal = 9;", "two ways"),
            ("UPDATE snapshot SET error = 5;", "a content or a reason"),
            ("UPDATE snapshot SET unreadable = 'fault';", "a content or a reason"),
            ("UPDATE transition SET label_detail = 'x';", "a part of a label"),
            ("UPDATE layer SET label = 'jit';", "a part of a label"),
            ("UPDATE record_count SET missing = 3;", "3 record numbers are missing"),
            ("UPDATE record_count SET missing = -1;", "than were given"),
            ("DELETE FROM record_count; INSERT INTO record_count VALUES (2, 100, 0);", "a CPU"),
            (
                "INSERT INTO content SELECT 9, x'\(String(repeating: "ab", count: 32))', 1; "
                    + "INSERT INTO content_bytes VALUES (9, 'raw', x'00');",
                "belongs to no page"
            ),
        ] as [(String, String)])
    func contradictions(_ sql: String, _ message: String) throws {
        try FileManager.default.removeItem(atPath: path)
        let writer = try CaptureFileWriter(
            path: path, replaces: false,
            run: RunDescription(huskVersion: "1", command: nil, options: [:]))
        Self.finish(writer, Self.generations, missing: 0)
        #expect(try CaptureFileVerifier(path: path).verify().findings == [])
        try change(sql)
        let findings = try CaptureFileVerifier(path: path).verify().findings
        #expect(findings.contains { $0.message.contains(message) }, "\(findings)")
    }

    @Test("processes that come from themselves")
    func lineage() throws {
        try change("UPDATE process SET parent = id, start_position = 3, started_ns = 3;")
        _ = code(readAll)
        try change("UPDATE process SET parent = 2;")
        _ = code(readAll)
    }

    @Test("a content that would expand to far more than it says is not expanded")
    func bomb() throws {
        let bomb = temporary.path + "/bomb"
        let made = try Running(
            "sh", ["-c", "head -c 1073741824 /dev/zero | zstd -q -19 --long=27 -o '\(bomb)'"]
        ).finish()
        guard made.status == 0 else { return }  // no zstd here
        try change(
            """
            UPDATE content_bytes SET encoding = 'zstd', bytes = readfile('\(bomb)');
            UPDATE content SET size = 1048576;
            """)
        #expect(code(readAll) == .damaged)
    }

    @Test("what SQLite quotes from a file is told escaped")
    func quoted() throws {
        try change(
            "UPDATE sqlite_schema SET name = 'a' || char(27) || '[2J', sql = 'CREATE TABLE ('"
                + " WHERE name = 'loss';")
        let report = try CaptureFileVerifier(path: path).verify()
        let message = try #require(report.findings.first?.message)
        #expect(message.contains(#"a\x1b[2J"#), "\(message)")
        #expect(!message.unicodeScalars.contains { $0.value < 0x20 })
    }

    @Test("a newer schema is told as what it is")
    func newer() throws {
        try change("PRAGMA user_version = 2;")
        #expect(code { _ = try CaptureFile(path: path) } == .newerSchema)
    }

    @Test("files that are something else", arguments: ["/etc/passwd", "/dev/null", "/nowhere"])
    func foreign(_ path: String) {
        let code = code { _ = try CaptureFile(path: path) }
        #expect(code == .foreign || code == .notReadable)
    }

    @Test("cut off anywhere, or with a bit changed anywhere: an error or the truth, no crash")
    func damaged() throws {
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        var generator = SplitMix(state: 42)
        for round in 0..<400 {
            var bytes = whole
            if round % 4 == 0 {
                bytes = bytes.prefix(Int(generator.next() % UInt64(whole.count)))
            } else {
                for _ in 0..<(1 << (round % 5)) {
                    let place = Int(generator.next() % UInt64(whole.count))
                    bytes[place] ^= UInt8(1 << (generator.next() % 8))
                }
            }
            try bytes.write(to: URL(fileURLWithPath: path))
            _ = code(readAll)
            _ = try? CaptureFileVerifier(path: path).verify()
        }
    }
}

/// The same numbers each time (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
/// OOPSLA 2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
