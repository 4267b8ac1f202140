// SPDX-License-Identifier: MIT
internal import HuskModel

// The Open Cybersecurity Schema Framework: Memory Activity (class 1004) of the category System
// Activity, and Base Event (class 0) for what is missing from the capture. Followed is 1.0.0, whose
// attributes later 1.x versions have, too.

/// What has happened to memory, in OCSF's words.
enum OCSFActivity: Int {
    case allocatePage = 1
    case modifyPage = 2
    case deletePage = 3
    case write = 8
    case other = 99

    /// The tables' reasons are in docs/exports.md.
    init(_ transition: Transition) {
        // A range that is not mapped any more, whichever call took it away.
        let isGone =
            !transition.isAttempt && transition.effective.isEmpty && transition.backing == .none
        switch transition.kind {
        case .munmap, .shmdt: self = .deletePage
        case .mmap, .shmat, .execve, .archPrctl: self = .allocatePage
        case .brk: self = isGone ? .deletePage : .allocatePage
        case .mremap:
            self = isGone ? .deletePage : transition.isFresh ? .allocatePage : .modifyPage
        case .mprotect, .pkeyMprotect, .remapFilePages: self = .modifyPage
        case .write, .look: self = .write
        case .present: self = .other
        }
    }

    var caption: String? {
        switch self {
        case .allocatePage: "Allocate Page"
        case .modifyPage: "Modify Page"
        case .deletePage: "Delete Page"
        case .write: "Write"
        case .other: nil
        }
    }
}

struct OCSFRecord<Facts: Encodable>: Encodable {
    var activityId: Int
    var activityName: String
    var categoryUid: Int
    var categoryName: String?
    var classUid: Int
    var className: String
    var typeUid: Int
    var severityId = 1
    var statusId: Int?
    var statusCode: String?
    var message: String?
    /// Milliseconds since 1970.
    var time: UInt64
    var metadata: OCSFMetadata
    var device: OCSFDevice?
    var actor: OCSFActor?
    var process: OCSFProcess?
    var baseAddress: String?
    var size: Int64?
    var requestedPermissions: UInt32?
    var actualPermissions: UInt32?
    var unmapped: OCSFUnmapped<Facts>

    /// An event of memory.
    init(
        _ activity: OCSFActivity, named name: String, time: Timestamp, _ context: OCSFContext,
        facts: Facts
    ) {
        activityId = activity.rawValue
        activityName = activity.caption ?? name
        categoryUid = 1
        categoryName = "System Activity"
        classUid = 1004
        className = "Memory Activity"
        typeUid = classUid * 100 + activityId
        self.time = time.wall / 1_000_000
        metadata = context.metadata
        device = context.device
        unmapped = OCSFUnmapped(husk: facts)
    }

    /// An event that no class of OCSF's is for.
    init(base name: String, time: Timestamp, _ context: OCSFContext, facts: Facts) {
        activityId = OCSFActivity.other.rawValue
        activityName = name
        categoryUid = 0
        categoryName = "Uncategorized"
        classUid = 0
        className = "Base Event"
        typeUid = activityId
        self.time = time.wall / 1_000_000
        metadata = context.metadata
        unmapped = OCSFUnmapped(husk: facts)
    }
}

/// What is the same for all events but their number.
struct OCSFContext {
    var metadata: OCSFMetadata
    var device: OCSFDevice
}

struct OCSFUnmapped<Facts: Encodable>: Encodable {
    var husk: Facts
}

struct OCSFMetadata: Encodable {
    var version = "1.0.0"
    var product: OCSFProduct
    /// The capture, and the event within it.
    var correlationUid: String
    var sequence: Int64
}

struct OCSFProduct: Encodable {
    var name = "Husk"
    var vendorName = "Husk"
    var version: String
}

struct OCSFDevice: Encodable {
    var hostname: String
    /// Unknown: a capture does not tell a server from a desktop.
    var typeId = 0
    var os = OCSFSystem()
}

struct OCSFSystem: Encodable {
    var name = "Linux"
    var type = "Linux"
    var typeId = 200
}

struct OCSFActor: Encodable {
    var process: OCSFProcess
}

struct OCSFProcess: Encodable {
    var pid: Int32
    var tid: Int32
    var name: String?
    /// With the process ID in the initial namespace: one of another capture is another process.
    var uid: String

    init(_ task: TaskIdentity, name: TargetText?, capture: String) {
        pid = task.pid
        tid = task.tid
        self.name = name?.escaped
        uid = "\(capture):\(task.hostPID)"
    }
}
