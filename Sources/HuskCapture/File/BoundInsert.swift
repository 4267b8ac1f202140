// SPDX-License-Identifier: MIT
internal import GRDB
internal import GRDBSQLite

/// An INSERT that is made for each page: its values are bound by SQLite's own calls, which takes a
/// third of the time of GRDB's.
struct BoundInsert {
    private let insert: TableInsert

    init(_ table: String, _ columns: [String]) {
        insert = TableInsert(table, columns)
    }

    /// Binds the values of one row, in the order of the columns.
    struct Values {
        fileprivate let statement: OpaquePointer
        fileprivate var index: Int32 = 0

        mutating func add(_ number: Int64?) {
            index += 1
            if let number {
                sqlite3_bind_int64(statement, index, number)
            } else {
                sqlite3_bind_null(statement, index)
            }
        }

        mutating func add(_ number: some BinaryInteger) { add(Optional(Int64(number))) }

        mutating func add(_ text: String?) {
            index += 1
            guard var text else {
                sqlite3_bind_null(statement, index)
                return
            }
            text.withUTF8 { bytes in
                // Safe: SQLite copies the bytes before it returns (SQLITE_TRANSIENT).
                _ = bytes.withMemoryRebound(to: CChar.self) {
                    sqlite3_bind_text(
                        statement, index, $0.baseAddress, Int32($0.count), Self.transient)
                }
            }
        }

        mutating func add(_ bytes: some ContiguousBytesView) {
            index += 1
            bytes.withBytes {
                // Safe: as above.
                _ = sqlite3_bind_blob(
                    statement, index, $0.baseAddress, Int32($0.count), Self.transient)
            }
        }

        /// SQLITE_TRANSIENT of sqlite3.h, a cast that Swift cannot import.
        private static var transient: sqlite3_destructor_type {
            unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        }
    }

    func run(_ db: Database, _ bind: (inout Values) -> Void) throws {
        let statement = try db.cachedStatement(sql: insert.sql)
        // Safe: the statement lives in the connection's cache, and is used on this thread only.
        let raw = statement.sqliteStatement
        var values = Values(statement: raw)
        bind(&values)
        let result = sqlite3_step(raw)
        let message = result == SQLITE_DONE ? nil : db.lastErrorMessage
        sqlite3_reset(raw)
        sqlite3_clear_bindings(raw)
        guard result == SQLITE_DONE else {
            throw DatabaseError(resultCode: ResultCode(rawValue: result), message: message)
        }
    }
}

/// Bytes that lie side by side.
protocol ContiguousBytesView {
    func withBytes(_ body: (UnsafeRawBufferPointer) -> Void)
}

extension ArraySlice<UInt8>: ContiguousBytesView {
    func withBytes(_ body: (UnsafeRawBufferPointer) -> Void) { withUnsafeBytes(body) }
}

extension Array<UInt8>: ContiguousBytesView {
    func withBytes(_ body: (UnsafeRawBufferPointer) -> Void) { withUnsafeBytes(body) }
}
