// SPDX-License-Identifier: MIT
public import HuskModel

// The JSON form of events: one object per line, in `--json` and in manifest.jsonl. The
// schema is documented in docs/json.md; these types are the schema. Addresses and hashes are
// strings (JSON's numbers end at 2^53), times are numbers of nanoseconds, text that a target
// controls is escaped as TargetText.escaped does.

struct TransitionRecord: Encodable {
    var type = "transition"
    var id: String
    var kind: String
    var call: String?
    var abi: String
    var time: TimeRecord
    var process: ProcessRecord
    var threadName: String
    var start: String
    var length: UInt64
    var arguments: ArgumentsRecord
    var result: String
    var error: String?
    var requested: String
    var previous: String?
    var effective: String
    var backing: BackingRecord
    var shared: Bool
    var fresh: Bool
    var vanished: Bool
    var unseen: Bool
    var known: Bool?
    var instructionPointer: String
    var stackPointer: String
    var caller: CallSiteRecord?
    var writer: WriterRecord?
    var trigger: String?
    var callNumber: Int?
    var label: LabelRecord?
    var reference: ReferenceRecord?
    var pages: PageCountsRecord?
    var runs: [RunRecord]?
    var unreadable: [UnreadableRecord]?

    init(_ capture: TransitionCapture, files: [String?]? = nil) {
        self.init(capture.transition)
        guard capture.transition.hasPages else { return }
        pages = PageCountsRecord(capture)
        runs = capture.runs.enumerated().map { index, run in
            RunRecord(run, file: files?[index])
        }
        unreadable = UnreadableRecord.ranges(of: capture.unreadable)
    }

    /// Without its pages.
    init(_ transition: Transition) {
        id = transition.id.hexadecimal
        kind = transition.kind.rawValue
        call = transition.call?.rawValue
        abi = transition.abi.rawValue
        time = TimeRecord(transition.time)
        process = ProcessRecord(transition.task)
        threadName = transition.threadName.escaped
        start = transition.start.description
        length = transition.length
        arguments = ArgumentsRecord(transition.arguments)
        result =
            transition.failure == nil
            ? "0x" + String(UInt64(bitPattern: transition.result), radix: 16)
            : String(transition.result)
        error = transition.failure.map(ErrorNames.symbol)
        requested = transition.requested.description
        previous = transition.previous?.description
        effective = transition.effective.description
        backing = BackingRecord(transition.backing)
        shared = transition.isShared
        fresh = transition.isFresh
        vanished = transition.hasVanished
        unseen = transition.isUnseen
        known = transition.isKnown ? true : nil
        instructionPointer = transition.instructionPointer.description
        stackPointer = transition.stackPointer.description
        caller = transition.caller.map(CallSiteRecord.init)
        writer = transition.writer.map(WriterRecord.init)
        trigger = transition.trigger?.rawValue
        callNumber = transition.callNumber
        label = transition.label.map(LabelRecord.init)
        reference = transition.reference.map(ReferenceRecord.init)
    }
}

struct CallSiteRecord: Encodable {
    var address: String
    var backing: BackingRecord

    init(_ site: CallSite) {
        address = site.address.description
        backing = BackingRecord(site.backing)
    }
}

struct WriterRecord: Encodable {
    var process: ProcessRecord
    var threadName: String

    init(_ writer: Writer) {
        process = ProcessRecord(writer.task)
        threadName = writer.threadName.escaped
    }
}

struct LabelRecord: Encodable {
    var kind: String
    var source: String
    var detail: String?

    init(_ label: RegionLabel) {
        kind = label.kind.rawValue
        source = label.source.rawValue
        detail = label.detail.isEmpty ? nil : label.detail.escaped
    }
}

struct ReferenceRecord: Encodable {
    var sha256: String
    var length: UInt64

    init(_ reference: FileReference) {
        sha256 = reference.digest.hexadecimal
        length = reference.length
    }
}

struct TimeRecord: Encodable {
    var monotonicNs: UInt64
    var wallNs: UInt64

    init(_ time: Timestamp) {
        monotonicNs = time.monotonic
        wallNs = time.wall
    }
}

struct ProcessRecord: Encodable {
    var pid: Int32
    var tid: Int32
    var hostPid: Int32
    var hostTid: Int32

    init(_ task: TaskIdentity) {
        pid = task.pid
        tid = task.tid
        hostPid = task.hostPID
        hostTid = task.hostTID
    }
}

struct ArgumentsRecord: Encodable {
    var address: String
    var length: String
    var flags: String

    init(_ arguments: Transition.Arguments) {
        address = arguments.address.description
        length = "0x" + String(arguments.length, radix: 16)
        flags = "0x" + String(arguments.flags, radix: 16)
    }
}

struct BackingRecord: Encodable {
    var kind: String
    var name: String?
    var path: String?
    var device: String?
    var inode: String?
    var offset: String?
    var deleted: Bool?

    init(_ backing: Backing) {
        kind = backing.kind
        switch backing {
        case .none, .unknown, .special, .anonymous, .heap, .stack: break
        case .file(let file, let start), .memfd(let file, let start),
            .sharedMemory(let file, let start):
            name = file.name.escaped
            path = file.path?.escaped
            device = "\(file.deviceMajor):\(file.deviceMinor)"
            inode = String(file.inode)
            offset = "0x" + String(start, radix: 16)
            deleted = file.linkCount == 0
        }
    }
}

struct PageCountsRecord: Encodable {
    var captured: UInt64
    var untouched: UInt64?
    var unchanged: UInt64?
    var unreadable: UInt64
    var lost: UInt64
    var stalledNs: UInt64?
    var complete: Bool

    init(_ capture: TransitionCapture) {
        captured = UInt64(capture.pageCount)
        unreadable = UInt64(capture.unreadable.count)
        lost = capture.end?.lost ?? 0
        untouched = capture.end?.untouched
        unchanged = capture.end.flatMap { $0.unchanged == 0 ? nil : $0.unchanged }
        stalledNs = capture.end?.stalledNanoseconds
        complete =
            capture.end != nil && capture.losses.isEmpty && lost == 0 && unreadable == 0
            && capture.end?.captured == captured
    }
}

struct RunRecord: Encodable {
    var base: String
    var size: Int
    var sha256: String
    var file: String?
    /// Written apart (JSONLines.pages): there may be millions of them.
    var pages: [Int] = []

    init(_ run: PageRun, file: String?) {
        base = run.base.description
        size = run.size
        sha256 = run.digest.hexadecimal
        self.file = file
    }
}

struct UnreadableRecord: Encodable {
    var start: String
    var length: UInt64
    var reason: String
    var error: String?

    /// Pages that lie side by side and share their reason make one record.
    static func ranges(of pages: [Page]) -> [UnreadableRecord] {
        var ranges: [UnreadableRecord] = []
        var next: Address?
        var last: Page.Body?
        for page in pages {
            guard case .unreadable(let reason, let errno) = page.body else { continue }
            if page.address == next, page.body == last, !ranges.isEmpty {
                ranges[ranges.count - 1].length += UInt64(page.size)
            } else {
                ranges.append(
                    UnreadableRecord(
                        start: page.address.description, length: UInt64(page.size),
                        reason: reason.rawValue,
                        error: errno == 0 ? nil : ErrorNames.symbol(errno)))
            }
            next = page.address.advanced(by: UInt64(page.size))
            last = page.body
        }
        return ranges
    }
}

struct LossRecord: Encodable {
    var type = "loss"
    var cause: String
    var time: TimeRecord
    var process: ProcessRecord?
    var transition: String?
    var start: String?
    var length: UInt64
    var count: UInt64

    init(_ loss: Loss) {
        cause = loss.cause.rawValue
        time = TimeRecord(loss.time)
        process = loss.task.map(ProcessRecord.init)
        transition = loss.transition?.hexadecimal
        start = loss.start?.description
        length = loss.length
        count = loss.count
    }
}

struct ProcessExitRecord: Encodable {
    var type = "process-exit"
    var time: TimeRecord
    var process: ProcessRecord
    var exitCode: UInt32?
    var signal: UInt32?

    init(_ exit: ProcessExit) {
        time = TimeRecord(exit.time)
        process = ProcessRecord(exit.task)
        if exit.status & 0x7F == 0 {
            exitCode = exit.status >> 8 & 0xFF
        } else {
            signal = exit.status & 0x7F
        }
    }
}

struct ProcessStartRecord: Encodable {
    var type = "process-start"
    var time: TimeRecord
    var parent: ProcessRecord
    var pid: Int32
    var hostPid: Int32
    var sharesMemory: Bool

    init(_ start: ProcessStart) {
        time = TimeRecord(start.time)
        parent = ProcessRecord(start.parent)
        pid = start.child
        hostPid = start.hostChild
        sharesMemory = start.sharesMemory
    }
}

struct ProgramExecutionRecord: Encodable {
    var type = "exec"
    var time: TimeRecord
    var process: ProcessRecord
    var name: String
    var backing: BackingRecord
    var fileless: String?

    init(_ execution: ProgramExecution) {
        time = TimeRecord(execution.time)
        process = ProcessRecord(execution.task)
        name = execution.name.escaped
        backing = BackingRecord(execution.backing)
        fileless = execution.fileless?.rawValue
    }
}

struct RegionRecord: Encodable {
    var pid: Int32
    var start: String
    var length: UInt64
    var protection: String

    init(_ region: RegionReference) {
        pid = region.pid
        start = region.start.description
        length = region.length
        protection = region.protection.description
    }
}

struct SharedViewRecord: Encodable {
    var type = "shared-view"
    var time: TimeRecord
    var executable: RegionRecord
    var writable: RegionRecord
    var backing: BackingRecord

    init(_ view: SharedView) {
        time = TimeRecord(view.time)
        executable = RegionRecord(view.executable)
        writable = RegionRecord(view.writable)
        backing = BackingRecord(view.backing)
    }
}

struct BlindSpotRecord: Encodable {
    var type = "blind-spot"
    var time: TimeRecord
    var process: ProcessRecord
    var start: String
    var length: UInt64
    var reason: String

    init(_ spot: BlindSpot) {
        time = TimeRecord(spot.time)
        process = ProcessRecord(spot.task)
        start = spot.start.description
        length = spot.length
        reason = spot.reason.rawValue
    }
}

struct LabelledRegionRecord: Encodable {
    var type = "label"
    var time: TimeRecord
    var process: ProcessRecord
    var start: String
    var length: UInt64
    var label: LabelRecord

    init(_ region: LabelledRegion) {
        time = TimeRecord(region.time)
        process = ProcessRecord(region.task)
        start = region.start.description
        length = region.length
        label = LabelRecord(region.label)
    }
}

struct ExecutionRecord: Encodable {
    var type = "execution"
    var time: TimeRecord
    var process: ProcessRecord
    var transition: String
    var address: String
    var regionStart: String
    var regionLength: UInt64
    var sequence: Int
    var registers: [String: String]
    var writer: CallSiteRecord?

    init(_ execution: Execution) {
        time = TimeRecord(execution.time)
        process = ProcessRecord(execution.task)
        transition = execution.transition.hexadecimal
        address = execution.address.description
        regionStart = execution.region.lowerBound.description
        regionLength =
            execution.region.upperBound.rawValue - execution.region.lowerBound.rawValue
        sequence = execution.sequence
        registers = Dictionary(
            uniqueKeysWithValues: execution.registers.named.map {
                ($0.name, "0x" + String($0.value, radix: 16))
            })
        writer = execution.writer.map(CallSiteRecord.init)
    }
}

struct LayerRecord: Encodable {
    var type = "layer"
    var id: Int
    var number: Int
    var parent: Int?
    var time: TimeRecord
    var process: ProcessRecord
    var start: String
    var length: UInt64
    var backing: BackingRecord
    var requester: CallSiteRecord?
    var writer: CallSiteRecord?
    var entry: String?
    var label: LabelRecord?

    init(_ layer: Layer) {
        id = layer.id
        number = layer.number
        parent = layer.parent
        time = TimeRecord(layer.time)
        process = ProcessRecord(layer.task)
        start = layer.start.description
        length = layer.length
        backing = BackingRecord(layer.backing)
        requester = layer.requester.map(CallSiteRecord.init)
        writer = layer.writer.map(CallSiteRecord.init)
        entry = layer.entry?.description
        label = layer.label.map(LabelRecord.init)
    }
}

struct SummaryRecord: Encodable {
    var type = "summary"
    var complete: Bool
    var transitions: Int
    var attempts: Int
    var looks: Int
    var regions: Int
    var blindSpots: Int
    var executions: Int?
    var children: Int
    var pages: Int
    var bytes: UInt64
    var distinctContents: Int
    /// There are more than could be told apart.
    var distinctAtLeast: Bool?
    var referenced: UInt64
    var unreadable: Int
    var expectedPages: UInt64
    /// Of a manifest on a full disk.
    var linesLeftOut: Int?
    var records: [RecordCountRecord]
    var losses: [String: UInt64]
    var copyMethod: String?
    var target: TargetStatus?

    init(
        _ tally: CaptureTally, records: [RecordCount], copyMethod: String?, target: TargetStatus?,
        linesLeftOut: Int
    ) {
        expectedPages = tally.expectedPages
        self.linesLeftOut = linesLeftOut == 0 ? nil : linesLeftOut
        self.records = records.map(RecordCountRecord.init)
        complete = tally.isComplete
        transitions = tally.transitions
        attempts = tally.attempts
        looks = tally.looks
        regions = tally.regions
        blindSpots = tally.blindSpots
        executions = tally.executions == 0 ? nil : tally.executions
        children = tally.children
        pages = tally.pages
        bytes = tally.bytes
        distinctContents = tally.distinctContents.count
        distinctAtLeast = tally.distinctContents.isExact ? nil : true
        referenced = tally.referenced
        unreadable = tally.unreadable
        losses = Dictionary(
            uniqueKeysWithValues: tally.losses.map { ($0.key.rawValue, $0.value) })
        self.copyMethod = copyMethod
        self.target = target
    }
}

struct RecordCountRecord: Encodable {
    var cpu: Int
    var given: UInt64
    var missing: UInt64

    init(_ count: RecordCount) {
        cpu = count.cpu
        given = count.given
        missing = count.missing
    }
}

/// How the command that Husk started has ended.
public struct TargetStatus: Encodable, Hashable, Sendable {
    /// Of a command that has exited.
    public var exitCode: Int32?
    /// Of a command that a signal has ended.
    public var signal: Int32?

    public init(exitCode: Int32) {
        self.exitCode = exitCode
    }

    public init(signal: Int32) {
        self.signal = signal
    }
}

extension Transition.ID {
    /// 16 digits: as lines have it.
    public var hexadecimal: String {
        let digits = String(rawValue, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
