// SPDX-License-Identifier: MIT
internal import HuskAnalysis
internal import HuskCapture
internal import HuskModel

extension CaptureDocuments {
    private static let transitionLimit = 5000
    private static let snapshotLimit = 20_000
    private static let listLimit = 1000
    /// Contents whose entropy is remembered.
    private static let entropyLimit = 1 << 20
    /// Of one region, no more contents are read for it.
    private static let readLimit = 8192

    /// - Parameters:
    ///   - held: pages that can be shown; nil: all.
    ///   - Returns: nil: there is no such region.
    func detail(of id: Int64, held: Set<PageName>?) throws -> RegionDocument? {
        guard let region = try file.region(id) else { return nil }
        // A name that begins with - would be taken for an option.
        let name = file.path.hasPrefix("-") ? "./" + file.path : file.path
        var document = RegionDocument(
            id: id, command: "husk show r\(id) \(ShellWord.quoted(TargetText(name).escaped))")
        let rows = try addTransitions(of: region, to: &document)
        try addSnapshots(of: region, rows: rows, held: held, to: &document)
        addAnalysis(of: id, to: &document)
        try addExecutions(of: region, to: &document)
        return document
    }

    /// Returns the rows of the transitions, by their IDs: a call may have several, and so several
    /// of one region.
    private func addTransitions(
        of region: StoredRegion, to document: inout RegionDocument
    ) throws -> [Transition.ID: [Int]] {
        var callers = WordList()
        var writers = WordList()
        var threads = WordList()
        var rows: [Transition.ID: [Int]] = [:]
        try file.forEachTransitionSummary(ofRegion: region.life.id) { summary in
            let transition = summary.transition
            guard document.transitions.time.count < Self.transitionLimit else {
                document.omitted.transitions += 1
                return true
            }
            rows[transition.id, default: []].append(document.transitions.time.count)
            document.transitions.add(transition, summary.end, time: time(transition.time))
            let caller = try transition.caller.map {
                try origins.describe($0, of: region.process, at: transition.time)
            }
            document.transitions.caller.append(callers.number(of: caller))
            let writer = transition.writer.map { "\($0.task.pid) \($0.threadName.escaped)" }
            document.transitions.writer.append(writers.number(of: writer))
            document.transitions.thread.append(
                threads.number(of: "\(transition.task.tid) \(transition.threadName.escaped)"))
            return true
        }
        document.callers = callers.words
        document.writers = writers.words
        document.threads = threads.words
        return rows
    }

    private func addSnapshots(
        of region: StoredRegion, rows: [Transition.ID: [Int]], held: Set<PageName>?,
        to document: inout RegionDocument
    ) throws {
        var reads = 0
        try file.forEachSnapshot(region: region.life.id) { snapshot in
            let page = snapshot.page
            guard document.snapshots.time.count < Self.snapshotLimit,
                let row = rows[page.transition]?.last
            else {
                document.omitted.snapshots += 1
                return true
            }
            document.snapshots.transition.append(row)
            document.snapshots.address.append(page.address.hexadecimal)
            document.snapshots.size.append(page.size)
            document.snapshots.time.append(time(page.time))
            document.snapshots.generation.append(page.generation)
            document.snapshots.content.append(snapshot.content?.rawValue ?? -1)
            if case .unreadable(let reason, _) = page.body {
                document.snapshots.unreadable.append(reason.rawValue)
            } else {
                document.snapshots.unreadable.append(nil)
            }
            let name = snapshot.content.map {
                PageName(content: $0.rawValue, address: page.address)
            }
            let isHeld = name.map { held?.contains($0) ?? true } ?? false
            document.snapshots.held.append(isHeld ? 1 : 0)
            // Of what cannot be shown it is told too, as far as that is cheap.
            let entropy = snapshot.content.flatMap { entropies[$0] }
            if let content = snapshot.content, entropy == nil, reads < Self.readLimit {
                reads += 1
                document.snapshots.entropy.append(try entropyOf(content))
            } else {
                document.snapshots.entropy.append(entropy ?? -1)
            }
            return true
        }
    }

    private func entropyOf(_ content: ContentReference) throws -> Int {
        let bytes = try file.bytes(of: content)
        let entropy = Int((Entropy.bitsPerByte(bytes) * 10).rounded())
        if entropies.count < Self.entropyLimit { entropies[content] = entropy }
        return entropy
    }

    private func addAnalysis(of id: Int64, to document: inout RegionDocument) {
        document.matches = (matches[id] ?? []).prefix(Self.listLimit)
            .map(RegionDocument.Match.init)
        document.appearances = (appearances[id] ?? []).prefix(Self.listLimit)
            .map(RegionDocument.Appearance.init)
    }

    private func addExecutions(
        of region: StoredRegion, to document: inout RegionDocument
    ) throws {
        var filter = CaptureFilter()
        filter.pid = region.life.task.pid
        let end = region.life.start.rawValue.addingReportingOverflow(region.life.length)
        filter.addresses = region.life.start..<Address(end.overflow ? .max : end.partialValue)
        let (born, gone) = (region.life.born.monotonic, region.life.gone?.monotonic ?? .max)
        let began = file.info.started
        guard began <= born, born <= gone else { return }
        filter.times = (born - began)...(gone - began)
        try file.forEachExecution(filter) { execution in
            document.executions.append(
                .init(
                    time: time(execution.time), address: execution.address.hexadecimal,
                    thread: String(execution.task.tid),
                    writer: try execution.writer.map {
                        try origins.describe($0, of: region.process, at: execution.time)
                    }))
            return document.executions.count < Self.listLimit
        }
    }
}

extension RegionDocument.Transitions {
    fileprivate mutating func add(
        _ transition: Transition, _ end: TransitionEnd?, time: UInt64
    ) {
        self.time.append(time)
        kind.append(transition.kind.rawValue)
        call.append(transition.call?.rawValue ?? transition.trigger?.rawValue)
        previous.append(transition.isFresh ? "new" : transition.previous?.description)
        effective.append(transition.effective.description)
        start.append(transition.start.hexadecimal)
        length.append(min(transition.length, 1 << 53))
        captured.append(min(end?.captured ?? 0, 1 << 53))
        unchanged.append(min(end?.unchanged ?? 0, 1 << 53))
        unreadable.append(min(end?.unreadable ?? 0, 1 << 53))
        lost.append(min(end?.lost ?? 0, 1 << 53))
    }
}

extension RegionDocument.Match {
    fileprivate init(_ match: AnalysisRecord.RuleMatch) {
        self.init(
            rule: match.rule, namespace: match.namespace, tags: match.tags,
            metadata: match.metadata, generation: match.generation,
            strings: match.strings.prefix(256).map {
                .init(
                    identifier: $0.identifier, address: $0.address.hexadecimal,
                    length: min($0.length, 1 << 53), data: $0.data.prefix(64).hexadecimal)
            })
    }
}

extension RegionDocument.Appearance {
    fileprivate init(_ appearance: AnalysisRecord.Appearance) {
        self.init(
            generation: appearance.generation, start: appearance.start.hexadecimal,
            length: min(appearance.length, 1 << 53), kind: appearance.kind,
            entropy: appearance.entropy.isFinite ? appearance.entropy : 0,
            reasons: appearance.reasons,
            images: appearance.images.map { image in
                .init(
                    address: image.address.hexadecimal, format: image.format,
                    summary: CaptureDocuments.brief(image.summary),
                    importHash: image.importHash.map { "\($0.kind) \($0.value)" })
            })
    }
}

/// A word as a shell takes it.
enum ShellWord {
    static func quoted(_ word: String) -> String {
        let plain = word.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "/._-+,:@=%".utf8.contains($0)
            }
        }
        guard !plain || word.isEmpty else { return word }
        return "'"
            + word.split(separator: "'", omittingEmptySubsequences: false)
            .joined(separator: "'\\''") + "'"
    }
}
