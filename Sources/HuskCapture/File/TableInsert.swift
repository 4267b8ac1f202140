// SPDX-License-Identifier: MIT
internal import Foundation
internal import GRDB
internal import HuskModel

/// An INSERT into some columns of one table.
struct TableInsert {
    let sql: String

    /// - Parameter replacing: rows of the same key are replaced.
    init(_ table: String, _ columns: [String], replacing: Bool = false) {
        let places = columns.map { _ in "?" }.joined(separator: ", ")
        sql =
            "INSERT \(replacing ? "OR REPLACE " : "")INTO \(table)"
            + "(\(columns.joined(separator: ", "))) VALUES (\(places))"
    }

    /// - Parameter values: one for each column, in their order.
    func run(_ db: Database, _ values: [(any DatabaseValueConvertible)?]) throws {
        let statement = try db.cachedStatement(sql: sql)
        statement.setUncheckedArguments(StatementArguments(values))
        try statement.execute()
    }
}

extension UInt64 {
    /// The same bits: SQLite's integers are signed.
    var stored: Int64 { Int64(bitPattern: self) }
}

extension Address {
    var stored: Int64 { rawValue.stored }
}

extension Int64 {
    /// The same bits.
    var restored: UInt64 { UInt64(bitPattern: self) }
}

extension Digest {
    var data: Data { Data(bytes) }
}
