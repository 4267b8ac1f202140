// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import CLibbpf
internal import Glibc
internal import HuskPrivileges

/// What this kernel and these privileges allow: asked of the kernel by trying, not derived
/// from version numbers.
public struct SystemReport: Sendable {
    /// One thing that was tried.
    public struct Check: Sendable {
        /// What its result means for a trace.
        public enum Status: String, Sendable {
            case ok
            /// Husk works without it, with a limit that `detail` names.
            case limited
            /// Husk does not work without it.
            case missing
        }

        /// What was tried, in a few words.
        public var name: String
        public var status: Status
        /// What was found.
        public var detail: String
        /// How to get what is missing.
        public var hint: String?
    }

    /// The kernel's release, as uname(2) has it; escaped.
    public var kernel: String
    /// The machine's architecture, as uname(2) has it; escaped.
    public var machine: String
    /// All that was tried, in the order in which it is shown.
    public var checks: [Check]
    /// How pages would be copied; nil: Husk cannot trace here.
    public var copyMethod: CopyMethod?

    /// Where system calls would be seen.
    public var probeKind: ProbeKind?

    /// The probes can be loaded and attached here.
    public var canTrace: Bool { copyMethod != nil }

    /// Tries everything that a trace needs; leaves nothing behind.
    public init() {
        var name = utsname()
        uname(&name)
        kernel = targetText(name.release).escaped
        machine = targetText(name.machine).escaped
        checks = [Self.architecture(machine), Self.typeInformation()]
        checks += Self.capabilities()
        checks += [Self.lockdown()].compactMap { $0 }
        checks += Self.features()
        let (load, loaded) = Self.probes()
        copyMethod = loaded?.flavor.method
        probeKind = loaded?.kind
        checks += [
            load, Self.systemCalls(loaded?.kind), Self.deferredCopy(loaded?.flavor.method),
            Self.lastLook(loaded?.lastLook),
            Self.processNumbers(), Self.swap(), Self.writeGuard(),
        ]
        checks += Self.confinement()
    }

    // MARK: Checks

    private static func architecture(_ machine: String) -> Check {
        machine == "x86_64"
            ? Check(name: "architecture", status: .ok, detail: machine)
            : Check(
                name: "architecture", status: .missing, detail: machine,
                hint: "the probes are built for x86_64 only")
    }

    private static func typeInformation() -> Check {
        let path = ProbeObject.kernelTypesPath
        return access(path, R_OK) == 0
            ? Check(name: "kernel types (BTF)", status: .ok, detail: path)
            : Check(
                name: "kernel types (BTF)", status: .missing,
                detail: "\(path) cannot be read",
                hint: "use a kernel built with CONFIG_DEBUG_INFO_BTF, and mount /sys")
    }

    private static func capabilities() -> [Check] {
        let held = CapabilitySet.effective
        let needed = Capability.neededForTracing
        return (needed + Capability.usefulForTracing).map { capability in
            let name = capability.name
            if held.contains(capability) {
                return Check(name: name, status: .ok, detail: capability.purpose)
            }
            // All but what it has handed over to CAP_BPF and the like.
            if held.contains(.sysAdmin),
                needed.contains(capability) || capability == .checkpointRestore
            {
                return Check(name: name, status: .ok, detail: "CAP_SYS_ADMIN stands for it")
            }
            return Check(
                name: name, status: needed.contains(capability) ? .missing : .limited,
                detail: "needed to \(capability.purpose)",
                hint: Capability.hint)
        }
    }

    /// What Husk gives up with, once the probes are attached or when it reads a capture.
    private static func confinement() -> [Check] {
        let filters = SystemCallFilter.isPossible
        return [
            Check(
                name: "seccomp", status: filters ? .ok : .limited,
                detail: filters
                    ? "Husk gives up the system calls that it does not need"
                    : "Husk keeps system calls that it does not need",
                hint: "the kernel has no CONFIG_SECCOMP_FILTER"),
            Confinement.landlockVersion.map { version in
                Check(
                    name: "Landlock", status: .ok,
                    detail: "version \(version): captures are read and stored by threads that can "
                        + "write nowhere else")
            }
                ?? Check(
                    name: "Landlock", status: .limited,
                    detail: "threads that read and store captures can write everywhere",
                    hint: "the kernel has none, or was booted without it (lsm=landlock,...)"),
        ]
    }

    private static func lockdown() -> Check? {
        guard let text = readFile("/sys/kernel/security/lockdown", limit: 256) else { return nil }
        let line = String(decoding: text, as: UTF8.self)
        let isConfidential = line.contains("[confidentiality]")
        return Check(
            name: "kernel lockdown", status: isConfidential ? .missing : .ok,
            detail: String(line.prefix { $0 != "\n" }),
            hint: isConfidential
                ? "this mode forbids BPF programs to read memory; boot without it" : nil)
    }

    private static func features() -> [Check] {
        let helpers: [(bpf_func_id, String, String)] = [
            (BPF_FUNC_find_vma, "bpf_find_vma", "5.17"), (BPF_FUNC_loop, "bpf_loop", "5.17"),
            (BPF_FUNC_probe_read_user, "bpf_probe_read_user", "5.5"),
        ]
        var checks = helpers.map { helper, name, since in
            let (result, _) = LibbpfLog.collecting {
                libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, helper, nil)
            }
            return feature("helper " + name, result, since)
        }
        let (ring, _) = LibbpfLog.collecting {
            libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, nil)
        }
        checks.append(feature("BPF ring buffer", ring, "5.8"))
        return checks
    }

    private static func feature(_ name: String, _ result: Int32, _ since: String) -> Check {
        switch result {
        case 1: Check(name: name, status: .ok, detail: "present")
        case 0:
            Check(
                name: name, status: .missing, detail: "this kernel lacks it",
                hint: "it came with Linux \(since)")
        default:
            Check(
                name: name, status: .missing,
                detail: "cannot be asked for: \(HuskError.name(of: -result))",
                hint: "run `husk doctor` as root")
        }
    }

    private static func probes() -> (Check, Variant?) {
        do throws(HuskError) {
            let probes = try ProbeObject.attached(
                ProbeObject.Options(
                    ringSize: 1 << 20, stallLimit: 0, stallSilence: 0, walkLimit: 0),
                watching: [], following: false)
            return (
                Check(
                    name: "probes", status: .ok,
                    detail: "loaded, verified and attached; page tables are "
                        + (probes.readsPageTables ? "read" : "not read: large regions take longer")),
                probes.variant
            )
        } catch {
            return (
                Check(
                    name: "probes", status: .missing, detail: error.description, hint: error.hint),
                nil
            )
        }
    }

    private static func deferredCopy(_ method: CopyMethod?) -> Check {
        switch method {
        case .taskWork:
            Check(
                name: "task-work callback", status: .ok,
                detail: "pages are copied before the target runs on, and none is lost")
        case .syscallExit:
            Check(
                name: "task-work callback", status: .limited,
                detail: "pages are copied at the system call's exit; those that are not "
                    + "resident are read from outside, while the target runs",
                hint: "it came with Linux 6.18")
        case nil:
            Check(
                name: "task-work callback", status: .limited,
                detail: "not known, since the probes cannot be loaded")
        }
    }

    private static func systemCalls(_ kind: ProbeKind?) -> Check {
        switch kind {
        case .functions:
            Check(
                name: "system calls", status: .ok,
                detail: "seen at kernel functions: costs nothing to other calls and processes")
        case .tracepoints:
            Check(
                name: "system calls", status: .limited,
                detail: "seen at the raw tracepoints: while Husk traces, every system call of "
                    + "every process is slower",
                hint: "a kernel that allows kprobe.multi would do without")
        case nil:
            Check(
                name: "system calls", status: .limited,
                detail: "not known, since the probes cannot be loaded")
        }
    }

    private static func lastLook(_ lastLook: LastLook?) -> Check {
        switch lastLook {
        case .exitTracepoint, .functionHook:
            Check(
                name: "last look", status: .ok,
                detail: "memory that can change without a call is looked at when the process "
                    + "ends, whatever ends it")
        case .exitCall:
            Check(
                name: "last look", status: .limited,
                detail: "a process that a signal ends is not looked at once more",
                hint: "that needs Linux 6.16, or a kernel that allows function hooks (fentry)")
        case nil:
            Check(
                name: "last look", status: .limited,
                detail: "not known, since the probes cannot be loaded")
        }
    }

    private static func processNumbers() -> Check {
        PIDNamespace.inodeUnlessInitial() == 0
            ? Check(name: "PID namespace", status: .ok, detail: "the initial one")
            : Check(
                name: "PID namespace", status: .ok,
                detail: "a nested one (container); processes outside it cannot be named")
    }

    private static func swap() -> Check {
        HiddenPages.isSwapInUse
            ? Check(
                name: "swap", status: .ok,
                detail: "in use: pages that are not resident are looked at, which costs time")
            : Check(name: "swap", status: .ok, detail: "none")
    }

    /// How W is kept with ``RWXMode/trap`` (docs/rwx.md).
    private static func writeGuard() -> Check {
        let name = "write guard"
        let made = husk_guard_open()
        guard made >= 0, let writeGuard = WriteGuard(OwnedDescriptor(made), of: getpid()) else {
            return Check(
                name: name, status: .limited,
                detail: "with --rwx trap, calls that write into code can fail in between",
                hint: "userfaultfd(2) with write protection: Linux 5.19, and CAP_SYS_PTRACE")
        }
        let setting = readFile("/proc/sys/vm/unprivileged_userfaultfd", limit: 16)
        guard setting?.first == UInt8(ascii: "1") else {
            return Check(
                name: name, status: .limited,
                detail: "--rwx trap has one for privileged programs; other programs' calls that "
                    + "write into code can fail in between",
                hint: "sysctl vm.unprivileged_userfaultfd=1 allows it to all; see docs/rwx.md")
        }
        guard writeGuard.reach == .allPages else {
            return Check(
                name: name, status: .limited,
                detail: "--rwx trap has one for pages that exist; calls that are the first to "
                    + "write into new memory can fail in between",
                hint: "from Linux 6.4 on there is one for all pages; see docs/rwx.md")
        }
        return Check(name: name, status: .ok, detail: "--rwx trap has one for all programs")
    }
}
