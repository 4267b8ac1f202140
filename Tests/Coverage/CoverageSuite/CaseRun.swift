// SPDX-License-Identifier: MIT
import Foundation
import Glibc
public import Husk
import HuskTestSupport

/// A case, run under a tracer and judged.
public struct CaseResult: Sendable, Codable {
    public var name: String
    public var verdict: Verdict
    public var truths: Int
    public var exact: Int
    /// What the capture says of what is missing, the reason for a skip, or what went wrong.
    public var note: String?
    public var seconds: Double
}

public struct CaseRun {
    public var method: CopyMethod?
    public var probes: ProbeKind?
    public var scaledDown: Bool
    public var rwx: RWXMode
    package var guardLimit = GuardReach.allPages

    public init(
        method: CopyMethod? = nil, probes: ProbeKind? = nil, scaledDown: Bool = false,
        rwx: RWXMode = .observe
    ) {
        self.method = method
        self.probes = probes
        self.scaledDown = scaledDown
        self.rwx = rwx
    }

    /// Everything that one run has given: for tests that look closer than the verdict.
    public struct Evidence: Sendable {
        public var events: [Event]
        public var losses: [Loss]
        public var output: String
        public var status: HeldCommand.Status
    }

    public func trace(_ item: CoverageCase) throws -> Evidence {
        let folder = try TemporaryFolder()
        let path = folder.path + "/output"
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0o600)
        guard file >= 0 else { throw CocoaError(.fileWriteUnknown) }
        defer { close(file) }
        let command = try HeldCommand(
            [item.path] + item.arguments(scaledDown: scaledDown), standardOutput: file)
        let events = Locked<[Event]>([])
        let hasEnded = Locked(false)
        var configuration = Tracer.Configuration()
        configuration.copyMethod = method
        configuration.probeKind = probes
        configuration.rwx = rwx
        configuration.guardLimit = guardLimit
        configuration.retainsPages = false
        configuration.eventBufferLimit = 0
        configuration.onEvent = { event in events.update { $0.append(event) } }
        configuration.onEnd = { hasEnded.update { $0 = true } }
        let tracer = Tracer(pid: command.pid, configuration: configuration)
        try tracer.start()
        try command.execute()
        let deadline = Date(timeIntervalSinceNow: 240)
        var status = command.poll()
        while status == .running || !hasEnded.value, Date() < deadline {
            usleep(1000)
            status = status == .running ? command.poll() : status
        }
        if status == .running { kill(command.pid, SIGKILL) }
        try tracer.stop()
        return Evidence(
            events: events.value, losses: tracer.losses,
            output: String(
                decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self),
            status: status)
    }

    public func run(_ item: CoverageCase) -> CaseResult {
        let start = Date()
        var result = CaseResult(
            name: item.name, verdict: .failed, truths: 0, exact: 0, note: nil, seconds: 0)
        do {
            judge(try trace(item), &result)
        } catch {
            result.note = "\(error)"
        }
        result.seconds = Date().timeIntervalSince(start)
        return result
    }

    private func judge(_ evidence: Evidence, _ result: inout CaseResult) {
        if evidence.status == .exited(77) {
            result.verdict = .skipped
            result.note = evidence.output.split(separator: "\n").last.map {
                String($0.drop { $0 != " " }.dropFirst())
            }
            return
        }
        guard evidence.status == .exited(0) else {
            result.note = "ended with \(evidence.status)"
            return
        }
        let truths = Truth.read(evidence.output)
        let verdicts = Judge(evidence.events).verdicts(on: truths)
        result.truths = truths.count
        result.exact = verdicts.count { $0.verdict == .exact }
        result.verdict = verdicts.map(\.verdict).max() ?? .exact
        let reasons = Set(verdicts.compactMap(\.reason)).sorted()
        result.note = reasons.isEmpty ? nil : reasons.joined(separator: ", ")
        // Losses that belong to no truth are losses all the same.
        let causes = Set(evidence.losses.map(\.cause.rawValue)).subtracting(reasons).sorted()
        if !causes.isEmpty {
            let text = "losses: " + causes.joined(separator: ", ")
            result.note = [result.note, text].compactMap { $0 }.joined(separator: "; ")
        }
    }
}
