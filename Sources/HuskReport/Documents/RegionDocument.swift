// SPDX-License-Identifier: MIT

/// `region/ID` of docs/view-data.md: all that is told of one region, but for its bytes.
struct RegionDocument: Encodable {
    struct Transitions: Encodable {
        var time: [UInt64] = []
        var kind: [String] = []
        var call: [String?] = []
        var previous: [String?] = []
        var effective: [String] = []
        var start: [String] = []
        var length: [UInt64] = []
        var captured: [UInt64] = []
        var unchanged: [UInt64] = []
        var unreadable: [UInt64] = []
        var lost: [UInt64] = []
        var caller: [Int] = []
        var writer: [Int] = []
        var thread: [Int] = []
    }

    struct Snapshots: Encodable {
        var transition: [Int] = []
        var address: [String] = []
        var size: [Int] = []
        var time: [UInt64] = []
        var generation: [Int] = []
        var content: [Int64] = []
        /// Tenths of bits per byte; -1: not known.
        var entropy: [Int] = []
        var unreadable: [String?] = []
        /// 0: its content is not in the report.
        var held: [Int] = []
    }

    struct Omitted: Encodable {
        var transitions = 0
        var snapshots = 0
    }

    struct Match: Encodable {
        struct Text: Encodable {
            var identifier: String
            var address: String
            var length: UInt64
            /// Hexadecimal.
            var data: String
        }

        var rule: String
        var namespace: String
        var tags: [String]
        var metadata: [String: String]
        var generation: Int
        var strings: [Text]
    }

    struct Appearance: Encodable {
        struct Image: Encodable {
            var address: String
            var format: String
            var summary: String
            var importHash: String?
        }

        var generation: Int
        var start: String
        var length: UInt64
        var kind: String
        var entropy: Double
        var reasons: [String]
        var images: [Image]
    }

    struct Execution: Encodable {
        var time: UInt64
        var address: String
        var thread: String
        var writer: String?
    }

    var id: Int64
    var transitions = Transitions()
    var callers: [String] = []
    var writers: [String] = []
    var threads: [String] = []
    var snapshots = Snapshots()
    var omitted = Omitted()
    var matches: [Match] = []
    var appearances: [Appearance] = []
    var executions: [Execution] = []
    var command: String
}
