// SPDX-License-Identifier: MIT
import Foundation
import HuskCapture
import HuskModel
import HuskTestSupport
import ModelSamples
import Testing

/// A capture that was written as the command does it, to be damaged and checked.
///
/// Its lines: transition 1 with two pages, transitions 0x14 and 0x28 with the same page, then what
/// is missing from it (if it is incomplete), the summary.
struct StoredCapture {
    private let temporary: TemporaryFolder
    let path: String
    let first: String
    let second: String

    init(complete: Bool = true) throws {
        temporary = try TemporaryFolder()
        path = temporary.path + "/out"
        var events: [Event] = []
        for (id, start, fills) in [
            (1, 0x7000, [1, 2]), (20, 0xA000, [3]), (40, 0xA000, [3]),
        ] as [(UInt64, UInt64, [UInt8])] {
            let length = UInt64(fills.count) * 4096
            events.append(.transition(Sample.transition(id, start: Address(start), length: length)))
            for (index, fill) in fills.enumerated() {
                var page = Sample.page(id, Address(start + UInt64(index) * 4096), fill: fill)
                page.number.sequence = id + UInt64(index)
                events.append(.page(page))
            }
            events.append(.transitionEnd(Sample.end(id, captured: UInt64(fills.count))))
        }
        if !complete { events += Self.whatIsMissing }
        let folder = try CaptureFolder(path: path)
        var assembler = TransitionAssembler()
        var tally = CaptureTally()
        for event in events {
            tally.add(event)
            folder.add(event, through: &assembler)
        }
        let records = RecordCount(cpu: 1, given: 1000, missing: complete ? 0 : 3)
        folder.finish(tally, records: [records], copyMethod: nil, target: nil)
        #expect(folder.failure == nil)
        let names = try FileManager.default.contentsOfDirectory(atPath: path)
        first = try #require(names.first { $0.hasPrefix("7000_") })
        second = try #require(names.first { $0.hasPrefix("a000_") })
    }

    /// One page that could not be read, one that had ended before Husk came, and losses.
    private static var whatIsMissing: [Event] {
        var present = Sample.transition(0x50, start: 0xC000, length: 4096)
        present.kind = .present
        present.call = nil
        var gone = Sample.page(0x50, 0xC000, fill: nil)
        gone.kind = .present
        gone.body = .unreadable(.processEnded, errno: 0)
        return [
            .transition(Sample.transition(0x40, start: 0xB000, length: 4096)),
            .page(Sample.page(0x40, 0xB000, fill: nil)),
            .transitionEnd(Sample.end(0x40, captured: 0, unreadable: 1)),
            .transition(present), .page(gone),
            .transitionEnd(Sample.end(0x50, captured: 0, unreadable: 1)),
            .loss(
                Loss(
                    cause: .ringFull, time: Sample.time(0), task: Sample.task, start: 0xD000,
                    length: 8193)),
            .loss(
                Loss(
                    cause: .untold, time: Sample.time(0), task: Sample.task, start: 0xD000,
                    length: 1 << 20, count: 5)),
            .loss(Loss(cause: .ringFull, time: Sample.time(0), length: .max)),
            .loss(Loss(cause: .missingRecord, time: Sample.time(0), count: 3)),
        ]
    }

    var manifest: String { path + "/manifest.jsonl" }

    func file(_ name: String) -> String { path + "/" + name }

    func verify() throws -> VerificationReport {
        try CaptureVerifier(path: path).verify()
    }

    // MARK: Damage

    /// Replaces text on a line (from 1 on; -1 is the last one). It must be there.
    func replace(_ old: String, by new: String, on line: Int) throws {
        try editLines { lines in
            let index = line < 0 ? lines.count + line : line - 1
            try #require(lines[index].contains(old), "\(lines[index])")
            lines[index] = lines[index].replacingOccurrences(of: old, with: new)
        }
    }

    func editLines(_ edit: (inout [String]) throws -> Void) throws {
        let text = try String(contentsOfFile: manifest, encoding: .utf8)
        var lines = text.split(separator: "\n").map(String.init)
        try edit(&lines)
        try write(Data((lines.joined(separator: "\n") + "\n").utf8), to: manifest)
    }

    func edit(_ path: String, _ edit: (inout Data) -> Void) throws {
        var data = try Data(contentsOf: URL(fileURLWithPath: path))
        edit(&data)
        try write(data, to: path)
    }

    private func write(_ data: Data, to path: String) throws {
        try data.write(to: URL(fileURLWithPath: path))
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: file(name))
    }

    /// Gives each page the number of its record, and the summary what was given, whether this
    /// version writes them or not.
    func setNumbers(_ numbers: [Int], readers: [String]? = nil, records: String) throws {
        try editLines { lines in
            var next = 0
            for (index, line) in lines.enumerated() {
                var record = try #require(
                    try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
                if var runs = record["runs"] as? [[String: Any]] {
                    for run in runs.indices {
                        var pages = try #require(runs[run]["pages"] as? [[String: Any]])
                        for page in pages.indices {
                            pages[page]["cpu"] = 1
                            pages[page]["sequence"] = numbers[next]
                            if let readers { pages[page]["reader"] = readers[next] }
                            next += 1
                        }
                        runs[run]["pages"] = pages
                    }
                    record["runs"] = runs
                }
                if record["type"] as? String == "summary" {
                    record["records"] = try JSONSerialization.jsonObject(with: Data(records.utf8))
                }
                lines[index] = String(
                    decoding: try JSONSerialization.data(
                        withJSONObject: record, options: [.sortedKeys]), as: UTF8.self)
            }
        }
    }
}
