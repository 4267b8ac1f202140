// SPDX-License-Identifier: MIT
internal import Foundation
internal import GRDB
internal import HuskModel

/// The columns of a row, one after the other. A file may hold anything in them: what is not of the
/// kind that it must be is a failure, never a trap.
struct RowFields {
    private let row: Row
    private var index: Int

    /// - Parameter first: the column to begin with.
    init(_ row: Row, from first: Int = 0) {
        self.row = row
        index = first
    }

    private mutating func next() throws(CaptureFileError) -> DatabaseValue {
        guard index < row.count else { throw .damaged("a row is too short") }
        defer { index += 1 }
        return row[index]
    }

    private static func wrong(_ column: Int) -> CaptureFileError {
        .damaged("a value is not of its kind (column \(column))")
    }

    mutating func optionalInteger() throws(CaptureFileError) -> Int64? {
        switch try next().storage {
        case .null: return nil
        case .int64(let number): return number
        default: throw Self.wrong(index)
        }
    }

    mutating func integer() throws(CaptureFileError) -> Int64 {
        guard let number = try optionalInteger() else { throw Self.wrong(index) }
        return number
    }

    mutating func optionalText() throws(CaptureFileError) -> String? {
        switch try next().storage {
        case .null: return nil
        case .string(let text): return text
        default: throw Self.wrong(index)
        }
    }

    mutating func text() throws(CaptureFileError) -> String {
        guard let text = try optionalText() else { throw Self.wrong(index) }
        return text
    }

    mutating func optionalBlob() throws(CaptureFileError) -> [UInt8]? {
        switch try next().storage {
        case .null: return nil
        case .blob(let data): return Array(data)
        default: throw Self.wrong(index)
        }
    }

    mutating func blob() throws(CaptureFileError) -> [UInt8] {
        guard let bytes = try optionalBlob() else { throw Self.wrong(index) }
        return bytes
    }

    mutating func real() throws(CaptureFileError) -> Double {
        switch try next().storage {
        case .double(let number): return number
        case .int64(let number): return Double(number)
        default: throw Self.wrong(index)
        }
    }

    // MARK: What they mean

    mutating func unsigned() throws(CaptureFileError) -> UInt64 { try integer().restored }
    mutating func address() throws(CaptureFileError) -> Address { Address(try unsigned()) }
    mutating func flag() throws(CaptureFileError) -> Bool { try integer() != 0 }

    mutating func optionalAddress() throws(CaptureFileError) -> Address? {
        try optionalInteger().map { Address($0.restored) }
    }

    mutating func number<Number: FixedWidthInteger>(
        _ type: Number.Type = Number.self
    ) throws(CaptureFileError) -> Number {
        guard let number = Number(exactly: try integer()) else { throw Self.wrong(index) }
        return number
    }

    mutating func optionalNumber<Number: FixedWidthInteger>(
        _ type: Number.Type = Number.self
    ) throws(CaptureFileError) -> Number? {
        guard let stored = try optionalInteger() else { return nil }
        guard let number = Number(exactly: stored) else { throw Self.wrong(index) }
        return number
    }

    /// Of a page or a content, in bytes.
    mutating func size() throws(CaptureFileError) -> Int {
        let size = try integer()
        guard (1...Int64(CaptureFile.contentLimit)).contains(size) else { throw Self.wrong(index) }
        return Int(size)
    }

    /// Of something that is counted from 0 on.
    mutating func count() throws(CaptureFileError) -> Int {
        let count = try number(Int.self)
        guard count >= 0 else { throw Self.wrong(index) }
        return count
    }

    mutating func targetText() throws(CaptureFileError) -> TargetText {
        TargetText(escaped: try text())
    }

    mutating func optionalTargetText() throws(CaptureFileError) -> TargetText? {
        try optionalText().map(TargetText.init(escaped:))
    }

    mutating func protection() throws(CaptureFileError) -> Protection {
        guard let protection = Protection(text: try text()) else { throw Self.wrong(index) }
        return protection
    }

    mutating func optionalProtection() throws(CaptureFileError) -> Protection? {
        guard let text = try optionalText() else { return nil }
        guard let protection = Protection(text: text) else { throw Self.wrong(index) }
        return protection
    }

    mutating func word<Word: RawRepresentable>(
        _ type: Word.Type = Word.self
    ) throws(CaptureFileError) -> Word where Word.RawValue == String {
        guard let word = Word(rawValue: try text()) else { throw Self.wrong(index) }
        return word
    }

    mutating func optionalWord<Word: RawRepresentable>(
        _ type: Word.Type = Word.self
    ) throws(CaptureFileError) -> Word? where Word.RawValue == String {
        guard let text = try optionalText() else { return nil }
        guard let word = Word(rawValue: text) else { throw Self.wrong(index) }
        return word
    }

    mutating func digest() throws(CaptureFileError) -> Digest {
        guard let digest = Digest(bytes: try blob()) else { throw Self.wrong(index) }
        return digest
    }

    mutating func optionalDigest() throws(CaptureFileError) -> Digest? {
        guard let bytes = try optionalBlob() else { return nil }
        guard let digest = Digest(bytes: bytes) else { throw Self.wrong(index) }
        return digest
    }

    /// Three columns: kind, source, detail.
    mutating func label() throws(CaptureFileError) -> RegionLabel? {
        let kind = try optionalWord(RegionLabel.Kind.self)
        let source = try optionalWord(RegionLabel.Source.self)
        let detail = try optionalTargetText()
        guard let kind, let source else { return nil }
        return RegionLabel(kind, by: source, detail ?? TargetText(""))
    }
}
