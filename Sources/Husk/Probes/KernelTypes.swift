// SPDX-License-Identifier: MIT
internal import CLibbpf

/// What the running kernel's own description of its types (BTF) tells of its features.
final class KernelTypes {
    /// The task-work kfuncs that exist.
    let flavors: [DeferredFlavor]
    /// sched_process_exit has its third argument: it was given it when it was moved to before
    /// the memory goes (Linux 6.16, "exit: move and extend sched_process_exit() tracepoint").
    let exitTracepointHasMemory: Bool
    /// Regions are kept in a maple tree, which the probes read (Linux 6.1).
    let hasRegionTree: Bool
    /// Programs can be attached to page faults in user mode (CONFIG_TRACEPOINTS on x86).
    let hasFaultTracepoint: Bool
    /// One program can be attached to many functions (kprobe.multi: CONFIG_FPROBE).
    var hasFunctionProbes: Bool { hasFunction("register_fprobe_syms") }

    // linux/btf.h: macros and an enum, ambiguous when imported.
    private static let structKind: UInt32 = 4  // BTF_KIND_STRUCT
    private static let typedefKind: UInt32 = 8  // BTF_KIND_TYPEDEF
    private static let functionKind: UInt32 = 12  // BTF_KIND_FUNC

    /// Unsafe: libbpf's handle, from init to deinit used by no one else. Nil: the kernel does
    /// not describe its types.
    private let types: OpaquePointer?

    init() {
        types = btf__load_vmlinux_btf()
        guard let types else {
            flavors = []
            exitTracepointHasMemory = false
            hasRegionTree = false
            hasFaultTracepoint = false
            return
        }
        func has(_ name: String, _ kind: UInt32) -> Bool {
            btf__find_by_name_kind(types, name, kind) > 0
        }
        if has("bpf_task_work_schedule_resume", Self.functionKind) {
            flavors = [.implicitProgram]
        } else if has("bpf_task_work_schedule_resume_impl", Self.functionKind) {
            flavors = [.explicitProgram]
        } else {
            flavors = []
        }
        hasRegionTree = has("maple_range_64", Self.structKind)
        hasFaultTracepoint = has("btf_trace_page_fault_user", Self.typedefKind)
        exitTracepointHasMemory =
            Self.parameterCount(of: "btf_trace_sched_process_exit", types) == 3
    }

    deinit {
        btf__free(types)
    }

    /// Whether the kernel has a function of this name that can be hooked.
    func hasFunction(_ name: String) -> Bool {
        types.map { btf__find_by_name_kind($0, name, Self.functionKind) > 0 } ?? false
    }

    /// The number of parameters of a typedef for a pointer to a function; the first one of a
    /// tracepoint's is its own. Nil: there is none of this name.
    private static func parameterCount(of name: String, _ types: OpaquePointer) -> Int? {
        let id = btf__find_by_name_kind(types, name, typedefKind)
        // typedef -> pointer -> prototype
        guard id > 0, let typedef = btf__type_by_id(types, UInt32(id)),
            let pointer = btf__type_by_id(types, typedef.pointee.type),
            let prototype = btf__type_by_id(types, pointer.pointee.type)
        else { return nil }
        return Int(prototype.pointee.info & 0xFFFF)  // BTF_INFO_VLEN
    }
}
