// SPDX-License-Identifier: MIT
internal import Foundation
internal import HuskCapture
internal import HuskModel

/// What the templates are given (docs/view-data.md). All text is put in by {{ }}, which escapes it.
struct PageContext {
    typealias Values = [String: Any]

    private let documents: CaptureDocuments
    private let overview: OverviewDocument
    private let words: PlainWords

    /// Of the findings, layers and processes no more are shown without a script.
    private static let limit = 500
    /// Trees are no deeper than this: the template calls itself.
    private static let depth = 64

    /// - Parameter holdings: what a report has of the contents; nil: all can be looked at.
    init(
        _ documents: CaptureDocuments, _ overview: OverviewDocument,
        holdings: ReportWriter.Outcome? = nil
    ) {
        self.documents = documents
        self.overview = overview
        words = PlainWords(documents, overview, holdings: holdings)
    }

    func values() throws -> Values {
        let values: Values = [
            "title": documents.fileName, "summary": summary, "findings": findings,
            "layers": layers, "processes": try processes(), "losses": losses,
        ]
        return values.mapValues(Self.cut)
    }

    /// Browsers take minutes to lay out a word of 100,000 letters.
    private static func cut(_ value: Any) -> Any {
        switch value {
        case let text as String: CaptureDocuments.brief(text, limit: 1000)
        case let values as Values: values.mapValues(cut)
        case let list as [Any]: list.map(cut)
        default: value
        }
    }

    /// What is absent is false: a template would take the value of what is around it.
    private func present(_ values: [String: Any?]) -> Values { values.mapValues { $0 ?? false } }

    private func clock(_ nanoseconds: UInt64) -> String { Wording.seconds(nanoseconds) }

    private func range(_ start: String, _ length: UInt64) -> String {
        guard let first = UInt64(start, radix: 16) else { return start }
        let end = first.addingReportingOverflow(length)
        return "\(start)-\(Address(end.overflow ? .max : end.partialValue).hexadecimal)"
    }

    // MARK: Sections

    private var summary: Values {
        let capture = overview.capture
        let info = documents.file.info
        var facts: [(String, String)] = []
        if let command = info.command { facts.append(("command", PlainWords.shortened(command))) }
        facts += [
            (
                "host",
                "\(capture.host), \(capture.machine), \(Wording.count(UInt64(capture.cpus.magnitude), "CPU"))"
            ),
            ("kernel", capture.kernel), ("started", capture.startedWall),
        ]
        if let duration = capture.duration {
            facts.append(("took", "\(PlainWords.seconds(duration)) s"))
        }
        facts += [
            (
                "captured",
                "\(Wording.count(info.transitions, "transition")), "
                    + "\(Wording.count(words.regionCount, "region")), "
                    + "\(Wording.count(info.pages, "page")) (\(Wording.size(info.bytes)))"
            ),
            ("different contents", "\(info.contents)"),
        ]
        if info.executions > 0 { facts.append(("executions caught", "\(info.executions)")) }
        if info.attempts > 0 { facts.append(("failed attempts", "\(info.attempts)")) }
        if !info.options.isEmpty {
            let options = info.options.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            facts.append(
                ("options", CaptureDocuments.brief(options.joined(separator: " "), limit: 512)))
        }
        if let analysis = documents.analysis {
            facts.append(("YARA rules", analysis.rules ?? "none"))
        }
        facts += [("Husk", capture.huskVersion), ("capture", capture.uuid)]
        return [
            "sentences": words.sentences.map {
                ["tone": $0.tone.rawValue, "text": $0.text] as Values
            },
            "facts": facts.map { ["name": $0.0, "value": $0.1] as Values },
            "completeness": [
                "tone": words.completeness.tone.rawValue, "text": words.completeness.text,
            ] as Values,
        ]
    }

    private var findings: Values {
        let notable = overview.findings.filter { $0.importance == "notable" }
        let others = overview.findings.filter { $0.importance != "notable" }
        let shown = (notable + others).prefix(Self.limit)
        let items = shown.map { finding in
            present([
                "isNotable": finding.importance == "notable", "kind": finding.kind,
                "reason": finding.reason, "who": "\(finding.pid) \(finding.process)",
                "time": clock(finding.time),
                "place": finding.length > 0
                    ? "\(range(finding.start, finding.length)) (\(Wording.size(finding.length)))"
                    : "the whole process",
                "region": finding.region,
                "techniques": finding.techniques.map { ["id": $0.id, "name": $0.name] as Values },
            ])
        }
        let analysis = documents.analysis
        let left = overview.findings.count - shown.count + (analysis?.suppressed ?? 0)
        let isWhole = analysis.map { !$0.isCut && left == 0 } ?? false
        let jit = documents.analysis?.explainedByJIT ?? 0
        return present([
            "has": !items.isEmpty, "none": items.isEmpty && isWhole,
            "unknown": documents.analysis == nil, "notableCount": notable.count,
            "contextCount": others.count, "jit": jit > 0 ? jit : nil, "items": items,
            "left": left > 0 ? left : nil,
        ])
    }

    private var layers: Values {
        // Ordinary JIT code is in the table, not in the story of what unpacked what.
        let jit = Set(overview.regions.lazy.filter { $0.label == "jit" }.map(\.id))
        let ordinary = overview.layers.filter { $0.region.map { !jit.contains($0) } ?? true }
        let jitLayers = overview.layers.count - ordinary.count
        let shown = Array(ordinary.prefix(Self.limit))
        let children = Self.children(shown, id: \.id, parent: \.parent)
        func tree(_ layer: OverviewDocument.Layer) -> Values {
            let made = children[layer.id] ?? []
            return present([
                "title": "layer \(layer.number): \(range(layer.start, layer.length))",
                "size": Wording.size(layer.length),
                "place": layer.name ?? "\(layer.backing) memory", "by": layer.by,
                "time": clock(layer.time), "entry": layer.entry, "region": layer.region,
                "pid": layer.pid, "children": made.map(tree), "hasChildren": !made.isEmpty,
            ])
        }
        let items = (children[nil] ?? []).map(tree)
        let left =
            overview.layers.count - jitLayers - shown.count + overview.omitted.layers
        return present([
            "has": !items.isEmpty, "items": items, "left": left > 0 ? left : nil,
        ])
    }

    private func processes() throws -> Values {
        var programs: [Int64: [String]] = [:]
        var told = 0
        try documents.file.forEachProgram { process, program in
            told += 1
            var text = "executes \(CaptureDocuments.brief(program.name.escaped, limit: 512))"
            if let fileless = program.fileless { text += " (fileless: \(fileless.rawValue))" }
            programs[process, default: []].append(text)
            return told < 10_000
        }
        let shown = Array(overview.processes.prefix(Self.limit))
        let children = Self.children(shown, id: \.id, parent: \.parent)
        func tree(_ process: OverviewDocument.Process) -> Values {
            let made = children[process.id] ?? []
            var parts = Array((programs[process.id] ?? []).prefix(16))
            if let exit = process.exit {
                parts.append(exit.hasPrefix("signal") ? "ended by \(exit)" : "ended with \(exit)")
            }
            let from = process.started.map(clock) ?? "before the trace"
            return [
                "pid": process.pid, "name": process.name,
                "detail": parts.joined(separator: "; "),
                "time": "\(from) to \(process.ended.map(clock) ?? "its end")",
                "children": made.map(tree), "hasChildren": !made.isEmpty,
            ]
        }
        let left = documents.file.processes.count - shown.count
        return present([
            "items": (children[nil] ?? []).map(tree), "left": left > 0 ? left : nil,
        ])
    }

    /// What belongs under what. A tree that is too deep goes on in breadth: a template calls itself
    /// for each level, and who starts 1,000 processes one by the other hides none of them.
    private static func children<Item, ID: Hashable & Comparable>(
        _ items: [Item], id: (Item) -> ID, parent: (Item) -> ID?
    ) -> [ID?: [Item]] {
        var children: [ID?: [Item]] = [:]
        var places: [ID: (depth: Int, parent: ID?)] = [:]
        for item in items {
            var under = parent(item).flatMap { places[$0] == nil || $0 >= id(item) ? nil : $0 }
            if let place = under.flatMap({ places[$0] }), place.depth >= depth {
                under = place.parent
            }
            let level = under.flatMap { places[$0]?.depth }.map { $0 + 1 } ?? 0
            places[id(item)] = (level, under)
            children[under, default: []].append(item)
        }
        return children
    }

    private var losses: Values {
        let info = documents.file.info
        let items = overview.losses.prefix(Self.limit).map { loss in
            [
                "time": clock(loss.time), "cause": loss.cause,
                "place": (loss.pid.map { "process \($0) " } ?? "")
                    + (loss.start.map { range($0, loss.length) } ?? "place not known"),
                "count": loss.start == nil
                    ? Wording.count(loss.count, "record") : Wording.size(loss.length),
            ] as Values
        }
        let blind = overview.blindSpots.prefix(Self.limit).map { spot in
            present([
                "time": clock(spot.time),
                "place": "process \(spot.pid) \(range(spot.start, spot.length))",
                "reason": spot.reason, "region": spot.region,
            ])
        }
        let left =
            overview.losses.count - items.count + overview.omitted.losses
            + overview.blindSpots.count - blind.count + overview.omitted.blindSpots
        return present([
            "none": items.isEmpty && info.losses.isEmpty && blind.isEmpty,
            "sums": info.losses.sorted { $0.key < $1.key }.map {
                ["cause": $0.key, "pages": $0.value] as Values
            },
            "items": items, "blind": blind, "left": left > 0 ? left : nil,
        ])
    }
}
