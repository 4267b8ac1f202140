// SPDX-License-Identifier: MIT
internal import HuskModel

/// Makes findings of what a ``Judge`` has noticed: only at the end, because labels come late.
struct Verdict {
    private let judge: Judge
    /// Layers by process and start.
    private let layers: [LayerKey: [Layer]]

    private struct LayerKey: Hashable {
        var pid: Int32
        var start: Address
    }

    init(_ judge: Judge) {
        self.judge = judge
        layers = Dictionary(grouping: judge.layers.layers) {
            LayerKey(pid: $0.task.pid, start: $0.start)
        }
    }

    func judgement() -> Judgement {
        var judgement = Judgement()
        judgement.unfollowed = judge.unfollowed
        var findings: [Finding] = judge.programs.map(finding)
        for index in judge.regions.indices {
            let region = judge.regions[index]
            if region.isJIT, region.marks.keys.contains(where: Self.isOfJIT) {
                judgement.explainedByJIT += 1
            }
            findings += self.findings(of: region)
        }
        findings += judge.views.compactMap(finding)
        findings = Self.merged(findings)
        if findings.count > Judge.findingLimit {
            judgement.suppressed = findings.count - Judge.findingLimit
            let notable = findings.filter { $0.importance == .notable }
            let context = findings.filter { $0.importance == .context }
            findings = Array((notable + context).prefix(Judge.findingLimit))
        }
        judgement.findings = findings.sorted {
            ($0.time, $0.start, $0.kind.rawValue) < ($1.time, $1.start, $1.kind.rawValue)
        }
        return judgement
    }

    /// What a JIT compiler does all day.
    private static func isOfJIT(_ kind: Finding.Kind) -> Bool {
        switch kind {
        case .writtenThenExecutable, .deeperLayer, .writableAndExecutable, .filelessMapping,
            .dualMapping, .executedWhileWritable, .ownWrite, .decrypted, .executableStack,
            .executableHeap, .imageInMemory:
            true
        case .foreignWrite, .filelessProgram, .textRewritten, .vdsoChanged: false
        }
    }

    /// The same at the same place, again and again, is one finding.
    private static func merged(_ findings: [Finding]) -> [Finding] {
        struct Key: Hashable {
            var pid: Int32
            var kind: Finding.Kind
            var start: Address
            var length: UInt64
        }
        var places: [Key: Int] = [:]
        var merged: [Finding] = []
        for finding in findings.sorted(by: { $0.time < $1.time }) {
            let key = Key(
                pid: finding.task.pid, kind: finding.kind, start: finding.start,
                length: finding.length)
            guard finding.length > 0, let place = places[key] else {
                places[key] = merged.count
                merged.append(finding)
                continue
            }
            let (sum, overflow) = merged[place].evidence.count.addingReportingOverflow(
                finding.evidence.count)
            merged[place].evidence.count = overflow ? .max : sum
            let room = Judge.evidenceLimit - merged[place].evidence.transitions.count
            merged[place].evidence.transitions += finding.evidence.transitions.prefix(max(0, room))
            if finding.importance == .notable, merged[place].importance == .context {
                let evidence = merged[place].evidence
                merged[place] = finding
                merged[place].evidence.count = evidence.count
            }
        }
        return merged
    }

    // MARK: Regions

    private func findings(of region: JudgedRegion) -> [Finding] {
        let layer = layer(of: region)
        var marks = region.marks
        if region.isJIT {
            marks = marks.filter { !Self.isOfJIT($0.key) }
            // An image in there is odd, but debuggers are told of JIT code by ELF images.
            if let image = region.marks[.imageInMemory] { marks[.imageInMemory] = image }
        } else if let layer, layer.number > 1,
            let made = marks[.writtenThenExecutable] ?? marks[.writableAndExecutable]
        {
            marks[.writtenThenExecutable] = nil
            marks[.writableAndExecutable] = nil
            marks[.deeperLayer] = made
        }
        return Finding.Kind.allCases.compactMap { kind in
            guard let mark = marks[kind] else { return nil }
            let account = Account(region: region, mark: mark, layer: layer, layers: judge.layers)
            guard let (importance, techniques, reason) = account.statement(of: kind) else {
                return nil
            }
            return Finding(
                kind: kind,
                importance: region.isJIT && kind == .imageInMemory ? .context : importance,
                techniques: techniques, reason: reason, task: mark.task,
                processName: region.name, time: mark.time, start: region.start,
                length: region.length,
                evidence: Finding.Evidence(
                    transitions: mark.transitions, count: mark.count, layer: layer?.id,
                    requester: mark.requester ?? region.requester, writer: mark.writer,
                    writingCode: region.writingCode, entry: region.entry,
                    appearance: region.appearance, images: region.images))
        }
    }

    /// The newest layer that begins there and is not younger than the region.
    private func layer(of region: JudgedRegion) -> Layer? {
        layers[LayerKey(pid: region.task.pid, start: region.start)]?
            .last { $0.time <= region.time }
    }

    // MARK: Programs and views

    private func finding(_ program: Judge.Program) -> Finding {
        let execution = program.execution
        let place =
            switch execution.fileless {
            case .memfd: "a memfd, a file that never had a place in a folder"
            case .deleted: "a file that has been deleted"
            case .sharedMemory: "a file in /dev/shm, which is in memory only"
            case nil: "no file"
            }
        var reason = "executed \(execution.name.escaped), which is \(place)"
        if let file = execution.backing.file { reason += " (\(file.name.escaped))" }
        return Finding(
            kind: .filelessProgram, importance: .notable, techniques: [.reflectiveCodeLoading],
            reason: reason + Account.times(program.count), task: execution.task,
            processName: execution.name, time: execution.time, start: 0, length: 0,
            evidence: Finding.Evidence(count: program.count))
    }

    private func finding(_ view: Judge.View) -> Finding? {
        let (executable, writable) = (view.view.executable, view.view.writable)
        let region =
            view.region.map { judge.regions[$0] }
            ?? judge.regions.last {
                $0.task.pid == executable.pid && $0.start == executable.start
            }
        if region?.isJIT == true { return nil }
        let isOther = executable.pid != writable.pid
        let name = view.view.backing.file.map { " (\($0.name.escaped))" } ?? ""
        let reason =
            "\(Account.size(executable.length)) of \(view.view.backing.kind)\(name) are executable "
            + "(\(executable.protection)) at \(executable.start) and the same memory is writable "
            + "(\(writable.protection)) at \(writable.start)"
            + (isOther ? " in process \(writable.pid)" : "")
            + ": code can change with no system call" + Account.times(view.count)
        let task =
            region?.task
            ?? TaskIdentity(
                pid: executable.pid, tid: executable.pid, hostPID: 0, hostTID: 0)
        return Finding(
            kind: .dualMapping, importance: .notable,
            techniques: [isOther ? .processInjection : .reflectiveCodeLoading], reason: reason,
            task: task, processName: region?.name ?? TargetText(""), time: view.view.time,
            start: executable.start, length: executable.length,
            evidence: Finding.Evidence(
                count: view.count, requester: region?.requester, appearance: region?.appearance,
                images: region?.images ?? []))
    }
}
