// SPDX-License-Identifier: MIT
internal import HuskModel

/// What Husk knows of a transition and other schemas have no place for.
struct TransitionFacts: Encodable {
    var kind: String
    var call: String?
    var abi: String
    var monotonicNs: UInt64
    var hostPid: Int32
    var hostTid: Int32
    var start: String
    var length: UInt64
    var requested: String
    var previous: String?
    var effective: String
    var shared: Bool
    var fresh: Bool
    var instructionPointer: String
    var backing: BackingRecord
    var caller: CallSiteRecord?
    var writer: WriterRecord?
    var trigger: String?
    var label: LabelRecord?
    var reference: ReferenceRecord?
    var pages: PageCountsRecord?
    var runs: [RunFacts]?
    var unreadable: [UnreadableRecord]?

    init(_ capture: TransitionCapture) {
        let transition = capture.transition
        kind = transition.kind.rawValue
        call = transition.call?.rawValue
        abi = transition.abi.rawValue
        monotonicNs = transition.time.monotonic
        hostPid = transition.task.hostPID
        hostTid = transition.task.hostTID
        start = transition.start.description
        length = transition.length
        requested = transition.requested.description
        previous = transition.previous?.description
        effective = transition.effective.description
        shared = transition.isShared
        fresh = transition.isFresh
        instructionPointer = transition.instructionPointer.description
        backing = BackingRecord(transition.backing)
        caller = transition.caller.map(CallSiteRecord.init)
        writer = transition.writer.map(WriterRecord.init)
        trigger = transition.trigger?.rawValue
        label = transition.label.map(LabelRecord.init)
        reference = transition.reference.map(ReferenceRecord.init)
        guard transition.hasPages else { return }
        pages = PageCountsRecord(capture)
        runs = capture.runs.map(RunFacts.init)
        unreadable = UnreadableRecord.ranges(of: capture.unreadable)
    }
}

/// A captured run of pages.
struct RunFacts: Encodable {
    var base: String
    var size: Int
    var hash: HashFacts
    /// The highest of its pages.
    var generation: Int
    /// Who took the bytes of its pages.
    var readers: [String]

    init(_ run: PageRun) {
        base = run.base.description
        size = run.size
        hash = HashFacts(sha256: run.digest.hexadecimal)
        generation = run.pages.map(\.generation).max() ?? 0
        readers = Set(run.pages.compactMap { $0.reader?.rawValue }).sorted()
    }
}

struct HashFacts: Encodable {
    var sha256: String
}
