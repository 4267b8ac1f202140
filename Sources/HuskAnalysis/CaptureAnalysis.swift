// SPDX-License-Identifier: MIT
public import HuskCapture
internal import HuskModel

/// Analyzes a whole capture: replays its events for the ``Judge``, looks at contents, carves images
/// out of them and applies rules to them.
///
/// Contents of code that is unchanged from a file, and the kernel's own, are left alone unless
/// `everything` is asked for. The same run of pages is looked at once, however often it was
/// captured.
public struct CaptureAnalysis {
    /// Runs that are remembered so as not to be looked at twice.
    private static let knownLimit = 1 << 16
    /// Larger runs are looked at in parts.
    private static let runLimit = 4 << 20
    /// Of these, no more are told.
    private static let appearanceLimit = 100_000
    private static let matchLimit = 10_000

    public var everything = false
    /// Called with the number of pages that have been passed.
    public var onProgress: ((UInt64) -> Void)?

    private let file: CaptureFile
    private let scanner: YaraScanner?

    public init(_ file: CaptureFile, rules: YaraRules?) throws(YaraError) {
        self.file = file
        scanner = try rules.map { rules throws(YaraError) in try YaraScanner(rules) }
    }

    /// Pages of one transition that lie side by side.
    private struct Run {
        var transition: Transition.ID
        var region: Int64?
        var start: Address
        var bytes: [UInt8] = []
        var contents: [ContentReference] = []
        var generations: [Int] = []
        var traits: [PageTraits] = []

        var end: Address { start.advanced(by: UInt64(bytes.count)) }
    }

    /// What makes two runs the same.
    private struct RunKey: Hashable {
        var start: Address
        var contents: [ContentReference]
    }

    private struct Progress {
        var judge = Judge()
        var regions = RegionTracker()
        /// The regions of transitions whose pages come, and whether all of these are looked at.
        var open: [Transition.ID: (region: Int64?, isWhole: Bool)] = [:]
        var runs: [Transition.ID: Run] = [:]
        var known: [RunKey: ContentFacts] = [:]
        /// Most pages of a run that has changed are as they were.
        var traits: [ContentReference: PageTraits] = [:]
        var pages: UInt64 = 0
        var record: AnalysisRecord
    }

    /// - Parameters:
    ///   - version: Husk's.
    ///   - rulesName: of the file or folder of the rules.
    /// - Throws: what reading the capture throws. Rules that take too long only cut the result.
    public func run(version: String, rulesName: String?) throws -> AnalysisRecord {
        var progress = Progress(
            record: AnalysisRecord(
                huskVersion: version, rules: rulesName.map { TargetText($0).escaped },
                everything: everything))
        try file.forEachEvent { _, event, content in
            let region = progress.regions.take(event)
            progress.judge.take(event)
            switch event {
            case .transition(let transition) where transition.hasPages:
                progress.open[transition.id] = (
                    region, everything || isOfInterest(transition)
                )
            case .page(let page):
                progress.pages += 1
                if progress.pages % 1024 == 0 { onProgress?(progress.pages) }
                guard let content else { break }
                try take(page, content, &progress)
            case .transitionEnd(let end):
                try close(end.transition, &progress)
                progress.open[end.transition] = nil
            default: break
            }
            return true
        }
        for id in progress.runs.keys.sorted(by: { $0.rawValue < $1.rawValue }) {
            try close(id, &progress)
        }
        return finish(progress)
    }

    private func isOfInterest(_ transition: Transition) -> Bool {
        switch transition.label?.kind {
        case .file, .kernel: false
        default: true
        }
    }

    private func take(
        _ page: Page, _ content: ContentReference, _ progress: inout Progress
    ) throws {
        guard let (region, isWhole) = progress.open[page.transition],
            // Code of a file is of interest once it has changed.
            isWhole || page.generation > 0
        else { return }
        let bytes = try file.bytes(of: content)
        if let run = progress.runs[page.transition],
            run.end != page.address || run.bytes.count >= Self.runLimit
        {
            try close(page.transition, &progress)
        }
        if progress.runs[page.transition] == nil {
            progress.runs[page.transition] = Run(
                transition: page.transition, region: region, start: page.address)
        }
        progress.runs[page.transition]?.bytes += bytes
        progress.runs[page.transition]?.contents.append(content)
        progress.runs[page.transition]?.generations.append(page.generation)
        let hasChanged = page.generation > 0
        let known = progress.traits[content].flatMap {
            hasChanged && $0.isCode == nil ? nil : $0
        }
        let traits = known ?? PageTraits(of: bytes[...], hasChanged: hasChanged)
        if progress.traits.count < Self.knownLimit { progress.traits[content] = traits }
        progress.runs[page.transition]?.traits.append(traits)
    }

    private func close(_ id: Transition.ID, _ progress: inout Progress) throws {
        guard let run = progress.runs.removeValue(forKey: id) else { return }
        let key = RunKey(start: run.start, contents: run.contents)
        if var facts = progress.known[key] {
            facts.transition = id
            progress.judge.note(facts)
            return
        }
        let facts = ContentFacts(
            of: run.bytes[...], at: run.start, transition: id, generations: run.generations,
            traits: run.traits)
        if progress.known.count < Self.knownLimit { progress.known[key] = facts }
        progress.judge.note(facts)
        guard let region = run.region else { return }
        note(facts, run, region, &progress.record)
        scan(run, region, &progress.record)
    }

    private func note(
        _ facts: ContentFacts, _ run: Run, _ region: Int64, _ record: inout AnalysisRecord
    ) {
        guard record.appearances.count < Self.appearanceLimit else {
            record.isCut = true
            return
        }
        record.appearances.append(
            AnalysisRecord.Appearance(
                region: region, transition: run.transition,
                generation: run.generations.max() ?? 0, start: run.start,
                length: UInt64(run.bytes.count), kind: facts.appearance.kind.rawValue,
                entropy: facts.appearance.entropy, reasons: facts.appearance.reasons,
                images: facts.images.map(\.record)))
    }

    private func scan(_ run: Run, _ region: Int64, _ record: inout AnalysisRecord) {
        guard let scanner else { return }
        do throws(YaraError) {
            let scan = try scanner.scan([YaraBlock(base: run.start, bytes: run.bytes)])
            if scan.isCut { record.isCut = true }
            for match in scan.matches {
                guard record.matches.count < Self.matchLimit else {
                    record.isCut = true
                    return
                }
                record.matches.append(
                    match.record(
                        region: region, transition: run.transition,
                        generation: run.generations.max() ?? 0))
            }
        } catch {
            // One run that a rule takes too long for does not cost the others.
            record.isCut = true
        }
    }

    private func finish(_ progress: Progress) -> AnalysisRecord {
        var record = progress.record
        let judgement = progress.judge.judgement()
        record.findings = judgement.findings.map(\.record)
        record.explainedByJIT = judgement.explainedByJIT
        record.suppressed = judgement.suppressed
        if judgement.unfollowed > 0 { record.isCut = true }
        return record
    }
}

extension Finding {
    fileprivate var record: AnalysisRecord.Finding {
        AnalysisRecord.Finding(
            kind: kind.rawValue, importance: importance.rawValue,
            techniques: techniques.map { .init(id: $0.id, name: $0.name) }, reason: reason,
            task: task, processName: processName.escaped, time: time, start: start,
            length: length, layer: evidence.layer, entry: evidence.entry,
            transitions: evidence.transitions)
    }
}

extension CarvedImage {
    fileprivate var record: AnalysisRecord.Image {
        AnalysisRecord.Image(
            address: address, format: format.rawValue, claimedSize: claimedSize,
            availableSize: availableSize, entry: entry, summary: summary,
            importHash: importHash.map { ($0.kind.rawValue, $0.value) })
    }
}

extension YaraMatch {
    fileprivate func record(
        region: Int64, transition: Transition.ID, generation: Int
    ) -> AnalysisRecord.RuleMatch {
        var metadata: [String: String] = [:]
        for meta in metas {
            metadata[TargetText(meta.name).escaped] =
                switch meta.value {
                case .text(let text): TargetText(text).escaped
                case .integer(let number): String(number)
                case .boolean(let flag): String(flag)
                }
        }
        return AnalysisRecord.RuleMatch(
            region: region, transition: transition, generation: generation,
            rule: TargetText(rule).escaped, namespace: TargetText(namespace).escaped,
            tags: tags.map { TargetText($0).escaped }, metadata: metadata,
            strings: strings.map {
                .init(
                    identifier: TargetText($0.identifier).escaped, address: $0.address,
                    length: $0.length, data: $0.data)
            })
    }
}
