// SPDX-License-Identifier: MIT
internal import HuskModel

/// A capture file as OCSF events, one JSON object per line.
public struct OCSFExport {
    private let file: CaptureFile
    private let json = JSONLines()

    public init(_ file: CaptureFile) {
        self.file = file
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
            case .event(.execution(let event)): return try write(execution(event, position))
            case .event(.loss(let loss)): return try write(self.loss(loss, position))
            case .event: return true
            }
        }
    }

    private func context(_ position: Int64) -> OCSFContext {
        OCSFContext(
            metadata: OCSFMetadata(
                product: OCSFProduct(version: file.info.huskVersion),
                correlationUid: file.info.uuid, sequence: position),
            device: OCSFDevice(hostname: file.info.host))
    }

    private func process(_ task: TaskIdentity, _ name: TargetText?) -> OCSFProcess {
        OCSFProcess(task, name: name, capture: file.info.uuid)
    }

    private func transition(_ capture: TransitionCapture, _ position: Int64) -> [UInt8] {
        let transition = capture.transition
        var record = OCSFRecord(
            OCSFActivity(transition), named: transition.kind.rawValue, time: transition.time,
            context(position), facts: TransitionFacts(capture))
        let target = process(transition.task, transition.threadName)
        record.process = target
        record.actor = OCSFActor(
            process: transition.writer.map { process($0.task, $0.threadName) } ?? target)
        record.baseAddress = transition.start.description
        record.size = Int64(clamping: transition.length)
        record.requestedPermissions = transition.requested.rawValue
        record.actualPermissions = transition.effective.rawValue
        record.statusId = transition.failure == nil ? 1 : 2
        record.statusCode = transition.failure.map(ErrorNames.symbol)
        return json.encode(record)
    }

    private func execution(_ execution: Execution, _ position: Int64) -> [UInt8] {
        var record = OCSFRecord(
            .other, named: "Execute", time: execution.time, context(position),
            facts: ExecutionRecord(execution))
        let target = process(execution.task, nil)
        record.process = target
        record.actor = OCSFActor(process: target)
        record.baseAddress = execution.address.description
        record.size = Int64(
            clamping: execution.region.upperBound.rawValue
                &- execution.region.lowerBound.rawValue)
        return json.encode(record)
    }

    private func loss(_ loss: Loss, _ position: Int64) -> [UInt8] {
        var record = OCSFRecord(
            base: "Loss", time: loss.time, context(position), facts: LossRecord(loss))
        record.severityId = 3
        record.message = "Husk could not capture something: \(loss.cause.rawValue)"
        return json.encode(record)
    }
}
