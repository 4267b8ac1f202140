// SPDX-License-Identifier: MIT
import Foundation
import HuskAnalysis
import HuskCapture
import HuskModel
import HuskTestSupport
import ModelSamples
import Testing

@testable import HuskReport

/// A capture file of chosen events, as the command writes it.
struct SampleCapture {
    let temporary: TemporaryFolder
    let path: String

    /// Text that does harm wherever it is taken for markup, a script or a terminal's command.
    static let hostile =
        "</script><img src=x onerror=\"window.__husk_pwned=1\"><b>'\"&\u{202E}{{x}}\u{1B}]0;x\u{7}"

    init(
        _ events: [Event], command: [String]? = ["./sample"], layers: [Layer] = [],
        options: [String: String] = [:], finishing: Bool = true
    ) throws {
        temporary = try TemporaryFolder()
        path = temporary.path + "/sample.husk"
        let writer = try CaptureFileWriter(
            path: path, replaces: false,
            run: RunDescription(huskVersion: "1.2", command: command, options: options))
        var tally = CaptureTally()
        for event in events {
            writer.add(event)
            tally.add(event)
        }
        #expect(writer.drain() == nil)
        guard finishing else { return }
        let failure = writer.finish(
            tally, layers: layers, records: [], probes: "tracepoints", copyMethod: "task-work",
            target: TargetStatus(exitCode: 3))
        #expect(failure == nil)
    }

    /// A page of code that prints, encrypted at first: two generations of one region.
    static func unpacking(process name: String = "packer") -> [Event] {
        var code: [UInt8] = [0x48, 0x89, 0xC1, 0xC3]
        code += Array("a string that only the second generation has".utf8)
        code += [UInt8](repeating: 0x90, count: 4096 - code.count)
        var events: [Event] = [
            .programExecution(
                ProgramExecution(
                    task: Sample.task, time: Sample.time(0), name: TargetText(name),
                    backing: .anonymous))
        ]
        for (id, bytes, generation) in [
            (10, code.map { $0 ^ 0x55 }, 0), (30, code, 1),
        ] as [(UInt64, [UInt8], Int)] {
            var transition = Sample.transition(id)
            transition.threadName = TargetText(name)
            var page = Sample.page(id, 0x7000, fill: 0)
            page.generation = generation
            page.body = .content(PageContent(bytes), reader: .bpfNoFault)
            events += [
                .transition(transition), .page(page),
                .transitionEnd(Sample.end(id, captured: 1)),
            ]
        }
        return events
    }

    func documents(_ analysis: AnalysisRecord? = nil) throws -> CaptureDocuments {
        CaptureDocuments(try CaptureFile(path: path), analysis: analysis)
    }

    /// The page of `husk report`.
    func report(
        _ analysis: AnalysisRecord? = nil, budget: UInt64 = 1 << 20
    ) throws -> (html: String, outcome: ReportWriter.Outcome) {
        let target = temporary.path + "/report.html"
        let output = try OutputFile(path: target, replaces: true, of: path)
        var writer = ReportWriter(try documents(analysis))
        writer.budget = budget
        let outcome = try writer.write(to: output)
        try output.finish()
        let bytes = try Data(contentsOf: URL(fileURLWithPath: target))
        #expect(UInt64(bytes.count) == outcome.size)
        return (String(decoding: bytes, as: UTF8.self), outcome)
    }

    /// A finding and a match with text in every field.
    static func analysis(of text: String) -> AnalysisRecord {
        var record = AnalysisRecord(huskVersion: "1.2", rules: text, everything: false)
        record.findings = [
            AnalysisRecord.Finding(
                kind: text, importance: "notable",
                techniques: [.init(id: "T1027.002", name: text), .init(id: text, name: text)],
                reason: text, task: Sample.task, processName: text, time: Sample.time(11),
                start: 0x7000, length: 4096, layer: 1, entry: 0x7004,
                transitions: [.init(rawValue: 10)])
        ]
        record.matches = [
            AnalysisRecord.RuleMatch(
                region: 1, transition: .init(rawValue: 10), generation: 0, rule: text,
                namespace: text, tags: [text], metadata: [text: text],
                strings: [
                    .init(identifier: text, address: 0x7001, length: 2, data: Array(text.utf8))
                ])
        ]
        record.appearances = [
            AnalysisRecord.Appearance(
                region: 1, transition: .init(rawValue: 10), generation: 0, start: 0x7000,
                length: 4096, kind: text, entropy: .nan, reasons: [text],
                images: [
                    .init(
                        address: 0x7000, format: text, claimedSize: .max, availableSize: 1,
                        entry: nil, summary: text, importHash: (text, text))
                ])
        ]
        return record
    }
}
