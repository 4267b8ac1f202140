// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc

/// The processes that the probes have stopped because the ring was full (bpf/stopping.h): lets them
/// go on when what was sent before their stop has been read. If Husk dies, a helper process does.
final class Guardian {
    private let probes: ProbeObject
    private var helper: husk_guardian
    /// How many stops had been made when they were looked at last.
    private var seen: UInt64 = 0
    private var mayBeStopped = false

    private static let moment: UInt64 = 20_000_000

    /// The enforcer of W^X looks at the note of a stop before it delivers it: then the note goes
    /// first, or a SIGCONT between two stops of a thread would be for nothing. Else the signal does:
    /// should Husk die in between, its helper still has the note.
    private let notesGoFirst: Bool

    /// - Throws: ``HuskError/Code/system``: fork(2) has failed.
    init(_ probes: ProbeObject, isBesideTracer: Bool) throws(HuskError) {
        self.probes = probes
        notesGoFirst = isBesideTracer
        helper = husk_guardian()
        let result = husk_guardian_start(
            probes.stoppedDescriptor, probes.consumerDescriptor, &helper)
        guard result == 0 else {
            throw HuskError(.system, "cannot start a helper process", errno: -result)
        }
    }

    /// Those whose records have all been read.
    ///
    /// - Parameters:
    ///   - position: of the ring's consumer.
    ///   - isEmpty: nothing is waiting in the ring. Else a thread may have left pages to Husk, and
    ///     its stop, if it has not come yet, would be taken back with that of another thread: for
    ///     a moment it is waited for.
    func letGo(upTo position: UInt64, isEmpty: Bool) {
        let count = probes.stopCount
        guard count != seen || mayBeStopped else { return }
        seen = count
        let stops = probes.stops()
        mayBeStopped = !stops.isEmpty
        // Several threads of a process may each have had to stop it.
        let now = SystemClock.monotonic
        for (pid, stops) in Dictionary(grouping: stops, by: \.stop.pid)
        where stops.allSatisfy({
            position >= $0.position && (isEmpty || now &- $0.time > Self.moment)
        }) {
            if !notesGoFirst { kill(pid, SIGCONT) }
            for (stop, _, _) in stops { probes.forget(stop) }
            if notesGoFirst { kill(pid, SIGCONT) }
        }
    }

    /// All of them; then the helper ends. The probes must be gone, or watch no one any more.
    func end() {
        letGo(upTo: .max, isEmpty: true)
        husk_guardian_end(&helper)
    }
}
