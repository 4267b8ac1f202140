// SPDX-License-Identifier: MIT
import Foundation
import GRDB
import HuskAnalysis
import HuskCapture
import HuskModel
import HuskReport
import ModelSamples

extension FuzzEntry {
    /// A capture file whose bytes were changed. A byte says what is asked of it; then come changes:
    /// a page, a place in it and the bytes that are written there, or a cut.
    static let database = FuzzEntry(name: "database", largestInput: 512) { bytes in
        var input = InputBytes(bytes)
        let questions = input.byte()
        var file = try CaptureFixture.bytes.get()
        while !input.isEmpty {
            let choice = input.byte()
            let page = Int(input.byte()) | Int(choice >> 6 & 1) << 8
            let offset = (page * CaptureFixture.pageSize + Int(input.number(2)) % 4096) % file.count
            if choice == 0xFF {
                file.removeLast(file.count - max(100, offset))
                continue
            }
            let new = input.bytes(1 + Int(choice & 15))
            for (index, byte) in new.enumerated() where offset + index < file.count {
                file[offset + index] = byte
            }
        }
        let path = try ScratchFolder.shared.get().path + "/changed.husk"
        try Data(file).write(to: URL(fileURLWithPath: path))
        try CaptureFixture.ask(questions, of: path)
    }

    /// A capture file that is sound for SQLite, with other values in its rows. A byte says what is
    /// asked of it, the rest which cells get what.
    static let rows = FuzzEntry(name: "rows", largestInput: 512) { bytes in
        var input = InputBytes(bytes)
        let questions = input.byte()
        let path = try ScratchFolder.shared.get().path + "/rows.husk"
        try Data(CaptureFixture.bytes.get()).write(to: URL(fileURLWithPath: path))
        let columns = try CaptureFixture.columns.get()
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF")
            while !input.isEmpty {
                let place = Int(input.number(2))
                let choice = input.byte()
                let (table, column) = columns[place % columns.count]
                // Those that the schema does not allow are refused here.
                try? db.execute(
                    sql: """
                        UPDATE "\(table)" SET "\(column)" = ? WHERE rowid = (
                          SELECT rowid FROM "\(table)" LIMIT 1 OFFSET ?)
                        """, arguments: [value(choice, &input), Int(choice >> 4)])
            }
        }
        try queue.close()
        try CaptureFixture.ask(questions, of: path)
    }

    private static func value(_ choice: UInt8, _ input: inout InputBytes) -> DatabaseValue {
        let boundaries: [Int64] = [
            0, 1, -1, 4095, 4096, 1 << 31, 1 << 32, 1 << 47, 1 << 62, .max, .min, .max - 4095,
            1_000_000_000, 255, 65536, -4096,
        ]
        switch choice & 7 {
        case 0, 1: return Int64(bitPattern: input.number(8)).databaseValue
        case 2: return boundaries[Int(input.byte() & 15)].databaseValue
        case 3: return Int64(input.byte()).databaseValue
        case 4: return .null
        case 5:
            return String(decoding: input.bytes(Int(input.byte() & 63)), as: UTF8.self)
                .databaseValue
        case 6: return Data(input.bytes(Int(input.byte() & 63))).databaseValue
        default:
            let words = [
                "rwx", "r-x", "---", "anonymous", "file", "memfd", "mprotect", "execve", "look",
                "present", "write", "zstd", "raw", "complete", "jit", "own-call",
            ]
            return words[Int(input.byte() & 15)].databaseValue
        }
    }

    /// What a browser asks `husk view` for: a path behind the token, and a query.
    static let requests = FuzzEntry(name: "requests", largestInput: 1024) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var query: [String: String] = [:]
        for pair in (parts.count > 1 ? parts[1] : "").split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            query[String(sides[0])] = sides.count > 1 ? String(sides[1]) : ""
        }
        guard let request = PageRequest(path: parts[0], query: query) else { return }
        let documents = CaptureDocuments(
            try CaptureFile(path: CaptureFixture.path.get()), analysis: nil)
        do {
            guard let answer = try documents.answer(request) else { return }
            try hold(answer.body.count < 4 << 20, "an answer of \(answer.body.count) bytes")
            guard answer.kind == .json else { return }
            _ = try JSONSerialization.jsonObject(
                with: Data(answer.body), options: .fragmentsAllowed)
        } catch let error as ReportError {
            try holdPlain(error.message, "an error")
        }
    }
}

/// A small capture with one event of each kind, and what can be asked of one.
private enum CaptureFixture {
    /// Small pages, so that it is small: those of real ones have 64 KiB.
    static let pageSize = 1024

    static let path = Result {
        let path = try ScratchFolder.shared.get().path + "/sample.husk"
        let writer = try CaptureFileWriter(
            path: path, replaces: true,
            run: RunDescription(huskVersion: "1", command: ["./sample"], options: [:]))
        var tally = CaptureTally()
        for event in Sample.everyEvent {
            writer.add(event)
            tally.add(event)
        }
        _ = writer.drain()
        _ = writer.finish(
            tally, layers: [], records: [], probes: nil, copyMethod: nil, target: nil)
        let queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction { db in
            try db.execute(
                sql: """
                    PRAGMA journal_mode = DELETE; PRAGMA page_size = \(pageSize); VACUUM;
                    UPDATE capture SET uuid = '00000000-0000-4000-8000-000000000000',
                      host = 'host', kernel = '6.18', cpus = 2;
                    """)
        }
        try queue.close()
        return path
    }

    static let bytes = Result {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path.get())))
    }

    static let columns = Result {
        let queue = try DatabaseQueue(path: path.get())
        return try queue.read { db in
            let tables = try String.fetchAll(
                db, sql: "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            return try tables.flatMap { table in
                try db.columns(in: table).map { (table: table, column: $0.name) }
            }
        }
    }

    /// Each question by itself: what stops one says nothing about the others. A quarter of them at
    /// a time, because all take a tenth of a second.
    static func ask(_ questions: UInt8, of path: String) throws {
        guard questions & 3 != 0 else {
            if let report = try? CaptureFileVerifier(path: path).verify() {
                try FuzzEntry.check(report)
            }
            return
        }
        guard let file = try? CaptureFile(path: path) else { return }
        switch questions & 3 {
        case 1: askForEvents(file)
        case 2: askForImages(file)
        default:
            attempt { _ = try CaptureAnalysis(file, rules: nil).run(version: "1", rulesName: nil) }
            let documents = CaptureDocuments(file, analysis: nil)
            for request: PageRequest in [.overview, .timeline, .region(1), .status] {
                attempt { _ = try documents.answer(request) }
            }
        }
    }

    private static func askForEvents(_ file: CaptureFile) {
        attempt {
            try file.forEachEvent { _, event, content in
                if let content { _ = try file.bytes(of: content) }
                _ = JSONLines().line(event)
                return true
            }
        }
        attempt { try file.forEachRegion { _ in true } }
        attempt { try file.forEachSnapshot { _ in true } }
        attempt { try file.forEachGeneration { _ in true } }
        attempt { try file.forEachTransition { _, _ in true } }
        attempt { try file.forEachLoss { _ in true } }
        attempt { try file.forEachBlindSpot { _ in true } }
        attempt { _ = try file.layers() }
        attempt { try LineExport(file).write { _ in true } }
        attempt { try OCSFExport(file).write { _ in true } }
        attempt { try ECSExport(file).write { _ in true } }
    }

    private static func askForImages(_ file: CaptureFile) {
        for process in file.processes {
            attempt { try PerfMap(file, of: process).forEachLine { _ in } }
            attempt {
                let image = try file.image(of: process.id)
                let findings = try ImageFinder(image, contents: file).findings()
                for found in findings.images {
                    _ = try RebuiltImage(found, in: image, contents: file)
                }
                let core = try CoreFile(image, contents: file)
                if core.summary.size < 4 << 20 { try core.write { _ in } }
            }
        }
    }

    /// What is wrong with a capture is told as an error.
    private static func attempt(_ body: () throws -> Void) {
        do { try body() } catch {}
    }
}
