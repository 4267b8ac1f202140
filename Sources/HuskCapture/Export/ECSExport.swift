// SPDX-License-Identifier: MIT
internal import HuskModel

/// A capture file as events in the fields of the Elastic Common Schema, one JSON object per line.
public struct ECSExport {
    private let file: CaptureFile
    private let json = JSONLines()
    private let parents: [Int32: Int32]
    private let names: [Int32: TargetText]

    public init(_ file: CaptureFile) {
        self.file = file
        var parents: [Int32: Int32] = [:]
        var names: [Int32: TargetText] = [:]
        for process in file.processes {
            names[process.hostPID] = process.name?.lastComponent
            if let parent = process.parent.flatMap(file.process) {
                parents[process.hostPID] = parent.pid
            }
        }
        self.parents = parents
        self.names = names
    }

    /// Writes the lines, in the order of what happened.
    ///
    /// - Parameters:
    ///   - onProgress: is told of the bytes of pages that were passed.
    ///   - write: is given one line with its newline; returns false to end.
    public func write(
        onProgress: (Int) -> Void = { _ in }, to write: ([UInt8]) throws -> Bool
    ) throws {
        try file.replayLines { position, line in
            onProgress(line.byteCount)
            switch line {
            case .transition(let capture): return try write(transition(capture, position))
            case .event(let event): return try self.line(event, position).map(write) ?? true
            }
        }
    }

    private func transition(_ capture: TransitionCapture, _ position: Int64) -> [UInt8] {
        let transition = capture.transition
        let type =
            switch transition.kind {
            case .present: "info"
            default: "change"
            }
        var record = record(
            ECSEvent(
                type, action: transition.kind.rawValue,
                outcome: transition.failure == nil ? "success" : "failure",
                in: file.info.uuid, position),
            transition.time, transition.task, TransitionFacts(capture),
            "\(transition.kind.rawValue) \(transition.start)-\(transition.end) "
                + "\(transition.previous?.description ?? "???") -> \(transition.effective)")
        record.process?.thread?.name = transition.threadName.escaped
        record.file = ECSFile(transition.backing)
        let hashes = Set(capture.runs.map(\.digest.hexadecimal)).sorted()
        if !hashes.isEmpty { record.related = ECSRelated(hash: hashes) }
        return json.encode(record)
    }

    private func line(_ event: Event, _ position: Int64) -> [UInt8]? {
        func described(_ type: String, _ action: String) -> ECSEvent {
            ECSEvent(type, action: action, in: file.info.uuid, position)
        }
        switch event {
        case .transition, .page, .transitionEnd: return nil
        case .loss(let loss):
            var told = described("info", "loss")
            told.outcome = "failure"
            return json.encode(
                record(
                    told, loss.time, loss.task, LossRecord(loss),
                    "not captured: \(loss.cause.rawValue)"))
        case .processExit(let exit):
            let facts = ProcessExitRecord(exit)
            var record = record(
                described("end", "exit"), exit.time, exit.task, facts, "process ended")
            record.process?.exitCode = facts.exitCode
            return json.encode(record)
        case .processStart(let start):
            let child = TaskIdentity(
                pid: start.child, tid: start.child, hostPID: start.hostChild,
                hostTID: start.hostChild)
            var record = record(
                described("start", "fork"), start.time, child, ProcessStartRecord(start),
                "process started")
            record.process?.parent = ECSProcess.Parent(pid: start.parent.pid)
            return json.encode(record)
        case .programExecution(let execution):
            var record = record(
                described("start", "exec"), execution.time, execution.task,
                ProgramExecutionRecord(execution), "program executed")
            record.process?.executable = execution.backing.file?.path?.escaped
            record.process?.name = execution.name.lastComponent.escaped
            record.file = ECSFile(execution.backing)
            return json.encode(record)
        case .sharedView(let view):
            let pid = view.executable.pid
            let process = file.processes.last { $0.pid == pid }
            let task = TaskIdentity(
                pid: pid, tid: 0, hostPID: process?.hostPID ?? 0, hostTID: 0)
            return json.encode(
                record(
                    described("info", "shared-view"), view.time, task, SharedViewRecord(view),
                    "executable memory is writable elsewhere"))
        case .blindSpot(let spot):
            return json.encode(
                record(
                    described("info", "blind-spot"), spot.time, spot.task, BlindSpotRecord(spot),
                    "executable memory can change unseen: \(spot.reason.rawValue)"))
        case .label(let region):
            return json.encode(
                record(
                    described("info", "label"), region.time, region.task,
                    LabelledRegionRecord(region), "region is \(region.label.kind.rawValue) code"))
        case .execution(let execution):
            return json.encode(
                record(
                    described("info", "execution"), execution.time, execution.task,
                    ExecutionRecord(execution), "new code entered at \(execution.address)"))
        }
    }

    private func record<Facts: Encodable>(
        _ event: ECSEvent, _ time: Timestamp, _ task: TaskIdentity?, _ facts: Facts,
        _ message: String
    ) -> ECSRecord<Facts> {
        let info = file.info
        var record = ECSRecord(
            timestamp: time.exactDate, event: event, message: message,
            agent: ECSAgent(version: info.huskVersion),
            host: ECSHost(
                name: info.host, hostname: info.host, architecture: info.machine,
                os: ECSSystem(kernel: info.kernel)), husk: facts)
        if let task {
            record.process = ECSProcess(
                pid: task.pid, name: names[task.hostPID]?.escaped,
                thread: task.tid == 0 ? nil : ECSProcess.Thread(id: task.tid),
                parent: parents[task.hostPID].map(ECSProcess.Parent.init(pid:)))
        }
        return record
    }
}

extension TargetText {
    /// Of a path: what is behind its last slash.
    fileprivate var lastComponent: TargetText {
        TargetText(bytes: bytes.split(separator: UInt8(ascii: "/")).last ?? [])
    }
}
