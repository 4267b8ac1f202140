// SPDX-License-Identifier: MIT
internal import CLibbpf
internal import Glibc

/// What a program is attached to.
enum HookPlace {
    /// A tracepoint of processes.
    case processTracepoint
    /// A kernel function at which a process begins, executes a program, ends.
    case processFunction(String)
    /// The raw tracepoints of system calls.
    case callTracepoint
    /// Many kernel functions, at their entry or their return.
    case callFunctions, callFunctionReturns
    /// One kernel function (fentry): the last look before Linux 6.16.
    case exitFunction
    /// The entry or the end of every call, beside the function probes.
    case anyCall, anyCallEnd
    /// A clock on each CPU.
    case cpuClock
    /// A page fault in user mode.
    case userFault
    /// Nothing: Husk runs it itself.
    case none

    init(of program: OpaquePointer) {
        let section = String(cString: bpf_program__section_name(program))
        switch (section, String(cString: bpf_program__name(program))) {
        case (_, "on_any_call"): self = .anyCall
        case (_, "on_any_call_end"): self = .anyCallEnd
        case ("perf_event", _): self = .cpuClock
        case ("tp_btf/page_fault_user", _): self = .userFault
        case ("raw_tp", _): self = .none
        case ("tp_btf/sys_enter", _), ("tp_btf/sys_exit", _): self = .callTracepoint
        case ("kretprobe.multi", _): self = .callFunctionReturns
        case ("kprobe.multi", let name):
            self = Self.processFunctions[name].map(Self.processFunction) ?? .callFunctions
        case (let section, _) where section.hasPrefix("fentry/"): self = .exitFunction
        default: self = .processTracepoint
        }
    }

    private static let processFunctions = [
        "on_function_new_task": "wake_up_new_task", "on_function_exec": "finalize_exec",
        "on_function_thread_exit": "taskstats_exit",
    ]

    /// Whether a kernel has all that the function probes need.
    static func areFunctionsComplete(in kernel: KernelTypes) -> Bool {
        kernel.hasFunctionProbes && processFunctions.values.allSatisfy { kernel.hasFunction($0) }
    }

    func isUsed(by variant: Variant) -> Bool {
        switch self {
        case .processTracepoint, .callTracepoint: variant.kind == .tracepoints
        case .processFunction, .callFunctions, .callFunctionReturns: variant.kind == .functions
        case .exitFunction: variant.lastLook == .functionHook && variant.kind == .tracepoints
        case .anyCall, .anyCallEnd: variant.kind == .functions
        case .cpuClock, .userFault, .none: true
        }
    }

    /// When programs are attached.
    enum Moment {
        case atStart
        /// When a target has memory that can change without a call.
        case withChangingMemory
        case never
    }

    var moment: Moment {
        switch self {
        case .anyCall, .cpuClock: .withChangingMemory
        case .none: .never
        default: .atStart
        }
    }

    /// Nil: refused; errno tells why.
    func attach(_ program: OpaquePointer, _ kernel: KernelTypes) -> OpaquePointer? {
        switch self {
        case .processFunction(let name):
            Self.attach(program, to: [name], atReturn: false)
        case .callFunctions:
            Self.attach(program, to: SyscallFunctions.names(in: kernel), atReturn: false)
        case .callFunctionReturns:
            Self.attach(program, to: SyscallFunctions.names(in: kernel), atReturn: true)
        case .processTracepoint, .callTracepoint, .exitFunction, .anyCall, .anyCallEnd, .cpuClock,
            .userFault:
            bpf_program__attach(program)
        case .none: nil
        }
    }

    private static func attach(
        _ program: OpaquePointer, to functions: [String], atReturn: Bool
    ) -> OpaquePointer? {
        // Unsafe because libbpf wants an array of C strings; strdup'ed so that nothing moves,
        // and freed when the kernel has its own copies.
        let names: [UnsafePointer<CChar>?] = functions.map { UnsafePointer(strdup($0)) }
        defer { for name in names { free(UnsafeMutablePointer(mutating: name)) } }
        return names.withUnsafeBufferPointer { symbols in
            var options = bpf_kprobe_multi_opts()
            options.sz = MemoryLayout<bpf_kprobe_multi_opts>.size
            options.syms = UnsafeMutablePointer(mutating: symbols.baseAddress)
            options.cnt = symbols.count
            options.retprobe = atReturn
            return bpf_program__attach_kprobe_multi_opts(program, nil, &options)
        }
    }
}
