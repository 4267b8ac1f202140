// SPDX-License-Identifier: MIT
import Husk
import HuskAnalysis
import HuskCapture

/// The lines that people read: one for each transition, and the summary.
struct TextLines {
    let usesColour: Bool
    /// Instructions to show of each run of pages.
    let instructions: Int
    /// Kinds of code whose lines are left out.
    let hidden: Set<RegionLabel.Kind>
    /// The first event's time; lines count from there.
    private var origin: Timestamp?
    /// The generation last shown of each page that was looked at.
    private var shown: [PageKey: Int] = [:]

    /// - Parameter origin: from which times count; nil: the first event.
    init(
        usesColour: Bool, instructions: Int, hidden: Set<RegionLabel.Kind> = [],
        origin: Timestamp? = nil
    ) {
        self.origin = origin
        self.usesColour = usesColour
        self.instructions = instructions
        self.hidden = hidden
    }

    private typealias Colour = ControlSequence.Colour

    /// Nil: of no interest to people. Shared mappings that are not executable are told when they
    /// turn out to be the other face of code; a look that saw nothing new is none.
    mutating func line(_ capture: TransitionCapture) -> [UInt8]? {
        let transition = capture.transition
        if transition.isView || isHidden(transition) { return nil }
        if transition.kind == .look, !hasNews(capture) { return nil }
        var text = line(transition, outcome: outcome(capture))
        for run in capture.runs where instructions > 0 { text += disassembly(of: run) }
        return Array(text.utf8)
    }

    /// A transition of a capture file.
    mutating func line(_ summary: TransitionSummary) -> [UInt8] {
        Array(line(summary.transition, outcome: outcome(summary)).utf8)
    }

    private mutating func line(_ transition: Transition, outcome: String) -> String {
        let change = change(transition)
        var columns = [
            clock(transition.time),
            right(String(transition.task.pid), 7),
            left(transition.threadName.escaped, 15),
            left(action(transition), 8),
            left("\(transition.start.hexadecimal)-\(transition.end.hexadecimal)", 25),
            right(Self.size(transition.length), 8),
            paint(left(change, 11), colour(of: transition)),
            left(Self.backing(transition.backing), 20),
        ]
        columns.append(outcome)
        if let label = transition.label, label.kind == .jit || label.kind == .fileless {
            columns.append("[\(label.kind.rawValue): \(label.detail.escaped)]")
        }
        if let writer = transition.writer, writer.task.pid != transition.task.pid {
            columns.append("written by process \(writer.task.pid)")
        }
        return columns.joined(separator: " ").trimmingTrailingBlanks() + "\n"
    }

    /// An event that stands for itself.
    mutating func line(_ event: Event) -> [UInt8]? {
        switch event {
        case .loss(let loss): return line(loss)
        case .processExit(let exit): return line(exit)
        case .processStart(let start):
            let how = start.sharesMemory ? "started, sharing memory" : "started"
            return note(start.time, start.child, "\(how), by process \(start.parent.pid)")
        case .programExecution(let execution):
            var text = "executes \(execution.name.escaped)"
            if let fileless = execution.fileless {
                text += " " + paint("(fileless: \(fileless.rawValue))", .red)
            }
            return note(execution.time, execution.task.pid, text)
        case .sharedView(let view):
            return note(
                view.time, view.executable.pid,
                "\(Self.range(view.executable)) is the same memory as "
                    + "\(view.writable.protection) \(Self.range(view.writable))"
                    + (view.writable.pid == view.executable.pid
                        ? "" : " of process \(view.writable.pid)"))
        case .label(let region):
            if hidden.contains(region.label.kind) { return nil }
            return note(
                region.time, region.task.pid,
                "\(region.start.hexadecimal)-"
                    + "\(region.start.advanced(by: region.length).hexadecimal) is "
                    + "\(region.label.kind.rawValue) code (\(region.label.source.rawValue)"
                    + "\(region.label.detail.isEmpty ? "" : ", " + region.label.detail.escaped))")
        case .execution(let execution):
            return note(
                execution.time, execution.task.pid,
                "about to run \(execution.address.hexadecimal) in "
                    + "\(execution.region.lowerBound.hexadecimal)-"
                    + "\(execution.region.upperBound.hexadecimal)"
                    + (execution.sequence == 0 ? " for the first time" : ""))
        case .transition, .page, .transitionEnd, .blindSpot: return nil
        }
    }

    private mutating func note(_ time: Timestamp, _ pid: Int32, _ text: String) -> [UInt8] {
        Array("\(clock(time)) \(right(String(pid), 7)) \(text)\n".utf8)
    }

    private static func range(_ region: RegionReference) -> String {
        "\(region.start.hexadecimal)-\(region.end.hexadecimal)"
    }

    private func isHidden(_ transition: Transition) -> Bool {
        transition.label.map { hidden.contains($0.kind) } ?? false
    }

    /// What has happened; for a look or a write, at the occasion of which call.
    private func action(_ transition: Transition) -> String {
        switch transition.kind {
        case .look:
            transition.call.map { "look:" + $0.rawValue }
                ?? transition.trigger.map { "look:" + $0.rawValue } ?? "look"
        case .write: transition.call?.rawValue ?? "write"
        default: transition.kind.rawValue
        }
    }

    private mutating func hasNews(_ capture: TransitionCapture) -> Bool {
        var isNew = !capture.unreadable.isEmpty || !capture.losses.isEmpty
        for page in capture.runs.lazy.flatMap(\.pages) {
            let key = PageKey(pid: page.task.pid, address: page.address)
            if shown[key] != page.generation { isNew = true }
            shown[key] = page.generation
        }
        return isNew
    }

    private struct PageKey: Hashable {
        var pid: Int32
        var address: Address
    }

    private mutating func line(_ loss: Loss) -> [UInt8] {
        var text = "\(clock(loss.time)) \(paint("LOST", .red)) \(loss.cause.rawValue)"
        if let start = loss.start {
            text += ": \(start.hexadecimal)-\(start.advanced(by: loss.length).hexadecimal)"
            text += ", \(Self.size(loss.length))"
        } else {
            text += ": \(Self.count(loss.count, "record"))"
        }
        if let task = loss.task { text += " of process \(task.pid)" }
        return Array((text + "\n").utf8)
    }

    private mutating func line(_ exit: ProcessExit) -> [UInt8] {
        let signal = exit.status & 0x7F
        let how =
            signal == 0
            ? "ended with status \(exit.status >> 8 & 0xFF)" : "ended by signal \(signal)"
        return Array("\(clock(exit.time)) \(right(String(exit.task.pid), 7)) \(how)\n".utf8)
    }

    static func summary(_ tally: CaptureTally) -> [String] {
        var lines = [
            [
                count(UInt64(tally.transitions), "transition"),
                tally.attempts > 0 ? count(UInt64(tally.attempts), "failed attempt") : nil,
                count(UInt64(tally.regions), "executable region"),
                count(UInt64(tally.pages), "page") + " (\(size(tally.bytes)))",
                "\(tally.distinctContents.count)\(tally.distinctContents.isExact ? "" : " or more")"
                    + " distinct",
                tally.referenced > 0 ? count(tally.referenced, "page") + " on disk" : nil,
            ].compactMap { $0 }.joined(separator: ", ")
        ]
        if tally.blindSpots > 0 {
            lines.append(
                count(UInt64(tally.blindSpots), "region")
                    + " could change without a system call: captured at \(tally.looks) looks")
        }
        if tally.isComplete {
            lines.append("complete: \(tally.pages) of \(count(tally.expectedPages, "page"))")
            return lines
        }
        var missing = tally.losses.sorted { $0.key.rawValue < $1.key.rawValue }
            .map { "\($0.value) lost (\($0.key.rawValue))" }
        if tally.unreadable > 0 {
            missing.append(count(UInt64(tally.unreadable), "page") + " unreadable")
        }
        lines.append(
            "INCOMPLETE: \(tally.pages) of \(count(tally.expectedPages, "page")); "
                + missing.joined(separator: ", "))
        return lines
    }

    /// The tree of layers, without ordinary JIT code; nothing if there is nothing of interest.
    static func tree(of layers: [Layer]) -> [String] {
        let limit = 32
        let shown = layers.filter { $0.label?.kind != .jit }
        guard !shown.isEmpty else { return [] }
        var children: [Int?: [Layer]] = [:]
        for layer in shown { children[layer.parent, default: []].append(layer) }
        var lines = ["layers of code (0: files on disk):"]
        var pending = Array((children[nil] ?? []).reversed())
        while let layer = pending.popLast(), lines.count <= limit {
            lines.append(line(layer))
            pending += (children[layer.id] ?? []).reversed()
        }
        if shown.count > limit { lines.append("  ... \(shown.count - limit) more") }
        return lines
    }

    private static func line(_ layer: Layer) -> String {
        var parts = [
            String(repeating: "  ", count: max(0, min(layer.number, 16)))
                + "layer \(layer.number):",
            "\(layer.start.hexadecimal)-\(layer.end.hexadecimal)", "\(size(layer.length)),",
            "process \(layer.task.pid)",
        ]
        if let entry = layer.entry { parts.append("entered at \(entry.hexadecimal)") }
        if let requester = layer.requester {
            parts.append("asked for by \(site(requester))")
        }
        if let writer = layer.writer { parts.append("written by \(site(writer))") }
        return parts.joined(separator: " ")
    }

    static func site(_ site: CallSite) -> String { Wording.site(site) }

    // MARK: Columns

    mutating func clock(_ time: Timestamp) -> String {
        let start = origin ?? time
        origin = start
        // Of two CPUs, the later record may carry the earlier time.
        let elapsed = time.monotonic >= start.monotonic ? time.monotonic - start.monotonic : 0
        return right(Wording.seconds(elapsed), 11)
    }

    private func change(_ transition: Transition) -> String {
        let before = transition.isFresh ? "new" : transition.previous?.description ?? "???"
        if transition.isAttempt { return "\(before) -> \(transition.requested)" }
        if transition.effective.isEmpty, [.munmap, .mremap, .shmdt, .brk].contains(transition.kind)
        {
            return "\(before) -> gone"
        }
        return "\(before) -> \(transition.effective)"
    }

    private func colour(of transition: Transition) -> Colour? {
        if transition.effective.isSuperset(of: [.write, .execute]) { return .red }
        if transition.effective.contains(.execute), transition.backing.file == nil {
            return .yellow
        }
        return transition.effective.contains(.execute) ? nil : .dim
    }

    private func outcome(_ capture: TransitionCapture) -> String {
        outcome(
            capture.transition, end: capture.end, captured: UInt64(capture.pageCount),
            unreadable: UInt64(capture.unreadable.count),
            digest: capture.runs.count == 1 ? capture.runs[0].digest : nil)
    }

    private func outcome(_ summary: TransitionSummary) -> String {
        outcome(
            summary.transition, end: summary.end, captured: summary.end?.captured ?? 0,
            unreadable: summary.end?.unreadable ?? 0, digest: summary.digest)
    }

    private func outcome(
        _ transition: Transition, end: TransitionEnd?, captured: UInt64, unreadable: UInt64,
        digest: Digest?
    ) -> String {
        let failure = transition.failure.map { "failed: \(ErrorNames.symbol($0))" }
        if let failure, transition.isAttempt { return failure }
        if transition.hasVanished { return "vanished" }
        if let reference = transition.reference {
            return "on disk sha256:" + reference.digest.hexadecimal.prefix(16)
        }
        guard transition.hasPages else { return "" }
        var parts = [Self.count(captured, "page")]
        if let digest { parts[0] += " sha256:" + digest.hexadecimal.prefix(16) }
        if let end, end.untouched > 0 { parts.append("\(end.untouched) untouched") }
        if unreadable > 0 { parts.append("\(unreadable) unreadable") }
        if let end, end.lost > 0 { parts.append("\(end.lost) lost") }
        if end == nil { parts.append("cut off") }
        if let failure { parts.append(failure) }
        return parts.joined(separator: ", ")
    }

    private func disassembly(of run: PageRun) -> String {
        // The first page is enough: an instruction has at most 15 bytes, a page 4096.
        let code = Array(run.head)
        let decoded = Disassembler.instructions(of: code, at: run.base, limit: instructions)
        if decoded.isEmpty { return "             (the first bytes are no instruction)\n" }
        return decoded.map { instruction in
            let bytes = instruction.bytes.map(\.hexadecimal).joined(separator: " ")
            return "             \(instruction.address.hexadecimal)  \(left(bytes, 24))"
                + "\(instruction.mnemonic) \(instruction.operands)".trimmingTrailingBlanks() + "\n"
        }.joined()
    }

    static func backing(_ backing: Backing) -> String { Wording.backing(backing) }

    // MARK: Parts

    static func count(_ number: UInt64, _ noun: String, _ plural: String? = nil) -> String {
        Wording.count(number, noun, plural)
    }

    static func size(_ bytes: UInt64) -> String { Wording.size(bytes) }

    private func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    private func paint(_ text: String, _ colour: Colour?) -> String {
        usesColour ? ControlSequence.paint(text, colour) : text
    }
}

extension String {
    func trimmingTrailingBlanks() -> String {
        var result = self[...]
        while result.last == " " { result.removeLast() }
        return String(result)
    }
}
