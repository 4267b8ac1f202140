// SPDX-License-Identifier: MIT
internal import Foundation
public import Husk

/// Whether tests that load probes can run here.
///
/// They are skipped, with the reason, on a machine without BPF. With HUSK_REQUIRE_PROBES=1
/// (in CI) they are never skipped: there they must run, or fail.
public enum ProbeGate {
    private static let report = SystemReport()

    public static var isOpen: Bool {
        report.canTrace || ProcessInfo.processInfo.environment["HUSK_REQUIRE_PROBES"] == "1"
    }

    public static var reason: String {
        let missing = report.checks.filter { $0.status == .missing }
        return "no probes here: "
            + missing.map { "\($0.name): \($0.detail)" }.joined(separator: "; ")
    }

    /// The ways to copy pages that this kernel offers: each is tested.
    public static var copyMethods: [CopyMethod] {
        report.copyMethod == .taskWork ? [.taskWork, .syscallExit] : [.syscallExit]
    }

    /// Execute-only memory cannot even be read by its own process here (pkeys(7)).
    public static let hasProtectionKeys =
        (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.contains(" ospke ")
        ?? false
}
