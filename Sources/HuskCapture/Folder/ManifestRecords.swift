// SPDX-License-Identifier: MIT
internal import HuskModel

// The lines of a manifest, read again: of EventRecords.swift what can be checked. Keys that older
// versions do not write are optional.

enum ManifestRecord: Decodable {
    case transition(StoredTransition)
    case loss(StoredLoss)
    case summary(StoredSummary)
    case other(String)

    private enum Key: CodingKey { case type }

    init(from decoder: any Decoder) throws {
        let type = try decoder.container(keyedBy: Key.self).decode(String.self, forKey: .type)
        switch type {
        case "transition": self = .transition(try StoredTransition(from: decoder))
        case "loss": self = .loss(try StoredLoss(from: decoder))
        case "summary": self = .summary(try StoredSummary(from: decoder))
        default: self = .other(type)
        }
    }
}

struct StoredTransition: Decodable {
    struct Counts: Decodable {
        var captured: UInt64
        var untouched: UInt64?
        var unchanged: UInt64?
        var unreadable: UInt64
        var lost: UInt64
        var complete: Bool
    }

    struct Run: Decodable {
        var base: StoredAddress
        var size: UInt64
        var sha256: StoredDigest
        /// Absent: the run could not be stored.
        var file: String?
        var pages: [Page]
    }

    struct Page: Decodable {
        var address: StoredAddress
        var sha256: StoredDigest
        var reader: String?
        var cpu: UInt32?
        var sequence: UInt64?
    }

    struct Unreadable: Decodable {
        var start: StoredAddress
        var length: UInt64
        var reason: String
    }

    struct Reference: Decodable {
        var length: UInt64
    }

    var id: String
    var kind: String
    var length: UInt64
    var error: String?
    var previous: String?
    var effective: String
    var shared: Bool
    var reference: Reference?
    var pages: Counts?
    var runs: [Run]?
    var unreadable: [Unreadable]?

    /// As ``Transition/isAttempt``.
    var isAttempt: Bool { error != nil && effective == "---" && pages == nil }

    /// As ``Transition/isView``.
    var isView: Bool {
        !effective.contains("x") && error == nil && shared
            && previous.map { !$0.contains("x") } ?? false
    }
}

struct StoredLoss: Decodable {
    var cause: String
    var length: UInt64
    var count: UInt64
}

struct StoredSummary: Decodable {
    struct Records: Decodable {
        var cpu: UInt32
        var given: UInt64
        var missing: UInt64
    }

    var complete: Bool
    var transitions: UInt64
    var attempts: UInt64
    var looks: UInt64
    var blindSpots: UInt64
    var executions: UInt64?
    var children: UInt64
    var referenced: UInt64
    var pages: UInt64
    var bytes: UInt64
    var unreadable: UInt64
    var losses: [String: UInt64]
    var expectedPages: UInt64?
    var linesLeftOut: UInt64?
    var records: [Records]?
}

/// `0x` and hexadecimal digits.
struct StoredAddress: Decodable {
    var address: Address

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        let digits = text.utf8.dropFirst(2)
        // UInt64 would take a sign, too.
        guard text.hasPrefix("0x"), let first = digits.first, first != UInt8(ascii: "+"),
            let value = UInt64(text.dropFirst(2), radix: 16)
        else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "no address")
        }
        address = Address(value)
    }
}

/// A SHA-256.
struct StoredDigest: Decodable {
    var digest: Digest

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let digest = Digest(hexadecimal: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "no SHA-256")
        }
        self.digest = digest
    }
}
