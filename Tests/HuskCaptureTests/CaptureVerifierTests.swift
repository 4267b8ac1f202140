// SPDX-License-Identifier: MIT
import Foundation
import Glibc
import HuskModel
import HuskTestSupport
import Testing

@testable import HuskCapture

@Suite("A stored capture, checked again")
struct CaptureVerifierTests {
    @Test("is verified as it was written")
    func undamaged() throws {
        let report = try StoredCapture().verify()
        #expect(report.findings == [])
        #expect(report.isVerified)
        #expect(report.saysComplete == true)
        #expect(report.counts.pages == 4)
        #expect(report.counts.verifiedPages == 4)
        #expect(report.counts.files == 2)
        #expect(report.counts.bytes == 3 * 4096)
        #expect(report.counts.bytesRead == 3 * 4096)  // the file of two runs was read once
        #expect(report.unnamedFiles == [])
    }

    @Test("is verified although it is incomplete, if it says so")
    func incomplete() throws {
        let capture = try StoredCapture(complete: false)
        let report = try capture.verify()
        #expect(report.findings == [])
        #expect(report.saysComplete == false)
        #expect(report.unreadable == 1)
        #expect(report.losses["untold"] == 5)
        #expect(report.losses["ring-full"] == 3 + (1 << 52))
    }

    struct Damage: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var subject: VerificationReport.Finding.Subject
        var line: Int?
        var message: String
        var complete = true
        var apply: @Sendable (StoredCapture) throws -> Void

        init(
            _ name: String, _ subject: VerificationReport.Finding.Subject, line: Int?,
            _ message: String, complete: Bool = true,
            _ apply: @escaping @Sendable (StoredCapture) throws -> Void
        ) {
            testDescription = name
            self.subject = subject
            self.line = line
            self.message = message
            self.complete = complete
            self.apply = apply
        }

        /// Text on a line is replaced.
        init(
            _ old: String, _ new: String, _ subject: VerificationReport.Finding.Subject, line: Int,
            _ message: String, complete: Bool = true
        ) {
            self.init(
                "\(old) -> \(new)", subject, line: line, message, complete: complete
            ) { try $0.replace(old, by: new, on: line) }
        }
    }

    private func expect(_ damage: Damage) throws {
        let capture = try StoredCapture(complete: damage.complete)
        try damage.apply(capture)
        let report = try capture.verify()
        #expect(!report.isVerified)
        #expect(
            report.findings.contains {
                $0.subject == damage.subject && $0.line == damage.line
                    && $0.message.contains(damage.message)
            }, "\(report.findings.map(\.description))")
    }

    @Test(
        "lines that are not what they must be",
        arguments: [
            Damage("no JSON", .manifest, line: 2, "no JSON object") {
                try $0.editLines { $0[1] = "{\"type\":" }
            },
            Damage("no object", .manifest, line: 2, "no JSON object") {
                try $0.editLines { $0[1] = "[1]" }
            },
            Damage("an empty line", .manifest, line: 2, "no JSON object") {
                try $0.editLines { $0[1] = "" }
            },
            Damage("nested too deep", .manifest, line: 2, "no JSON object") {
                try $0.editLines { $0[1] = String(repeating: "[", count: 100_000) }
            },
            Damage("bytes that are no text", .manifest, line: 1, "no JSON object") {
                try $0.edit($0.manifest) { $0[0] = 0xFF }
            },
            Damage("no type", .manifest, line: 2, "no `type`") {
                try $0.editLines { $0[1] = "{}" }
            },
            Damage("no summary", .manifest, line: nil, "the capture was cut off") {
                try $0.editLines { $0.removeLast() }
            },
            Damage("nothing", .manifest, line: nil, "the capture was cut off") {
                try $0.edit($0.manifest) { $0 = Data() }
            },
            Damage("two summaries", .manifest, line: 5, "there is a summary already") {
                try $0.editLines { $0.append($0[3]) }
            },
            Damage("the summary is not the last", .manifest, line: 2, "is not the last line") {
                try $0.editLines { $0.insert($0.removeLast(), at: 0) }
            },
            Damage("the last newline is gone", .manifest, line: 4, "cut off") {
                try $0.edit($0.manifest) { $0.removeLast() }
            },
            Damage("half a line", .manifest, line: 4, "cut off") {
                try $0.edit($0.manifest) { $0.removeLast(20) }
            },
            Damage("a manifest that is a folder", .manifest, line: nil, "no regular file") {
                try $0.remove("manifest.jsonl")
                #expect(mkdir($0.manifest, 0o700) == 0)
            },
            Damage("a manifest that is a FIFO", .manifest, line: nil, "no regular file") {
                try $0.remove("manifest.jsonl")
                #expect(mkfifo($0.manifest, 0o600) == 0)
            },
            Damage("a manifest that is a link", .manifest, line: nil, "a symbolic link") {
                try $0.remove("manifest.jsonl")
                #expect(symlink("/etc/passwd", $0.manifest) == 0)
            },
            Damage("\"length\":4096", "\"length\":1e300", .manifest, line: 2, "out of range"),
            Damage(
                "\"length\":4096", "\"length\":18446744073709551616", .manifest, line: 2,
                "out of range"),
            Damage("\"captured\":1", "\"captured\":-1", .manifest, line: 2, "out of range"),
            Damage("\"length\":4096", "\"length\":\"1\"", .manifest, line: 2, "`length`"),
            Damage("\"base\":\"0x", "\"base\":\"0x+", .manifest, line: 2, "`runs.[0].base`"),
            Damage("\"sha256\":\"", "\"sha256\":\"0", .manifest, line: 2, "sha256` is not"),
        ])
    func lines(_ damage: Damage) throws { try expect(damage) }

    @Test(
        "files that are not what they must be",
        arguments: [
            Damage("one is missing", .file, line: 2, "it is missing") { try $0.remove($0.second) },
            Damage("one is longer", .file, line: 1, "it has 8193 bytes, not 8192") {
                try $0.edit($0.file($0.first)) { $0.append(0) }
            },
            Damage("one is shorter", .file, line: 1, "it has 8191 bytes, not 8192") {
                try $0.edit($0.file($0.first)) { $0.removeLast() }
            },
            Damage("a folder", .file, line: 2, "no regular file") {
                try $0.remove($0.second)
                #expect(mkdir($0.file($0.second), 0o700) == 0)
            },
            Damage("a FIFO, which no one writes to", .file, line: 2, "no regular file") {
                try $0.remove($0.second)
                #expect(mkfifo($0.file($0.second), 0o600) == 0)
            },
            Damage("a link to the right bytes", .file, line: 2, "a symbolic link") {
                let name = $0.file($0.second)
                #expect(rename(name, $0.path + "/moved") == 0)
                #expect(symlink("moved", name) == 0)
            },
            Damage(
                "\"file\":\"", "\"file\":\"../out/", .file, line: 2, "must be called a000_"),
            Damage("\"file\":\"", "\"file\":\"/etc/passwd", .file, line: 2, "must be called a000_"),
            Damage("a run without a file", .sums, line: 4, "1 pages have no file") {
                try $0.replace("\"file\":\"", by: "\"fil\":\"", on: 2)
            },
        ])
    func files(_ damage: Damage) throws { try expect(damage) }

    @Test("bytes that were changed, with their place")
    func content() throws {
        let capture = try StoredCapture()
        try capture.edit(capture.file(capture.first)) { $0[4096] ^= 1 }
        let report = try capture.verify()
        let page = try #require(report.findings.first { $0.address != nil })
        #expect(page.subject == .content)
        #expect(page.line == 1)
        #expect(page.transition == "0000000000000001")
        #expect(page.file == capture.first)
        #expect(page.address == 0x8000)
        #expect(
            page.description
                == "line 1, transition 0000000000000001, \(capture.first), 0x8000: "
                + "the page is not the one that was captured")
        #expect(report.findings.contains { $0.message.contains("not the one of the run") })
        #expect(report.counts.verifiedPages == 3)
        #expect(report.counts.files == 1)
    }

    @Test("hashes that were changed: of a page, of a run, of one that was read before")
    func hashes() throws {
        for line in [2, 3] {
            for (index, message) in ["not the one that was captured", "not the one of the run"]
                .enumerated()
            {
                let capture = try StoredCapture()
                try capture.editLines { lines in
                    // Of each run: first its pages' hashes, then its own. The end of the hash is
                    // changed, so that the file has the same name.
                    var parts = lines[line - 1].components(separatedBy: "\"sha256\":\"")
                    try #require(parts.count == 3)
                    let end = parts[index + 1].index(parts[index + 1].startIndex, offsetBy: 63)
                    let digit = parts[index + 1][end] == "0" ? "1" : "0"
                    parts[index + 1].replaceSubrange(end...end, with: digit)
                    lines[line - 1] = parts.joined(separator: "\"sha256\":\"")
                }
                let report = try capture.verify()
                #expect(
                    report.findings.contains {
                        $0.subject == .content && $0.line == line && $0.message.contains(message)
                    }, "\(report.findings.map(\.description))")
            }
        }
    }

    @Test(
        "counts that do not add up",
        arguments: [
            Damage("\"captured\":2", "\"captured\":3", .counts, line: 1, "its runs have 2 pages"),
            Damage(
                "\"captured\":2", "\"captured\":18446744073709551615", .counts, line: 1,
                "its runs have 2 pages"),
            Damage(
                "\"untouched\":0", "\"untouched\":18446744073709551615", .counts, line: 1,
                "of its 2 pages told"),
            // With an overflow, the sum would be right.
            Damage(
                "\"untouched\":0", "\"unchanged\":1,\"untouched\":18446744073709551615", .counts,
                line: 1, "of its 2 pages told"),
            Damage("\"length\":8192", "\"length\":12288", .counts, line: 1, "2 of its 3 pages"),
            Damage("\"lost\":0", "\"lost\":1", .counts, line: 1, "0 pages unreadable and 1 lost"),
            Damage("\"size\":8192", "\"size\":4096", .counts, line: 1, "cannot have 4096 bytes"),
            Damage(
                "\"base\":\"0x7000\"", "\"base\":\"0x8000\"", .counts, line: 1, "side by side"),
            Damage(
                "\"base\":\"0x7000\"", "\"base\":\"0xfffffffffffff000\"", .counts, line: 1,
                "side by side"),
            Damage(
                "\"address\":\"0x8000\"", "\"address\":\"0x9000\"", .counts, line: 1,
                "side by side"),
            Damage(
                "\"unreadable\":1", "\"unreadable\":2", .counts, line: 4,
                "its ranges have 1 pages", complete: false),
            Damage(
                "\"complete\":false", "\"complete\":true", .counts, line: 4,
                "with 1 pages unreadable", complete: false),
            Damage(
                "\"length\":4096,\"reason\"", "\"length\":4097,\"reason\"", .counts, line: 4,
                "no whole pages", complete: false),
        ])
    func counts(_ damage: Damage) throws { try expect(damage) }

    @Test("a look may say less than its region has, and no more")
    func looks() throws {
        for (length, isRight) in [(12288, true), (4096, false)] {
            let capture = try StoredCapture()
            try capture.replace("\"kind\":\"mprotect\"", by: "\"kind\":\"look\"", on: 1)
            try capture.replace("\"length\":8192", by: "\"length\":\(length)", on: 1)
            try capture.replace(
                "\"looks\":0", by: "\"looks\":1", on: -1)
            try capture.replace("\"transitions\":3", by: "\"transitions\":2", on: -1)
            #expect(try capture.verify().isVerified == isRight)
        }
    }

    @Test(
        "sums that do not add up",
        arguments: [
            ("\"pages\":4", "\"pages\":5", "says 5 pages, the lines say 4"),
            ("\"bytes\":16384", "\"bytes\":12288", "12288 bytes"),
            ("\"unreadable\":1", "\"unreadable\":0", "0 unreadable pages"),
            ("\"untold\":5", "\"untold\":256", "256 lost (untold), the lines say 5"),
            ("\"untold\":5", "\"\\u001b[31m\":5", "nothing lost (untold)"),
            ("\"untold\":5", "\"\\u001b[31m\":5", "5 lost (\\x1b[31m)"),
            ("\"complete\":false", "\"complete\":true", "the summary says complete"),
            ("\"transitions\":5", "\"transitions\":6", "6 transitions"),
            ("\"looks\":0", "\"looks\":1", "1 looks"),
            ("\"attempts\":0", "\"attempts\":1", "1 failed attempts"),
            ("\"blind_spots\":0", "\"blind_spots\":1", "1 blind spots"),
            ("\"children\":0", "\"children\":1", "1 children"),
            ("\"referenced\":0", "\"referenced\":1", "1 pages on disk"),
            ("\"type\":\"summary\"", "\"expected_pages\":1,\"type\":\"summary\"", "expects 1 page"),
            (
                "\"type\":\"summary\"",
                """
                "records":[{"cpu":1,"given":100,"missing":2}],"type":"summary"
                """, "2 record numbers are missing, 3 are told as lost"
            ),
        ] as [(String, String, String)])
    func sums(_ old: String, _ new: String, _ message: String) throws {
        let capture = try StoredCapture(complete: false)
        // Keys that this version may write already.
        try capture.editLines { lines in
            for key in ["\"expected_pages\":[0-9]+,", "\"records\":\\[[^]]*\\],"] {
                lines[lines.count - 1] = lines[lines.count - 1].replacingOccurrences(
                    of: key, with: "", options: .regularExpression)
            }
        }
        #expect(try capture.verify().isVerified)
        try capture.replace(old, by: new, on: -1)
        let report = try capture.verify()
        #expect(
            report.findings.contains { $0.subject == .sums && $0.message.contains(message) },
            "\(report.findings.map(\.description))")
    }

    @Test("a line that was taken out, or is there twice")
    func linesGone() throws {
        for line in 0..<8 {
            let taken = try StoredCapture(complete: false)
            try taken.editLines { $0.remove(at: line) }
            #expect(try !taken.verify().isVerified, "line \(line + 1) was taken out")
            let doubled = try StoredCapture(complete: false)
            try doubled.editLines { $0.insert($0[line], at: line) }
            #expect(try !doubled.verify().isVerified, "line \(line + 1) is there twice")
        }
    }

    @Test(
        "record numbers",
        arguments: [
            ([5, 6, 9, 7], nil, 10, 0, nil),
            ([5, 6, 9, 9], nil, 10, 0, "record number 9 of CPU 1 occurs twice"),
            ([5, 6, 6, 5], nil, 10, 0, "record number 5 of CPU 1 occurs twice"),
            ([5, 6, 9, 7], nil, 9, 0, "record number 9 of CPU 1 was never given: there were 9"),
            ([0, 1, 2, 3], nil, 4, 1, "4 records of CPU 1 are here, although 1 of 4"),
            ([0, 1, 2, 3], nil, 4, 5, "of the 4 record numbers of CPU 1, 5 are said"),
            // What Husk has read from outside shares the number of its record.
            (
                [5, 5, 6, 6],
                ["backing-file", "proc-mem", "process-vm-readv", "process-vm-readv"], 10, 0, nil
            ),
            (
                [5, 6, 6, 7], ["bpf-nofault", "bpf-nofault", "proc-mem", "proc-mem"], 10, 0,
                "record number 6 of CPU 1 occurs twice"
            ),
        ] as [([Int], [String]?, Int, Int, String?)])
    func recordNumbers(
        _ numbers: [Int], _ readers: [String]?, _ given: Int, _ missing: Int, _ message: String?
    ) throws {
        let capture = try StoredCapture()
        try capture.setNumbers(
            numbers, readers: readers,
            records: "[{\"cpu\":1,\"given\":\(given),\"missing\":\(missing)}]")
        let found = try capture.verify().findings.filter { $0.subject == .recordNumbers }
        if let message {
            #expect(found.contains { $0.message.contains(message) }, "\(found)")
        } else {
            #expect(found == [])
        }
    }

    @Test("record numbers of a CPU that the summary does not name, and impossible ones")
    func strangeRecordNumbers() throws {
        let unnamed = try StoredCapture()
        try unnamed.setNumbers([0, 1, 2, 3], records: "[]")
        #expect(
            try unnamed.verify().findings.map(\.message)
                == ["there are records of CPU 1, which the summary does not name"])
        let own = try StoredCapture()
        try own.setNumbers([0, 1, 2, 3], records: "[]")
        for line in 1...3 { try own.replace("\"cpu\":1,", by: "\"cpu\":4294967295,", on: line) }
        #expect(try own.verify().isVerified)  // Husk's own, which no record is behind
        let last = try StoredCapture()
        try last.setNumbers([0, 1, 2, 3], records: "[{\"cpu\":1,\"given\":4,\"missing\":0}]")
        try last.replace("\"sequence\":3", by: "\"sequence\":18446744073709551615", on: 3)
        #expect(try last.verify().findings.contains { $0.message.contains("cannot be") })
    }

    @Test("many record numbers in no order cost no more than sorting them")
    func manyRecordNumbers() throws {
        var check = RecordNumberCheck()
        let page =
            #"{"address":"0x0","sha256":"\#(Digest(of: []).hexadecimal)","cpu":0,"#
            + #""reader":"bpf-nofault","sequence":0}"#
        var record = try JSONDecoder().decode(StoredTransition.Page.self, from: Data(page.utf8))
        // Every second number, upwards and downwards in turn, and one of them twice.
        for index in 0..<20_000 as Range<UInt64> {
            record.sequence = index % 2 == 0 ? index * 2 : (40_000 - index) * 2
            check.note(record, line: Int(index) + 1)
        }
        record.sequence = 16
        check.note(record, line: 99_999)
        let (findings, count) = check.finish(records: nil)
        #expect(count == 1)
        #expect(findings.first?.message == "record number 16 of CPU 0 occurs twice")
        #expect(findings.first?.line == 99_999)
    }

    @Test("files that the manifest does not name are told, and falsify nothing")
    func unnamedFiles() throws {
        let capture = try StoredCapture()
        try capture.edit(capture.file(capture.first)) { _ in }
        #expect(FileManager.default.createFile(atPath: capture.file("b\u{1B}[1m"), contents: nil))
        #expect(FileManager.default.createFile(atPath: capture.file("a"), contents: nil))
        let report = try capture.verify()
        #expect(report.isVerified)
        #expect(report.unnamedFiles == ["a", "b\\x1b[1m"])
    }

    @Test("lines are read whole, however the portions fall, and too long ones are passed over")
    func longLines() throws {
        for size in [65535, 65536, 65537, 300_000] {
            let capture = try StoredCapture()
            let filler = "{\"type\":\"other\",\"text\":\"" + String(repeating: "x", count: size)
            try capture.editLines { $0.insert(filler + "\"}", at: 1) }
            #expect(try capture.verify().findings == [])
            var verifier = CaptureVerifier(path: capture.path)
            verifier.lineLimit = 60_000
            let report = try verifier.verify()
            #expect(
                report.findings.map(\.description) == ["line 2: the line is too long to be checked"]
            )
        }
    }

    @Test("a capture that is all wrong does not fill the memory")
    func manyFindings() throws {
        let capture = try StoredCapture()
        try capture.editLines { $0 = [String](repeating: "?", count: 5000) }
        let report = try capture.verify()
        #expect(report.findings.count == 1000)
        #expect(report.findingCount == 5001)
    }

    @Test("what is no capture cannot be checked")
    func noCapture() throws {
        let temporary = try TemporaryFolder()
        for path in ["", "/nothing", "/../no\u{0}"] {
            #expect(throws: VerificationError.self) {
                try CaptureVerifier(path: temporary.path + path).verify()
            }
        }
        let capture = try StoredCapture()
        let error = #expect(throws: VerificationError.self) {
            try CaptureVerifier(path: capture.manifest).verify()
        }
        #expect(error?.hint?.contains("husk run -o DIR/") == true)
    }
}
