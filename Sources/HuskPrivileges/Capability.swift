// SPDX-License-Identifier: MIT
internal import CHuskSystem

/// One of capabilities(7): those that Husk has a use for.
package struct Capability: Hashable, Sendable {
    /// Bit number, from linux/capability.h.
    package let bit: UInt64
    package let name: String
    /// What Husk needs it for.
    package let purpose: String

    package static let chown = Capability(
        bit: 0, name: "CAP_CHOWN", purpose: "give what is made to who has called Husk (sudo)")
    package static let dacOverride = Capability(
        bit: 1, name: "CAP_DAC_OVERRIDE", purpose: "write into folders of who has called Husk")
    package static let dacReadSearch = Capability(
        bit: 2, name: "CAP_DAC_READ_SEARCH", purpose: "read other users' files behind mappings")
    package static let fowner = Capability(
        bit: 3, name: "CAP_FOWNER", purpose: "set permissions of what is given away")
    package static let kill = Capability(
        bit: 5, name: "CAP_KILL", purpose: "let another user's process go that has been stopped")
    package static let sysPtrace = Capability(
        bit: 19, name: "CAP_SYS_PTRACE", purpose: "read another user's process")
    package static let sysAdmin = Capability(
        bit: 21, name: "CAP_SYS_ADMIN", purpose: "nothing: it stands for the others")
    package static let sysNice = Capability(
        bit: 23, name: "CAP_SYS_NICE", purpose: "read the ring before others have the CPU")
    package static let perfmon = Capability(
        bit: 38, name: "CAP_PERFMON", purpose: "attach probes and read memory")
    package static let bpf = Capability(
        bit: 39, name: "CAP_BPF", purpose: "load BPF programs and maps")
    package static let checkpointRestore = Capability(
        bit: 40, name: "CAP_CHECKPOINT_RESTORE",
        purpose: "read files behind mappings that have no name any more")

    /// Without these nothing can be traced.
    package static let neededForTracing: [Capability] = [.bpf, .perfmon]

    /// Without these there are limits.
    package static let usefulForTracing: [Capability] = [
        .sysPtrace, .kill, .dacReadSearch, .checkpointRestore, .sysNice,
    ]

    /// How to get what is missing.
    package static let hint =
        "run Husk as root, or: sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_kill+ep husk"
}

/// Some capabilities.
package struct CapabilitySet: Hashable, Sendable, ExpressibleByArrayLiteral {
    package let bits: UInt64

    package init(bits: UInt64) { self.bits = bits }

    package init(_ capabilities: [Capability]) {
        bits = capabilities.reduce(0) { $0 | 1 << $1.bit }
    }

    package init(arrayLiteral capabilities: Capability...) { self.init(capabilities) }

    package func contains(_ capability: Capability) -> Bool {
        bits & (1 << capability.bit) != 0
    }

    package func union(_ other: CapabilitySet) -> CapabilitySet {
        CapabilitySet(bits: bits | other.bits)
    }

    /// What the calling thread may do now (capget(2)).
    package static var effective: CapabilitySet {
        CapabilitySet(bits: husk_effective_capabilities())
    }

    /// Those of CAP_BPF and CAP_PERFMON that are missing; CAP_SYS_ADMIN stands for both.
    package var missingForTracing: [Capability] {
        if contains(.sysAdmin) { return [] }
        return Capability.neededForTracing.filter { !contains($0) }
    }
}

/// What a thread of Husk still needs when the probes are attached. Capabilities belong to threads,
/// and a thread hands its own on to those that it starts.
extension CapabilitySet {
    /// To keep a capture where root has been told to: files of its own, or of who has called sudo(8).
    package static let storing: CapabilitySet = [.chown, .dacOverride, .dacReadSearch, .fowner]

    /// To read what the probes could not: memory of other users' processes, and the files behind it.
    package static let readingTargets: CapabilitySet = [
        .sysPtrace, .kill, .dacReadSearch, .checkpointRestore,
    ]

    /// Both, on the threads of a trace: what reads the ring also tells what it has read.
    ///
    /// Without CAP_SYS_PTRACE a process can be read only by who has all capabilities that it has
    /// (ptrace(2)), and a command has those that Husk had when it was started.
    package static var tracing: CapabilitySet {
        let held = effective
        return readingTargets.union(storing).union(held.contains(.sysPtrace) ? [] : held)
    }

    /// To attach what is attached only when it is needed.
    package static let attaching = CapabilitySet(Capability.neededForTracing)

    /// From here on the calling thread has these at most, and cannot get others back.
    ///
    /// Returns false, and changes nothing, if the kernel refuses it.
    @discardableResult
    package func keep() -> Bool {
        husk_keep_capabilities(bits) == 0
    }
}
