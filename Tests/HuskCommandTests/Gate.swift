// SPDX-License-Identifier: MIT
import HuskTestSupport
import Testing

extension Trait where Self == ConditionTrait {
    /// Skips, with the reason, where the kernel or the rights do not allow probes.
    static var needsProbes: Self {
        .enabled(if: ProbeGate.isOpen, "\(ProbeGate.reason)")
    }
}
