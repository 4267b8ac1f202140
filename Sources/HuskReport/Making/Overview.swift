// SPDX-License-Identifier: MIT
internal import HuskAnalysis
internal import HuskCapture
internal import HuskModel

extension CaptureDocuments {
    /// Of losses and blind spots no more are listed.
    private static let listLimit = 2000
    /// Of processes and layers.
    private static let processLimit = 20_000

    func makeOverview() throws -> OverviewDocument {
        let selection = try regions.get()
        var document = OverviewDocument(capture: capture())
        document.processes = file.processes.prefix(Self.processLimit).map(process)
        document.omitted.processes = file.processes.count - document.processes.count
        document.layers = try layers(selection)
        document.omitted.layers = selection.layers.count - document.layers.count
        document.findings = findings(selection)
        document.omitted.regions = selection.omitted
        var lostPages: [Int64: UInt64] = [:]
        try file.forEachLoss { loss in
            // Where it is known, that of the call.
            let isEarly = document.losses.count < Self.listLimit
            let changed =
                try isEarly ? loss.transition.map { try file.regions(of: $0) } ?? [] : []
            let region =
                changed.count == 1
                ? changed[0]
                : loss.start.flatMap {
                    selection.region(holding: $0, pid: loss.task?.pid, at: loss.time.monotonic)
                }
            if let region { lostPages[region, default: 0] += min(loss.length / 4096 + 1, 1 << 40) }
            guard document.losses.count < Self.listLimit else {
                document.omitted.losses += 1
                return true
            }
            document.losses.append(
                .init(
                    cause: loss.cause.rawValue, time: time(loss.time), pid: loss.task?.pid,
                    start: loss.start?.hexadecimal, length: size(loss.length),
                    count: size(loss.count), region: region))
            return true
        }
        try file.forEachBlindSpot { spot in
            guard document.blindSpots.count < Self.listLimit else {
                document.omitted.blindSpots += 1
                return true
            }
            document.blindSpots.append(
                .init(
                    time: time(spot.time), pid: spot.task.pid, start: spot.start.hexadecimal,
                    length: size(spot.length), reason: spot.reason.words,
                    region: selection.region(
                        holding: spot.start, pid: spot.task.pid, at: spot.time.monotonic)))
            return true
        }
        document.regions = selection.regions.map {
            region($0, selection, lost: lostPages[$0.life.id] ?? 0)
        }
        return document
    }

    private func capture() -> OverviewDocument.Capture {
        let info = file.info
        return OverviewDocument.Capture(
            file: fileName, uuid: info.uuid, huskVersion: info.huskVersion,
            command: info.command?.prefix(256).map { Self.brief($0) }, host: info.host,
            kernel: info.kernel, machine: info.machine, cpus: info.cpus, options: info.options,
            startedWall: info.timestamp(info.started).date,
            duration: info.ended.map { time($0) }, finished: info.isFinished,
            complete: info.contradictsItself ? false : info.isComplete,
            pages: size(info.pages), bytes: size(info.bytes),
            expectedPages: size(info.expectedPages), unreadable: size(info.unreadable),
            lost: size(info.lost), transitions: size(info.transitions),
            attempts: size(info.attempts), looks: size(info.looks), regions: size(info.regions),
            executions: size(info.executions), blindSpots: size(info.blindSpots),
            children: size(info.children), contents: size(info.contents),
            storedBytes: size(info.storedBytes), losses: info.losses.mapValues(size))
    }

    private func process(_ process: StoredProcess) -> OverviewDocument.Process {
        OverviewDocument.Process(
            id: process.id, pid: process.pid, name: Self.brief(process.name?.escaped ?? ""),
            parent: process.parent, started: process.started.map { time($0) },
            ended: process.ended.map { time($0) }, exit: process.exit)
    }

    private func region(
        _ stored: StoredRegion, _ selection: RegionSelection, lost: UInt64
    ) -> OverviewDocument.Region {
        let life = stored.life
        let appearance = selection.appearances[life.id]
        return OverviewDocument.Region(
            id: life.id, process: stored.process, pid: life.task.pid,
            start: life.start.hexadecimal, length: size(life.length), born: time(life.born),
            gone: life.gone.map { time($0) }, protection: life.protection.description,
            shared: life.isShared, backing: life.backing.kind, name: life.backing.fileName,
            label: life.label?.kind.rawValue,
            detail: life.label.flatMap { $0.detail.isEmpty ? nil : Self.brief($0.detail.escaped) },
            transitions: life.transitions, snapshots: size(stored.snapshots),
            generation: stored.generation, layer: selection.layerOfRegion[life.id],
            importance: selection.importance(of: life.id),
            findings: selection.findings[life.id] ?? [], rules: selection.rules[life.id] ?? [],
            looks: appearance?.kind,
            entropy: appearance.map { $0.entropy.isFinite ? $0.entropy : 0 }, lost: size(lost))
    }

    private func layers(_ selection: RegionSelection) throws -> [OverviewDocument.Layer] {
        selection.layers.prefix(Self.processLimit).map { layer in
            OverviewDocument.Layer(
                id: layer.id, number: layer.number, parent: layer.parent, pid: layer.task.pid,
                region: selection.regionOfLayer[layer.id], time: time(layer.time),
                start: layer.start.hexadecimal, length: size(layer.length),
                backing: layer.backing.kind, name: layer.backing.fileName,
                entry: layer.entry?.hexadecimal, by: layer.makers)
        }
    }

    private func findings(_ selection: RegionSelection) -> [OverviewDocument.Finding] {
        (analysis?.findings ?? []).enumerated().map { number, finding in
            OverviewDocument.Finding(
                kind: finding.kind, importance: finding.importance,
                techniques: finding.techniques.map { .init(id: $0.id, name: $0.knownName) },
                reason: Self.brief(finding.reason), pid: finding.task.pid,
                process: Self.brief(finding.processName), time: time(finding.time),
                start: finding.start.hexadecimal, length: size(finding.length),
                region: selection.regionOfFinding[number], entry: finding.entry?.hexadecimal)
        }
    }
}

// MARK: - Words

extension StoredProcess {
    /// `status 0`, `signal 9`; nil: it lived when the trace ended.
    var exit: String? {
        guard let status else { return nil }
        let signal = status & 0x7F
        return signal == 0 ? "status \(status >> 8 & 0xFF)" : "signal \(signal)"
    }
}

extension Layer {
    /// Who has asked for it, and who has written it.
    var makers: String? {
        let asked = requester.map { "asked for by \(Wording.site($0))" }
        let written = writer.map { "written by \(Wording.site($0))" }
        let parts = [asked, written].compactMap { $0 }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }
}

extension Backing {
    /// The path, shortened.
    var fileName: String? {
        file.map { CaptureDocuments.brief(($0.path ?? $0.name).escaped) }
    }
}

extension AnalysisRecord.Technique {
    /// Stored analyses have only its number.
    var knownName: String {
        HuskAnalysis.Technique.all.first { $0.id == id }?.name ?? name
    }
}

extension BlindSpot.Reason {
    var words: String {
        switch self {
        case .writableAndExecutable: "writable and executable at once"
        case .writableElsewhere: "writable through another mapping"
        case .writerRanOn: "its writer ran on before it was read"
        case .asynchronousWrites: "written to by the kernel at times of its own"
        }
    }
}
