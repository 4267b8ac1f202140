// SPDX-License-Identifier: MIT
internal import CLibbpf
internal import Glibc

/// What a program is attached to, by its section's name.
enum HookPlace {
    /// A tracepoint of processes: always used.
    case processTracepoint
    /// The raw tracepoints of system calls.
    case callTracepoint
    /// Many kernel functions, at their entry or their return.
    case functionEntries, functionReturns
    /// One kernel function (fentry): the last look before Linux 6.16.
    case exitFunction

    init(of program: OpaquePointer) {
        switch String(cString: bpf_program__section_name(program)) {
        case "tp_btf/sys_enter", "tp_btf/sys_exit": self = .callTracepoint
        case "kprobe.multi": self = .functionEntries
        case "kretprobe.multi": self = .functionReturns
        case let section where section.hasPrefix("fentry/"): self = .exitFunction
        default: self = .processTracepoint
        }
    }

    func isUsed(by variant: Variant) -> Bool {
        switch self {
        case .processTracepoint: true
        case .callTracepoint: variant.kind == .tracepoints
        case .functionEntries, .functionReturns: variant.kind == .functions
        case .exitFunction: variant.lastLook == .functionHook
        }
    }

    /// Nil: refused; errno tells why.
    func attach(_ program: OpaquePointer, _ kernel: KernelTypes) -> OpaquePointer? {
        switch self {
        case .functionEntries:
            Self.attach(program, to: SyscallFunctions.entered(in: kernel), atReturn: false)
        case .functionReturns:
            Self.attach(program, to: SyscallFunctions.left(in: kernel), atReturn: true)
        case .processTracepoint, .callTracepoint, .exitFunction:
            bpf_program__attach(program)
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
