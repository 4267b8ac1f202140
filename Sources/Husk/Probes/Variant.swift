// SPDX-License-Identifier: MIT

/// Where the probes see system calls. Both give the same records.
public enum ProbeKind: String, Hashable, Sendable, CaseIterable {
    /// At the raw tracepoints sys_enter and sys_exit: on every kernel, but every system call of
    /// every process on the machine becomes slower.
    case tracepoints
    /// At the kernel functions behind the calls that matter (kprobe.multi): no other call pays.
    case functions
}

/// When memory that can change without a call is looked at for the last time, whatever ends
/// the process.
public enum LastLook: String, Hashable, Sendable, CaseIterable {
    /// In sched_process_exit, which comes before the memory goes since Linux 6.16.
    case exitTracepoint = "exit-tracepoint"
    /// In a hook on a kernel function of do_exit(): older kernels that allow such hooks.
    case functionHook = "function-hook"
    /// At exit_group(2) only: a process that a signal ends is not looked at.
    case exitCall = "exit-call"
}

/// One way to load the probes.
struct Variant: Sendable {
    var kind: ProbeKind
    var flavor: DeferredFlavor
    var lastLook: LastLook

    /// What the kernel's types say it has, best first. Whether it may be used shows when the
    /// programs are loaded and attached; the last one needs least.
    static func offered(by kernel: KernelTypes) -> [Variant] {
        let lastLooks: [LastLook] =
            kernel.exitTracepointHasMemory ? [.exitTracepoint] : [.functionHook, .exitCall]
        return (kernel.flavors + [.none]).flatMap { flavor in
            // The function probes bring a last look of their own.
            (HookPlace.areFunctionsComplete(in: kernel)
                ? [Variant(kind: .functions, flavor: flavor, lastLook: .functionHook)] : [])
                + lastLooks.map { Variant(kind: .tracepoints, flavor: flavor, lastLook: $0) }
        }
    }

    /// It needs a hook on a kernel function, which may be refused where all else is allowed.
    var needsFunctionHooks: Bool {
        kind == .functions || lastLook == .functionHook
    }
}
