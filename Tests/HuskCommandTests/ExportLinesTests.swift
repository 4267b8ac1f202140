// SPDX-License-Identifier: MIT
import Foundation
import HuskTestSupport
import Testing

/// `husk export json|ocsf|ecs`, on captures that `husk run` has made.
@Suite("husk export of lines", .needsProbes, .serialized)
struct ExportLinesTests {
    @Test("json has each snapshot with the hash, time, reader and generation of the capture")
    func json() throws {
        let capture = try ExportedCapture([], [BuildProducts.fixture("toggle"), "5", "2"])
        let outcome = try husk("export", "json", capture.path)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let lines = try ExportedCapture.objects(outcome.output)
        var told: [String] = []
        for line in lines {
            for run in line["runs"] as? [[String: Any]] ?? [] {
                for page in run["pages"] as? [[String: Any]] ?? [] {
                    told.append(
                        "\(page["sha256"] ?? "")|\(page["time_ns"] ?? "")|"
                            + "\(page["reader"] ?? "")|\(page["generation"] ?? "")")
                }
            }
        }
        let stored = try capture.ask(
            """
            SELECT lower(hex(c.sha256)) || '|' || s.time_ns || '|' || s.reader || '|' || \
            s.generation FROM snapshot s JOIN content c ON c.id = s.content
            """)
        #expect(!stored.isEmpty)
        #expect(told.sorted() == stored.sorted())
        let summary = try #require(lines.last)
        #expect(summary["type"] as? String == "summary")
        #expect(summary["pages"] as? Int == stored.count)
        #expect(summary["complete"] as? Bool == true)
        #expect((summary["target"] as? [String: Any])?["exit_code"] as? Int == 0)
    }

    @Test("a file is written whole, refused if it exists, and replaced with --force")
    func output() throws {
        let capture = try ExportedCapture([], [BuildProducts.fixture("classic")])
        let path = capture.place("lines.jsonl")
        for format in ["json", "ocsf", "ecs"] {
            #expect(try husk("export", format, capture.path, "-o", path, "--force").status == 0)
            let printed = try husk("export", format, capture.path).output
            #expect(try String(contentsOfFile: path, encoding: .utf8) == printed)
            #expect(try husk("export", format, capture.path, "-o", path).status == 123)
        }
        let link = capture.place("link")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
        #expect(try husk("export", "json", capture.path, "-o", link, "--force").status == 123)
    }

    @Test("a reader who leaves ends the export quietly")
    func closedPipe() throws {
        let capture = try ExportedCapture([], [BuildProducts.fixture("toggle"), "20", "8"])
        let outcome = try Running(
            "/bin/bash",
            [
                "-c", "\"$0\" export json \"$1\" | head -c 1 >/dev/null; echo ${PIPESTATUS[0]}",
                BuildProducts.husk, capture.path,
            ]
        ).finish()
        #expect(outcome.output == "0\n")
        #expect(outcome.errors.isEmpty)
    }

    @Test("ocsf has what Memory Activity requires, of the types that it requires")
    func ocsf() throws {
        let capture = try ExportedCapture(
            ["--rwx", "trap"], [BuildProducts.fixture("toggle"), "2", "2"])
        let outcome = try husk("export", "ocsf", capture.path)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let events = try ExportedCapture.objects(outcome.output)
        #expect(events.contains { $0["activity_name"] as? String == "Modify Page" })
        for event in events { OCSFCheck.check(event) }

        let entered = try ExportedCapture(
            ["--rwx", "trap"], [BuildProducts.fixture("rewrite")], status: 7)
        let others = try ExportedCapture.objects(husk("export", "ocsf", entered.path).output)
        #expect(others.filter { $0["activity_name"] as? String == "Execute" }.count == 1)
        for event in others { OCSFCheck.check(event) }
    }

    @Test("a failed call is a failure in ocsf and in ecs")
    func attempts() throws {
        let capture = try ExportedCapture([], [BuildProducts.fixture("attempts")])
        let failed = try capture.ask(
            "SELECT count(*) FROM transition WHERE result BETWEEN -4095 AND -1")
        #expect(failed != ["0"])
        let ocsf = try ExportedCapture.objects(husk("export", "ocsf", capture.path).output)
        #expect(["\(ocsf.filter { $0["status_id"] as? Int == 2 }.count)"] == failed)
        for event in ocsf { OCSFCheck.check(event) }
        let ecs = try ExportedCapture.objects(husk("export", "ecs", capture.path).output)
        let failures = ecs.filter {
            ($0["event"] as? [String: Any])?["outcome"] as? String == "failure"
        }
        #expect(["\(failures.count)"] == failed)
    }

    @Test("what is lost is told in every format")
    func losses() throws {
        let capture = try ExportedCapture([], [BuildProducts.fixture("classic")])
        try capture.edit(
            """
            INSERT INTO loss (position, cause, time_ns, length, count) \
            SELECT max(end_position) + 1000000, 'missing-record', max(time_ns), 0, 3 FROM transition
            """)
        let json = try ExportedCapture.objects(husk("export", "json", capture.path).output)
        #expect(json.contains { $0["type"] as? String == "loss" })
        #expect(json.last?["complete"] as? Bool == false)
        let ocsf = try ExportedCapture.objects(husk("export", "ocsf", capture.path).output)
        #expect(ocsf.filter { $0["class_uid"] as? Int == 0 }.count == 1)
        for event in ocsf { OCSFCheck.check(event) }
        let ecs = try ExportedCapture.objects(husk("export", "ecs", capture.path).output)
        #expect(
            ecs.contains { ($0["event"] as? [String: Any])?["action"] as? String == "loss" })
    }

    @Test("ecs has its base fields, the hashes of all runs, and escaped names")
    func ecs() throws {
        let capture = try ExportedCapture([], [BuildProducts.fixture("classic")])
        try capture.makeNamesHostile()
        let outcome = try husk("export", "ecs", capture.path)
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output.contains(#"\\x0a!touch PWNED"#))
        let truth = try #require(Truth.read(capture.output).first)
        var hashes: Set<String> = []
        for document in try ExportedCapture.objects(outcome.output) {
            let time = try #require(document["@timestamp"] as? String)
            #expect(
                time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z/) != nil, "\(time)")
            #expect((document["ecs"] as? [String: Any])?["version"] as? String == "8.11.0")
            let event = try #require(document["event"] as? [String: Any])
            #expect(event["kind"] as? String == "event")
            #expect(event["category"] as? [String] == ["process"])
            let types = try #require(event["type"] as? [String])
            #expect(Set(types).isSubset(of: ["access", "change", "end", "info", "start"]))
            #expect(["success", "failure"].contains(event["outcome"] as? String))
            #expect(document["husk"] is [String: Any])
            #expect((document["process"] as? [String: Any])?["pid"] is Int)
            hashes.formUnion((document["related"] as? [String: Any])?["hash"] as? [String] ?? [])
        }
        #expect(hashes.contains(truth.sha256))
    }

    @Test("what is no capture is refused", arguments: ["json", "ocsf", "ecs", "perf-map"])
    func foreign(_ format: String) throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/text"
        try Data("no capture".utf8).write(to: URL(fileURLWithPath: path))
        let output = temporary.path + "/out"
        let outcome = try husk("export", format, path, "-o", output)
        #expect(outcome.status == 119)
        #expect(outcome.errors.contains("no capture file"))
        #expect(!FileManager.default.fileExists(atPath: output))
    }
}

/// The facts of the schema (OCSF 1.0.0), as far as Husk's events have to do with them.
private enum OCSFCheck {
    static func check(_ event: [String: Any]) {
        let isBase = event["class_uid"] as? Int == 0
        let category = isBase ? 0 : 1
        let classUID = isBase ? 0 : 1004
        #expect(event["class_uid"] as? Int == classUID)
        #expect(event["category_uid"] as? Int == category)
        let activity = event["activity_id"] as? Int ?? -1
        #expect((isBase ? [0, 99] : Array(0...8) + [99]).contains(activity))
        #expect(event["type_uid"] as? Int == classUID * 100 + activity)
        #expect((0...6).contains(event["severity_id"] as? Int ?? -1))
        // Milliseconds: between 2020 and 2100.
        #expect((1_577_836_800_000...4_102_444_800_000).contains(event["time"] as? Int ?? 0))
        let metadata = event["metadata"] as? [String: Any] ?? [:]
        #expect(metadata["version"] as? String == "1.0.0")
        #expect(metadata["sequence"] is Int)
        let product = metadata["product"] as? [String: Any] ?? [:]
        for key in ["name", "vendor_name", "version"] { #expect(product[key] is String) }
        #expect(event["unmapped"] is [String: Any])
        guard !isBase else { return }
        let device = event["device"] as? [String: Any] ?? [:]
        #expect(device["type_id"] is Int)
        #expect(device["hostname"] is String)
        let system = device["os"] as? [String: Any] ?? [:]
        #expect(system["name"] is String)
        #expect(system["type_id"] as? Int == 200)
        let actor = (event["actor"] as? [String: Any])?["process"] as? [String: Any]
        for process in [actor, event["process"] as? [String: Any]] {
            #expect(process?["pid"] is Int)
            #expect(process?["uid"] is String)
        }
        #expect(event["base_address"] is String)
        #expect(event["size"] is Int)
        for key in ["requested_permissions", "actual_permissions"] where event[key] != nil {
            #expect(event[key] is Int)
        }
        if let status = event["status_id"] { #expect([0, 1, 2, 99].contains(status as? Int)) }
    }
}
