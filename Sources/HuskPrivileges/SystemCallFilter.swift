// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import CSeccomp
internal import Glibc

/// System calls that Husk never makes again: whoever finds a way to run code in it cannot make
/// them either. They fail with EPERM; all others are as before.
package struct SystemCallFilter: Sendable {
    /// Names of calls, as in syscalls(2). Those that this libseccomp does not know are left out.
    private var names: Set<String>
    /// bpf(2) may neither load programs nor make maps.
    private var forbidsLoading = false

    /// Executing programs, changing the system, becoming someone else.
    private static let never: Set<String> = [
        "execve", "execveat",
        "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot",
        "mount", "umount2", "move_mount", "open_tree", "open_tree_attr", "mount_setattr", "fsopen",
        "fsconfig", "fsmount", "fspick", "pivot_root", "chroot", "swapon", "swapoff", "quotactl",
        "quotactl_fd", "acct", "setns", "unshare",
        "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname",
        "setdomainname", "iopl", "ioperm", "modify_ldt",
        "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups",
        "setfsuid", "setfsgid",
        "add_key", "request_key", "keyctl", "mknod", "mknodat", "open_by_handle_at",
        "io_uring_setup", "io_uring_enter", "io_uring_register", "personality",
    ]
    private static let network: Set<String> = [
        "socket", "connect", "bind", "listen", "accept", "accept4",
    ]
    private static let otherProcesses: Set<String> = [
        "ptrace", "process_vm_writev", "pidfd_getfd", "process_madvise",
    ]

    /// For a trace whose probes are attached.
    ///
    /// - Parameter traps: W^X is enforced with ptrace(2).
    package static func tracing(traps: Bool) -> SystemCallFilter {
        SystemCallFilter(
            names: never.union(network).union(traps ? [] : otherProcesses), forbidsLoading: true)
    }

    /// For a command that looks at what was captured.
    ///
    /// - Parameter serves: it answers a browser.
    package static func reading(serves: Bool) -> SystemCallFilter {
        SystemCallFilter(
            names: never.union(otherProcesses).union(serves ? ["connect"] : network).union([
                "bpf", "perf_event_open", "userfaultfd", "process_vm_readv", "kcmp",
            ]))
    }

    /// Begins to hold, for every thread of the process and for all that it starts.
    ///
    /// Returns false, and changes nothing, where the kernel has no such filters.
    package func begin() -> Bool {
        guard husk_no_new_privileges() == 0, let filter = seccomp_init(Self.allow) else {
            return false
        }
        defer { seccomp_release(filter) }
        guard seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 else { return false }
        for name in names {
            let number = seccomp_syscall_resolve_name(name)
            // Negative: this machine has none by that name.
            guard number >= 0 else { continue }
            guard seccomp_rule_add_array(filter, Self.refuse, number, 0, nil) == 0 else {
                return false
            }
        }
        return forbidCode(filter) && (!forbidsLoading || forbidLoading(filter))
            && seccomp_load(filter) == 0
    }

    /// Whether this kernel has such filters.
    package static var isPossible: Bool { seccomp_api_get() >= 2 }

    private static let allow: UInt32 = 0x7FFF_0000  // SCMP_ACT_ALLOW
    private static let refuse = 0x0005_0000 | UInt32(EPERM)  // SCMP_ACT_ERRNO

    /// No memory of this process becomes executable any more.
    private func forbidCode(_ filter: scmp_filter_ctx) -> Bool {
        let executable = scmp_datum_t(PROT_EXEC)
        return ["mmap", "mprotect", "pkey_mprotect"].allSatisfy { name in
            // The third argument, if that bit is set in it.
            var third = scmp_arg_cmp(
                arg: 2, op: SCMP_CMP_MASKED_EQ, datum_a: executable, datum_b: executable)
            return seccomp_rule_add_array(
                filter, Self.refuse, seccomp_syscall_resolve_name(name), 1, &third) == 0
        }
    }

    /// enum bpf_cmd: BPF_MAP_CREATE, BPF_PROG_LOAD, BPF_BTF_LOAD.
    private func forbidLoading(_ filter: scmp_filter_ctx) -> Bool {
        [0, 5, 18].allSatisfy { command in
            var first = scmp_arg_cmp(
                arg: 0, op: SCMP_CMP_EQ, datum_a: scmp_datum_t(command), datum_b: 0)
            return seccomp_rule_add_array(
                filter, Self.refuse, seccomp_syscall_resolve_name("bpf"), 1, &first) == 0
        }
    }
}
