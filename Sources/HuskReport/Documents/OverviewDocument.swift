// SPDX-License-Identifier: MIT

/// `overview` of docs/view-data.md: what the page shows first.
struct OverviewDocument: Encodable {
    struct Capture: Encodable {
        var file: String
        var uuid: String
        var huskVersion: String
        var command: [String]?
        var host: String
        var kernel: String
        var machine: String
        var cpus: Int
        var options: [String: String]
        var startedWall: String
        var duration: UInt64?
        var finished: Bool
        var complete: Bool?
        var pages: UInt64
        var bytes: UInt64
        var expectedPages: UInt64
        var unreadable: UInt64
        var lost: UInt64
        var transitions: UInt64
        var attempts: UInt64
        var looks: UInt64
        var regions: UInt64
        var executions: UInt64
        var blindSpots: UInt64
        var children: UInt64
        var contents: UInt64
        var storedBytes: UInt64
        var losses: [String: UInt64]
    }

    struct Process: Encodable {
        var id: Int64
        var pid: Int32
        var name: String
        var parent: Int64?
        var started: UInt64?
        var ended: UInt64?
        var exit: String?
    }

    struct Region: Encodable {
        var id: Int64
        var process: Int64
        var pid: Int32
        var start: String
        var length: UInt64
        var born: UInt64
        var gone: UInt64?
        var protection: String
        var shared: Bool
        var backing: String
        var name: String?
        var label: String?
        var detail: String?
        var transitions: Int
        var snapshots: UInt64
        var generation: Int
        var layer: Int?
        var importance: String?
        var findings: [Int] = []
        var rules: [String] = []
        var looks: String?
        var entropy: Double?
        var lost: UInt64 = 0
    }

    struct Layer: Encodable {
        var id: Int
        var number: Int
        var parent: Int?
        var pid: Int32
        var region: Int64?
        var time: UInt64
        var start: String
        var length: UInt64
        var backing: String
        var name: String?
        var entry: String?
        var by: String?
    }

    struct Technique: Encodable {
        var id: String
        var name: String
    }

    struct Finding: Encodable {
        var kind: String
        var importance: String
        var techniques: [Technique]
        var reason: String
        var pid: Int32
        var process: String
        var time: UInt64
        var start: String
        var length: UInt64
        var region: Int64?
        var entry: String?
    }

    struct Loss: Encodable {
        var cause: String
        var time: UInt64
        var pid: Int32?
        var start: String?
        var length: UInt64
        var count: UInt64
        var region: Int64?
    }

    struct BlindSpot: Encodable {
        var time: UInt64
        var pid: Int32
        var start: String
        var length: UInt64
        var reason: String
        var region: Int64?
    }

    /// What the lists were cut by.
    struct Omitted: Encodable {
        var regions = 0
        var processes = 0
        var layers = 0
        var losses = 0
        var blindSpots = 0
    }

    var capture: Capture
    var processes: [Process] = []
    var regions: [Region] = []
    var layers: [Layer] = []
    var findings: [Finding] = []
    var losses: [Loss] = []
    var blindSpots: [BlindSpot] = []
    var omitted = Omitted()
}
