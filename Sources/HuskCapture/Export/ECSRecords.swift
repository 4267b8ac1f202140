// SPDX-License-Identifier: MIT
internal import HuskModel

// Fields of the Elastic Common Schema, nested; what it has no fields for is under `husk`.

struct ECSRecord<Facts: Encodable>: Encodable {
    var timestamp: String
    var ecs = ECSVersion()
    var event: ECSEvent
    var message: String
    var agent: ECSAgent
    var host: ECSHost
    var process: ECSProcess?
    var file: ECSFile?
    var related: ECSRelated?
    var husk: Facts

    enum CodingKeys: String, CodingKey {
        case timestamp = "@timestamp"
        case ecs, event, message, agent, host, process, file, related, husk
    }
}

struct ECSVersion: Encodable {
    var version = "8.11.0"
}

struct ECSEvent: Encodable {
    var kind = "event"
    var category = ["process"]
    var type: [String]
    var action: String
    var outcome: String
    var module = "husk"
    var dataset = "husk.capture"
    var id: String
    var sequence: Int64

    init(_ type: String, action: String, outcome: String = "success", in id: String, _ at: Int64) {
        self.type = [type]
        self.action = action
        self.outcome = outcome
        self.id = "\(id):\(at)"
        sequence = at
    }
}

struct ECSAgent: Encodable {
    var name = "husk"
    var type = "husk"
    var version: String
}

struct ECSHost: Encodable {
    var name: String
    var hostname: String
    var architecture: String
    var os: ECSSystem
}

struct ECSSystem: Encodable {
    var type = "linux"
    var kernel: String
}

struct ECSProcess: Encodable {
    struct Thread: Encodable {
        var id: Int32
        var name: String?
    }

    struct Parent: Encodable {
        var pid: Int32
    }

    var pid: Int32
    var name: String?
    var executable: String?
    var thread: Thread?
    var parent: Parent?
    var exitCode: UInt32?
}

struct ECSFile: Encodable {
    var name: String
    var path: String?
    var inode: String

    init?(_ backing: Backing) {
        guard let file = backing.file else { return nil }
        name = file.name.escaped
        path = file.path?.escaped
        inode = String(file.inode)
    }
}

struct ECSRelated: Encodable {
    var hash: [String]
}
