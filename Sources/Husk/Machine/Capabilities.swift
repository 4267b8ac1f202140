// SPDX-License-Identifier: MIT
internal import CHuskSystem

/// capabilities(7) that Husk may need.
struct Capability: Hashable, Sendable {
    /// Bit number, from linux/capability.h.
    let bit: UInt64
    let name: String
    let purpose: String

    static let sysPtrace = Capability(
        bit: 19, name: "CAP_SYS_PTRACE", purpose: "read another user's process")
    static let sysAdmin = Capability(
        bit: 21, name: "CAP_SYS_ADMIN",
        purpose: "read files behind mappings that have no name; stands for CAP_BPF too")
    static let perfmon = Capability(
        bit: 38, name: "CAP_PERFMON", purpose: "attach probes and read memory")
    static let bpf = Capability(
        bit: 39, name: "CAP_BPF", purpose: "load BPF programs and maps")
}

/// The effective capabilities of this process (capget(2)).
struct CapabilitySet: Sendable {
    private let bits: UInt64

    static func current() -> CapabilitySet {
        var error: Int32 = 0
        return CapabilitySet(bits: husk_effective_capabilities(&error))
    }

    func contains(_ capability: Capability) -> Bool {
        bits & (1 << capability.bit) != 0
    }

    /// Those of CAP_BPF and CAP_PERFMON that are missing; CAP_SYS_ADMIN stands for both.
    var missingForTracing: [Capability] {
        if contains(.sysAdmin) { return [] }
        return [.bpf, .perfmon].filter { !contains($0) }
    }
}
