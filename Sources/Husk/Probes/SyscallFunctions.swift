// SPDX-License-Identifier: MIT

/// The kernel's functions behind the system calls that the probes know
/// (arch/x86/entry/syscalls/*.tbl). A kernel has some of these names, another one others.
enum SyscallFunctions {
    /// By the functions' common part: calls that change regions or end them, and calls that write.
    private static let regions = [
        "mmap", "mmap_pgoff", "ia32_mmap", "x86_mmap", "mprotect", "pkey_mprotect", "munmap",
        "mremap", "shmat", "shmdt", "ipc", "brk", "madvise", "process_madvise", "remap_file_pages",
        "execve",
        "execveat", "exit_group", "arch_prctl",
    ]
    private static let writes = [
        "write", "pwrite64", "ia32_pwrite64", "x86_pwrite64", "writev", "pwritev", "pwritev2",
        "pwritev64", "pwritev64v2", "sendfile", "sendfile64", "copy_file_range", "ftruncate",
        "ftruncate64", "ia32_ftruncate64", "fallocate", "ia32_fallocate", "splice", "ptrace",
        "process_vm_writev", "ioctl", "io_setup", "io_uring_setup",
    ]
    private static let prefixes = [
        "__x64_sys_", "__ia32_sys_", "__ia32_compat_sys_", "__x64_compat_sys_",
    ]

    private static func names(_ calls: [String], in kernel: KernelTypes) -> [String] {
        calls.flatMap { call in prefixes.map { $0 + call } }.filter { kernel.hasFunction($0) }
    }

    static func names(in kernel: KernelTypes) -> [String] {
        names(regions + writes, in: kernel)
    }
}
