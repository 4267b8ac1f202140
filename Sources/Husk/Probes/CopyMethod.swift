// SPDX-License-Identifier: MIT

/// How the kernel side copies pages.
public enum CopyMethod: String, Hashable, Sendable, CaseIterable {
    /// In a task-work callback: in the target's own context, before it runs on, faulting
    /// pages in, waiting for room in the ring. Linux 6.18 and later.
    case taskWork = "task-work"
    /// At the system call's exit, without faults. What is not resident is read from outside
    /// afterwards; what finds no room is lost.
    case syscallExit = "syscall-exit"
}

/// One of the ways to get a task-work callback, by the kfunc that this kernel has.
enum DeferredFlavor: Sendable {
    case none
    /// `bpf_task_work_schedule_resume_impl` with five arguments: Linux 6.18 and 6.19.
    case explicitProgram
    /// `bpf_task_work_schedule_resume`, to which the verifier adds one: Linux 7.0 and later.
    case implicitProgram

    var method: CopyMethod {
        switch self {
        case .none: .syscallExit
        case .explicitProgram, .implicitProgram: .taskWork
        }
    }

    /// The object that knows this kfunc, as base64: a kernel that has both names makes libbpf
    /// refuse an object that knows the other one by its older prototype.
    var embeddedObject: StaticString {
        switch self {
        case .explicitProgram: EmbeddedProbesExplicit.base64
        case .implicitProgram, .none: EmbeddedProbes.base64
        }
    }
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
    var flavor: DeferredFlavor
    var lastLook: LastLook

    /// What the kernel's types say it has, best first. Whether it may be used shows when the
    /// programs are loaded; the last one needs least.
    static func offered(by kernel: KernelTypes) -> [Variant] {
        let lastLooks: [LastLook] =
            kernel.exitTracepointHasMemory ? [.exitTracepoint] : [.functionHook, .exitCall]
        return (kernel.flavors + [.none]).flatMap { flavor in
            lastLooks.map { Variant(flavor: flavor, lastLook: $0) }
        }
    }
}
