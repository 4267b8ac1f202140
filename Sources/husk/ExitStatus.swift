// SPDX-License-Identifier: MIT
import Husk
import HuskAnalysis
import HuskCapture

import func Glibc.exit

/// Husk's own exit statuses. Under `run` the target's own status is passed on in all other
/// cases: its code, or 128 + N if signal N ended it.
enum ExitStatus: Int32, Error, CaseIterable {
    case success = 0
    /// The arguments make no sense (EX_USAGE of sysexits.h). Nothing was started.
    case usage = 64
    /// What was asked for is not in the capture.
    case absent = 118
    /// The file is no capture file, is damaged, or is a newer Husk's.
    case noCapture = 119
    /// The process does not exist or cannot be traced.
    case noTarget = 120
    /// The kernel or the rights do not allow it.
    case notPossible = 121
    /// The trace worked, but something is missing from the capture.
    case incomplete = 122
    /// The output could not be written.
    case output = 123
    /// A stored capture is not what it says (`husk verify`).
    case notVerified = 124
    /// Husk itself has failed.
    case failure = 125
    /// The command was found and could not be executed.
    case notExecutable = 126
    /// The command was not found.
    case notFound = 127

    static let help = """
        EXIT STATUS
          0        success; under `run`: of the target
          64       the arguments make no sense
          118      what was asked for is not in the capture
          119      the file is no capture, is damaged, or a newer Husk has written it
          120      there is no such process, or it cannot be traced
          121      this kernel or your rights do not allow it (see `husk doctor`)
          122      the capture is incomplete: what is missing has been said
          123      the output could not be written
          124      `husk verify`: the capture is not what it says
          125      Husk itself has failed
          126, 127 the command cannot be executed, was not found
          other    under `run`: the target's own; 128 + N if signal N ended it
        """
}

/// A failure that knows how to be shown.
protocol ReportableFailure: Error {
    var summary: String { get }
    var advice: String? { get }
    var extra: String? { get }
    var exitStatus: ExitStatus { get }
}

extension HuskError: ReportableFailure {
    var summary: String { description }
    var advice: String? { hint }
    var extra: String? { code == .probesRefused ? details : nil }

    var exitStatus: ExitStatus {
        switch code {
        case .invalidPID, .noSuchProcess, .notTraceable, .alreadyTraced: .noTarget
        case .notPermitted, .unsupportedKernel, .probesRefused: .notPossible
        case .commandNotFound: .notFound
        case .commandNotExecutable: .notExecutable
        case .invalidConfiguration: .usage
        default: .failure
        }
    }
}

extension OutputError: ReportableFailure {
    var summary: String { description }
    var advice: String? { hint }
    var extra: String? { nil }
    var exitStatus: ExitStatus { .output }
}

extension VerificationError: ReportableFailure {
    var summary: String { description }
    var advice: String? { hint }
    var extra: String? { nil }
    var exitStatus: ExitStatus { .usage }
}

extension CaptureFileError: ReportableFailure {
    var summary: String { description }
    var advice: String? { hint }
    var extra: String? { nil }

    var exitStatus: ExitStatus {
        switch code {
        case .notReadable, .inUse: .usage
        case .notFound: .absent
        case .notWritable: .output
        default: .noCapture
        }
    }
}

extension ELFError: ReportableFailure {
    var summary: String { description }
    var advice: String? { hint }
    var extra: String? { nil }
    var exitStatus: ExitStatus { .absent }
}

extension YaraError: ReportableFailure {
    var summary: String {
        let place = [file, line.map(String.init)].compactMap { $0 }.joined(separator: ":")
        return place.isEmpty ? message : "\(place): \(message)"
    }
    var advice: String? { hint }
    var extra: String? { nil }
    var exitStatus: ExitStatus { .usage }
}

/// Ends the process.
func leave(_ status: Int32) -> Never {
    exit(status)
}
