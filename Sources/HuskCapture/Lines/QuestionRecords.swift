// SPDX-License-Identifier: MIT
public import HuskModel

/// What `husk list` and `husk timeline` tell as JSON, in the forms of the other lines.
extension JSONLines {
    public func line(_ region: StoredRegion) -> [UInt8] { encode(StoredRegionRecord(region)) }
    public func line(_ snapshot: StoredSnapshot) -> [UInt8] { encode(SnapshotRecord(snapshot)) }

    public func line(_ generation: StoredGeneration) -> [UInt8] {
        encode(GenerationRecord(generation))
    }

    public func line(_ process: StoredProcess, parent: StoredProcess?, info: CaptureInfo) -> [UInt8]
    {
        encode(StoredProcessRecord(process, parent: parent, info: info))
    }

    /// As of a trace, with the counts of its pages, and without the pages.
    public func line(_ stored: TransitionSummary) -> [UInt8] {
        var record = TransitionRecord(stored.transition)
        if stored.transition.hasPages { record.pages = PageCountsRecord(stored.end) }
        return encode(record)
    }

    public func line(_ happening: Happening) -> [UInt8]? {
        switch happening {
        case .transition(let stored): line(stored)
        case .event(let event): line(event)
        }
    }

    /// Bytes that one generation has in place of another's.
    public func change(at address: Address, old: [UInt8], new: [UInt8]) -> [UInt8] {
        encode(ChangeRecord(address, old, new))
    }

    /// A string in a page.
    public func string(
        _ text: TargetText, at address: Address, length: UInt64, encoding: String, isCut: Bool,
        in page: StoredSnapshot
    ) -> [UInt8] {
        encode(
            StringRecord(
                region: page.region, pid: page.page.task.pid, address: address.description,
                length: length, generation: page.page.generation, encoding: encoding,
                text: text.escaped, cut: isCut ? true : nil))
    }

    public func line(_ overview: CaptureOverview) -> [UInt8] { encode(OverviewRecord(overview)) }
}

private struct ProcessNumbers: Encodable {
    var pid: Int32
    var hostPid: Int32

    init(_ task: TaskIdentity) {
        pid = task.pid
        hostPid = task.hostPID
    }
}

private struct StoredRegionRecord: Encodable {
    var type = "region"
    var region: Int64
    var process: ProcessNumbers
    var start: String
    var length: UInt64
    var born: TimeRecord
    var gone: TimeRecord?
    var protection: String
    var shared: Bool
    var backing: BackingRecord
    var label: LabelRecord?
    var transitions: Int
    var snapshots: UInt64
    var generation: Int

    init(_ stored: StoredRegion) {
        let life = stored.life
        region = life.id
        process = ProcessNumbers(life.task)
        start = life.start.description
        length = life.length
        born = TimeRecord(life.born)
        gone = life.gone.map(TimeRecord.init)
        protection = life.protection.description
        shared = life.isShared
        backing = BackingRecord(life.backing)
        label = life.label.map(LabelRecord.init)
        transitions = life.transitions
        snapshots = stored.snapshots
        generation = stored.generation
    }
}

private struct SnapshotRecord: Encodable {
    var type = "page"
    var region: Int64?
    var process: ProcessRecord
    var time: TimeRecord
    var transition: String
    var kind: String
    var address: String
    var size: Int
    var previous: String?
    var effective: String
    var generation: Int
    var sha256: String?
    var reader: String?
    var unreadable: String?
    var error: String?
    var label: String?
    var cpu: UInt32
    var sequence: UInt64

    init(_ stored: StoredSnapshot) {
        let page = stored.page
        region = stored.region
        process = ProcessRecord(page.task)
        time = TimeRecord(page.time)
        transition = page.transition.hexadecimal
        kind = page.kind.rawValue
        address = page.address.description
        size = page.size
        previous = page.protectionBefore?.description
        effective = page.protectionAfter.description
        generation = page.generation
        label = stored.label?.rawValue
        cpu = page.number.cpu
        sequence = page.number.sequence
        switch page.body {
        case .content(let content, let by):
            sha256 = content.digest.hexadecimal
            reader = by.rawValue
        case .unreadable(let reason, let errno):
            unreadable = reason.rawValue
            error = errno == 0 ? nil : ErrorNames.symbol(errno)
        }
    }
}

private struct GenerationRecord: Encodable {
    var type = "generation"
    var region: Int64?
    var pid: Int32
    var address: String
    var size: Int
    var generation: Int
    var first: TimeRecord
    var last: TimeRecord
    var snapshots: UInt64
    var sha256: String

    init(_ stored: StoredGeneration) {
        region = stored.region
        pid = stored.pid
        address = stored.address.description
        size = stored.size
        generation = stored.generation
        first = TimeRecord(stored.first)
        last = TimeRecord(stored.last)
        snapshots = stored.snapshots
        sha256 = stored.digest.hexadecimal
    }
}

private struct StoredProcessRecord: Encodable {
    var type = "process"
    var pid: Int32
    var hostPid: Int32
    var name: String?
    var parent: Int32?
    var sharesMemory: Bool
    var started: TimeRecord?
    var ended: TimeRecord?
    var exitCode: UInt32?
    var signal: UInt32?

    init(_ process: StoredProcess, parent maker: StoredProcess?, info: CaptureInfo) {
        pid = process.pid
        hostPid = process.hostPID
        name = process.name?.escaped
        parent = maker?.pid
        sharesMemory = process.sharesMemory
        started = process.started.map { TimeRecord(info.timestamp($0)) }
        ended = process.ended.map { TimeRecord(info.timestamp($0)) }
        guard let status = process.status else { return }
        if status & 0x7F == 0 {
            exitCode = status >> 8 & 0xFF
        } else {
            signal = status & 0x7F
        }
    }
}

extension PageCountsRecord {
    /// Of a transition whose pages are not at hand.
    fileprivate init(_ end: TransitionEnd?) {
        captured = end?.captured ?? 0
        unreadable = end?.unreadable ?? 0
        lost = end?.lost ?? 0
        untouched = end?.untouched
        unchanged = end.flatMap { $0.unchanged == 0 ? nil : $0.unchanged }
        stalledNs = end?.stalledNanoseconds
        complete = end != nil && lost == 0 && unreadable == 0
    }
}

private struct OverviewRecord: Encodable {
    var type = "capture"
    var uuid: String
    var huskVersion: String
    var command: [String]?
    var host: String
    var kernel: String
    var machine: String
    var cpus: Int
    var options: [String: String]
    var started: TimeRecord
    var ended: TimeRecord?
    var probes: String?
    var copyMethod: String?
    var finished: Bool
    var complete: Bool?
    var transitions: UInt64
    var attempts: UInt64
    var looks: UInt64
    var regions: UInt64
    var blindSpots: UInt64
    var executions: UInt64
    var children: UInt64
    var pages: UInt64
    var bytes: UInt64
    var referenced: UInt64
    var unreadable: UInt64
    var lost: UInt64
    var expectedPages: UInt64
    var losses: [String: UInt64]
    var records: [RecordCountRecord]
    var contents: UInt64
    var storedBytes: UInt64
    var fileBytes: UInt64
    var logBytes: UInt64?
    var target: TargetStatus?

    init(_ overview: CaptureOverview) {
        let info = overview.info
        uuid = info.uuid
        huskVersion = info.huskVersion
        command = info.command
        host = info.host
        kernel = info.kernel
        machine = info.machine
        cpus = info.cpus
        options = info.options
        started = TimeRecord(info.timestamp(info.started))
        ended = info.ended.map { TimeRecord(info.timestamp($0)) }
        probes = info.probes
        copyMethod = info.copyMethod
        finished = info.isFinished
        complete = info.isComplete
        transitions = info.transitions
        attempts = info.attempts
        looks = info.looks
        regions = info.regions
        blindSpots = info.blindSpots
        executions = info.executions
        children = info.children
        pages = info.pages
        bytes = info.bytes
        referenced = info.referenced
        unreadable = info.unreadable
        lost = info.lost
        expectedPages = info.expectedPages
        losses = info.losses
        records = info.records.map(RecordCountRecord.init)
        contents = info.contents
        storedBytes = info.storedBytes
        fileBytes = overview.fileSize
        logBytes = overview.logSize == 0 ? nil : overview.logSize
        target =
            info.targetExitCode.map { TargetStatus(exitCode: $0) }
            ?? info.targetSignal.map { TargetStatus(signal: $0) }
    }
}

private struct ChangeRecord: Encodable {
    var type = "change"
    var address: String
    var length: Int
    var old: String
    var new: String

    init(_ start: Address, _ before: [UInt8], _ after: [UInt8]) {
        address = start.description
        length = after.count
        old = before.hexadecimal
        new = after.hexadecimal
    }
}

private struct StringRecord: Encodable {
    var type = "string"
    var region: Int64?
    var pid: Int32
    var address: String
    var length: UInt64
    var generation: Int
    var encoding: String
    var text: String
    var cut: Bool?
}
