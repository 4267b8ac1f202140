// SPDX-License-Identifier: MIT
internal import Foundation
internal import GRDB
public import HuskModel

/// What a list is to have in it. What is not set is not asked for.
public struct CaptureFilter: Hashable, Sendable {
    /// Of processes with this ID, as Husk saw it.
    public var pid: Int32?
    /// What touches this range.
    public var addresses: Range<Address>?
    /// Nanoseconds since the trace began.
    public var times: ClosedRange<UInt64>?
    /// What has all of these.
    public var protection: Protection?
    /// Labelled so.
    public var labels: Set<RegionLabel.Kind> = []
    /// Not labelled so.
    public var hiddenLabels: Set<RegionLabel.Kind> = []
    /// In bytes: of the region.
    public var minimumSize: UInt64?
    /// The first hexadecimal digits of a SHA-256.
    public var digest: String?
    /// Of pages: this one; of regions: those with a page that has had it.
    public var generation: Int?

    public init() {}
}

/// Conditions of a query and what is to be put in for their question marks: text from a user never
/// becomes SQL.
struct Conditions {
    private var parts: [String] = []
    private(set) var arguments: [(any DatabaseValueConvertible)?] = []

    mutating func add(_ sql: String, _ values: (any DatabaseValueConvertible)?...) {
        parts.append("(\(sql))")
        arguments += values
    }

    /// Of a query within.
    mutating func append(_ values: [(any DatabaseValueConvertible)?]) { arguments += values }

    var sql: String { parts.isEmpty ? "" : " WHERE " + parts.joined(separator: " AND ") }

    mutating func addProcess(_ pid: Int32?, column: String) {
        guard let pid else { return }
        add("\(column) IN (SELECT id FROM process WHERE pid = ?)", pid)
    }

    mutating func addTimes(_ times: ClosedRange<UInt64>?, since start: UInt64, column: String) {
        guard let times else { return }
        let first = start.addingReportingOverflow(times.lowerBound)
        let last = start.addingReportingOverflow(times.upperBound)
        add(
            "\(column) BETWEEN ? AND ?",
            Int64(clamping: first.overflow ? .max : first.partialValue),
            Int64(clamping: last.overflow ? .max : last.partialValue))
    }

    /// - Parameter length: a column or a number of bytes.
    mutating func addAddresses(_ range: Range<Address>?, start: String, length: String) {
        guard let range else { return }
        // Addresses are compared as the signed numbers that they are stored as: those of user space
        // are positive, and those behind are compared with each other rightly, too.
        add(
            "\(start) < ? AND \(start) + \(length) > ?", range.upperBound.stored,
            range.lowerBound.stored)
    }

    mutating func addProtection(_ protection: Protection?, column: String) {
        guard let protection else { return }
        for letter in ["r", "w", "x"] where protection.description.contains(letter) {
            add("\(column) LIKE ?", "%\(letter)%")
        }
    }

    mutating func addLabels(_ filter: CaptureFilter, column: String) {
        if !filter.labels.isEmpty {
            let words = filter.labels.map(\.rawValue).sorted()
            add("\(column) IN (\(Self.places(words.count)))")
            arguments += words
        }
        if !filter.hiddenLabels.isEmpty {
            let words = filter.hiddenLabels.map(\.rawValue).sorted()
            add("\(column) IS NULL OR \(column) NOT IN (\(Self.places(words.count)))")
            arguments += words
        }
    }

    mutating func addDigest(_ prefix: String?, column: String) {
        guard let prefix else { return }
        let digits = prefix.prefix(64)
        // A range of blobs, so that the index is used.
        func blob(_ fill: Character) -> [UInt8] {
            let text = digits + String(repeating: fill, count: 64 - digits.count)
            return Digest(hexadecimal: String(text).lowercased())?.bytes ?? []
        }
        add(
            "\(column) BETWEEN ? AND ?", Data(blob("0")), Data(blob("f")))
    }

    private static func places(_ count: Int) -> String {
        Array(repeating: "?", count: count).joined(separator: ", ")
    }

    func statement(_ db: Database, _ select: String, _ rest: String) throws -> RowCursor {
        try Row.fetchCursor(
            db, sql: select + sql + " " + rest, arguments: StatementArguments(arguments))
    }
}
