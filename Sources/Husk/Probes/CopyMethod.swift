// SPDX-License-Identifier: MIT

/// How the kernel side copies pages.
public enum CopyMethod: String, Hashable, Sendable, CaseIterable {
    /// In a task-work callback: in the target's own context, before it runs on, faulting
    /// pages in, waiting for room in the ring. Linux 6.18 and later.
    case taskWork = "task-work"
    /// At the system call's exit, without faults. What is not resident is read from outside
    /// afterwards; what finds no room is read while the process is stopped for it, or is lost
    /// (``Tracer/Configuration/neverStalls``).
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

    /// The object that knows this kfunc and no other (bpf/kernel_types.h), as base64.
    var embeddedObject: StaticString {
        switch self {
        case .none: EmbeddedProbes.base64
        case .explicitProgram: EmbeddedProbesExplicit.base64
        case .implicitProgram: EmbeddedProbesImplicit.base64
        }
    }
}
