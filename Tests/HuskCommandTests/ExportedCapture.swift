// SPDX-License-Identifier: MIT
import Foundation
import HuskTestSupport
import Testing

/// A capture file of a real trace, to be exported and edited.
struct ExportedCapture {
    let temporary: TemporaryFolder
    var path: String { temporary.path + "/sample.husk" }
    /// What the target has printed.
    let output: String

    init(_ options: [String] = [], _ command: [String], status: Int32 = 0) throws {
        temporary = try TemporaryFolder()
        let outcome = try Running(
            BuildProducts.husk,
            ["run", "-q", "-o", temporary.path + "/sample.husk"] + options + ["--"] + command
        ).finish()
        output = outcome.output
        try #require(outcome.status == status, "\(outcome.errors)")
    }

    func place(_ name: String) -> String { temporary.path + "/" + name }

    /// Someone has changed the file.
    func edit(_ sql: String) throws {
        let outcome = try Running("/usr/bin/sqlite3", [path, sql]).finish()
        try #require(outcome.status == 0, "\(outcome.errors)")
    }

    func ask(_ sql: String) throws -> [String] {
        let outcome = try Running("/usr/bin/sqlite3", ["-readonly", path, sql]).finish()
        try #require(outcome.status == 0, "\(outcome.errors)")
        return outcome.outputLines
    }

    /// Gives every name that a target can choose a form that no script should take as its own.
    func makeNamesHostile() throws {
        try edit(
            """
            UPDATE file SET name = CAST(x'0a21746f7563682050574e4544273b22' AS TEXT), \
            path = CAST(x'2f0a21746f7563682050574e4544273b22' AS TEXT); \
            UPDATE program SET name = CAST(x'0a21746f7563682050574e4544273b22' AS TEXT); \
            UPDATE process SET name = CAST(x'0a21746f7563682050574e4544273b22' AS TEXT); \
            UPDATE region SET label = 'jit', label_source = 'caller', \
            label_detail = CAST(x'0a21746f7563682050574e4544273b22' AS TEXT);
            """)
    }

    static func objects(_ text: String) throws -> [[String: Any]] {
        try text.split(separator: "\n").map {
            try #require(
                try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }
}
