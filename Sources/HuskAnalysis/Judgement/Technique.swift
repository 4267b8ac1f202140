// SPDX-License-Identifier: MIT

/// A technique of MITRE ATT&CK (Enterprise), by its number and name.
public struct Technique: Hashable, Sendable {
    /// `T1055`, or `T1055.008` of a sub-technique.
    public let id: String
    /// Its own name, without that of the technique it belongs to.
    public let name: String

    public static let softwarePacking = Technique(id: "T1027.002", name: "Software Packing")
    public static let processInjection = Technique(id: "T1055", name: "Process Injection")
    public static let ptraceSystemCalls = Technique(id: "T1055.008", name: "Ptrace System Calls")
    public static let procMemory = Technique(id: "T1055.009", name: "Proc Memory")
    public static let vdsoHijacking = Technique(id: "T1055.014", name: "VDSO Hijacking")
    public static let deobfuscation = Technique(
        id: "T1140", name: "Deobfuscate/Decode Files or Information")
    public static let reflectiveCodeLoading = Technique(
        id: "T1620", name: "Reflective Code Loading")

    /// All that Husk names.
    public static let all: [Technique] = [
        softwarePacking, processInjection, ptraceSystemCalls, procMemory, vdsoHijacking,
        deobfuscation, reflectiveCodeLoading,
    ]
}
