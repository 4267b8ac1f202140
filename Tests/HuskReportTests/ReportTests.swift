// SPDX-License-Identifier: MIT
import Crypto
import Foundation
import HuskCapture
import HuskModel
import HuskTestSupport
import ModelSamples
import Testing

@testable import HuskReport

@Suite("report")
struct ReportTests {
    @Test("has both generations of a page, as bytes and as instructions")
    func generations() throws {
        let capture = try SampleCapture(SampleCapture.unpacking())
        let (html, outcome) = try capture.report()
        let file = try ReportFile(html)
        #expect(outcome.pages == 2)
        #expect(outcome.held == 2)
        let region = try file.document("region/1")
        let snapshots = try #require(region["snapshots"] as? [String: Any])
        #expect(snapshots["generation"] as? [Int] == [0, 1])
        #expect(snapshots["held"] as? [Int] == [1, 1])
        let contents = try #require(snapshots["content"] as? [Int])
        let page = try file.document("page/\(contents[1])-7000")
        let bytes = try #require((page["bytes"] as? String).flatMap { Data(base64Encoded: $0) })
        #expect(bytes.count == 4096)
        #expect(bytes.prefix(4) == Data([0x48, 0x89, 0xC1, 0xC3]))
        let lines = try #require(page["lines"] as? [[Any]])
        #expect(lines[0][0] as? Int == 0)
        #expect(lines[0][1] as? Int == 3)
        #expect(lines[0][2] as? String == "mov rcx, rax")
        #expect(lines[1][2] as? String == "ret")
        let overview = try file.document("overview")
        let regions = try #require(overview["regions"] as? [[String: Any]])
        #expect(regions.count == 1)
        #expect(regions[0]["generation"] as? Int == 1)
        #expect(regions[0]["start"] as? String == "7000")
    }

    @Test("instructions begin where code was entered, whatever lies before")
    func entered() throws {
        func beginnings(_ events: [Event]) throws -> Set<Int> {
            let capture = try SampleCapture(events)
            let file = try ReportFile(try capture.report().html)
            let region = try file.document("region/1")
            let snapshots = try #require(region["snapshots"] as? [String: Any])
            let content = try #require((snapshots["content"] as? [Int])?.last)
            let lines = try #require(
                try file.document("page/\(content)-7000")["lines"] as? [[Any]])
            return Set(lines.compactMap { $0[0] as? Int })
        }
        let plain = try beginnings(SampleCapture.unpacking())
        // In the middle of what a sweep from the start takes for an instruction.
        let offset = try #require((5..<40).first { !plain.contains($0) })
        let execution = Execution(
            task: Sample.task, time: Sample.time(60), transition: Transition.ID(rawValue: 30),
            address: Address(0x7000 + UInt64(offset)), region: 0x7000..<0x8000, sequence: 0,
            registers: Registers())
        #expect(
            try beginnings(SampleCapture.unpacking() + [.execution(execution)]).contains(offset))
    }

    @Test("a budget leaves the oldest out, and says so")
    func budget() throws {
        let capture = try SampleCapture(SampleCapture.unpacking())
        let (html, outcome) = try capture.report(budget: 1)
        #expect(outcome.held == 1)
        let file = try ReportFile(html)
        let snapshots = try #require(
            try file.document("region/1")["snapshots"] as? [String: Any])
        #expect(snapshots["held"] as? [Int] == [0, 1])
        let none = try capture.report(budget: 0)
        #expect(none.outcome.held == 0)
    }

    /// What the policy allows is exactly what is in the page.
    @Test("its policy names the hash of each of its scripts and styles, and nothing of the network")
    func policy() throws {
        let (html, _) = try SampleCapture(SampleCapture.unpacking()).report()
        let head = try #require(html.range(of: "Content-Security-Policy\" content=\""))
        let policy = html[head.upperBound...].prefix { $0 != "\"" }
            .replacingOccurrences(of: "&#39;", with: "'")
        #expect(policy.hasPrefix("default-src 'none'; "))
        #expect(!policy.contains("unsafe"))
        #expect(!policy.contains("connect-src"))
        #expect(!policy.contains("http"))
        func hash(_ text: String) -> String {
            "'sha256-\(Data(SHA256.hash(data: Data(text.utf8))).base64EncodedString())'"
        }
        let scripts = ReportFile.elements("script", of: html).filter(\.id.isEmpty)
        #expect(scripts.count == 2)
        for script in scripts { #expect(policy.contains(hash(script.text))) }
        let styles = ReportFile.elements("style", of: html)
        #expect(styles.count == 1)
        for style in styles { #expect(policy.contains(hash(style.text))) }
        #expect(!html.contains(" style=\""))
        #expect(html.range(of: " on[a-z]+=\"", options: .regularExpression) == nil)
    }

    @Test("hostile text in every field stays text")
    func hostile() throws {
        let text = SampleCapture.hostile
        let escaped = TargetText(text).escaped
        let capture = try SampleCapture(
            SampleCapture.unpacking(process: text), command: [escaped, escaped],
            options: [escaped: escaped])
        // Not as `husk analyze` stores it: as one who has changed the file may have.
        var record = SampleCapture.analysis(of: text)
        record.appearances[0].entropy = 1e300
        try CaptureFile(path: capture.path).store(record)
        let (html, _) = try capture.report(try CaptureFile(path: capture.path).analysis())
        let file = try ReportFile(html)
        // Documents are in base64: what could be markup is nowhere else either.
        #expect(!html.contains("<img src=x"))
        #expect(!html.contains("\u{1B}"))
        #expect(!html.contains("\u{202E}"))
        #expect(!html.contains("</script><"))
        #expect(html.contains("&lt;img src=x onerror=&quot;"))
        // The number of script elements is that of a page without it.
        let plain = try ReportFile(
            SampleCapture(SampleCapture.unpacking()).report(SampleCapture.analysis(of: "x")).html)
        #expect(
            ReportFile.elements("script", of: html).count
                == ReportFile.elements("script", of: plain.html).count)
        let overview = try file.document("overview")
        let findings = try #require(overview["findings"] as? [[String: Any]])
        #expect(findings[0]["region"] as? Int == 1)
    }

    @Test("an empty capture, one with losses only and an unfinished one have a page that says so")
    func little() throws {
        let empty = try SampleCapture([]).report()
        #expect(empty.html.contains("Nothing became executable while it was traced."))
        #expect(try ReportFile(empty.html).documents.keys.sorted() == ["overview", "timeline"])

        let losses = try SampleCapture([
            .loss(
                Loss(
                    cause: .ringFull, time: Sample.time(1), task: Sample.task, start: 0x7000,
                    length: .max)),
            .loss(Loss(cause: .missingRecord, time: Sample.time(2), length: .max, count: .max)),
        ]).report()
        #expect(losses.html.contains("INCOMPLETE"))
        #expect(losses.html.contains("ring-full"))
        _ = try ReportFile(losses.html)

        let open = try SampleCapture(SampleCapture.unpacking(), finishing: false).report()
        #expect(open.html.contains("unfinished"))
        #expect(open.outcome.held == 2)
    }

    @Test("every kind of event, with absurd numbers, has a page")
    func everyEvent() throws {
        let capture = try SampleCapture(Sample.everyEvent)
        let file = try ReportFile(try capture.report().html)
        // JavaScript's numbers are exact up to 2^53.
        func check(_ value: Any) {
            if let number = value as? NSNumber {
                #expect(abs(number.doubleValue) <= Double(UInt64(1) << 53))
            }
            if let list = value as? [Any] { list.forEach(check) }
            if let object = value as? [String: Any] { object.values.forEach(check) }
        }
        for document in file.documents.values { check(document) }
    }

    @Test("a capture with a flipped bit in a content ends in an error, not in a wrong page")
    func flipped() throws {
        let capture = try SampleCapture(SampleCapture.unpacking())
        let outcome = try Running(
            "sqlite3",
            [
                capture.path,
                "UPDATE content_bytes SET bytes = zeroblob(length(bytes)), encoding = 'raw'",
            ]
        ).finish()
        try #require(outcome.status == 0, "\(outcome.errors)")
        let target = capture.temporary.path + "/report.html"
        let output = try OutputFile(path: target, replaces: false, of: capture.path)
        #expect(throws: CaptureFileError.self) {
            _ = try ReportWriter(try capture.documents()).write(to: output)
        }
        #expect(!FileManager.default.fileExists(atPath: target))
    }

    @Test("what is stored of an analysis is read again as it was")
    func storedAnalysis() throws {
        let capture = try SampleCapture(SampleCapture.unpacking())
        var record = SampleCapture.analysis(of: "words, and more")
        record.findings[0].techniques = [.init(id: "T1027.002", name: "")]
        record.matches[0].tags = ["a", "b"]
        record.appearances[0].entropy = 5.5
        try CaptureFile(path: capture.path).store(record)
        var read = try #require(try CaptureFile(path: capture.path).analysis())
        #expect(read.wall > 0)
        read.wall = 0
        // The thread is not stored, nor the numbers of other namespaces.
        read.findings[0].task = record.findings[0].task
        #expect(read == record)
        #expect(
            try capture.documents(read).overview().findings[0].techniques[0].name
                == "Software Packing")
    }

    @Test("moments that are too many are joined, and none is lost")
    func joined() throws {
        var events: [Event] = []
        for id in 0..<3000 as Range<UInt64> {
            var transition = Sample.transition(id + 1, pages: false)
            transition.time = Sample.time(id * 1_000_000)
            events.append(.transition(transition))
        }
        let capture = try SampleCapture(events)
        let file = try CaptureFile(path: capture.path)
        var count: UInt64 = 0
        var moments = 0
        let span = try file.forEachChartMoment(limit: 1000) {
            count += $0.count
            moments += 1
        }
        #expect(span > 0)
        #expect(moments <= 1001)
        #expect(count == 3000)
        let single = try file.forEachChartMoment(limit: 5000) { #expect($0.count == 1) }
        #expect(single == 0)
    }
}

@Suite("search in contents")
struct SearchTests {
    @Test(
        "finds text without regard to case, as ASCII and UTF-16, and bytes",
        arguments: [
            ("ONLY the", "text", 18), ("hex:48 89c1", "hex", 0), ("A string", "text", 4),
        ])
    func found(query: String, encoding: String, offset: Int) throws {
        let capture = try SampleCapture(SampleCapture.unpacking())
        let answer = try capture.documents().search(#require(SearchQuery(query)), from: 0)
        let hit = try #require(answer.hits.first { $0.generation == 1 })
        #expect(hit.encoding == encoding)
        #expect(hit.page == "7000")
        #expect(hit.offset == offset)
        #expect(hit.region == 1)
        #expect(answer.next == nil)
        #expect(answer.total == 2)
        let page: [UInt8] = Array("xxA\0b\0C\0".utf8)
        #expect(try #require(SearchQuery("abc")).places(in: page, limit: 9).map(\.offset) == [2])
    }

    @Test(
        "what cannot be searched for is no query",
        arguments: ["", "hex:", "hex:4", "hex:zz", String(repeating: "a", count: 257)])
    func refused(text: String) {
        #expect(SearchQuery(text) == nil)
    }

    @Test(
        "names of pages are read strictly",
        arguments: ["", "1", "1-", "-1-7000", "1-7000-1", "1-+7", "0-7000", "1-12345678123456781"])
    func pageNames(text: String) {
        #expect(PageName(text) == nil)
        #expect(PageName("17-7f2c0fcdd000")?.description == "17-7f2c0fcdd000")
    }
}
