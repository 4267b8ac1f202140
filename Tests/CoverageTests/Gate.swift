// SPDX-License-Identifier: MIT
import HuskTestSupport
import Testing

extension Trait where Self == ConditionTrait {
    /// Skips, with the reason, where no probes can be loaded.
    static var needsProbes: Self {
        .enabled(if: ProbeGate.isOpen, "\(ProbeGate.reason)")
    }
}
