// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import CLibbpf
internal import Foundation
internal import HuskModel
internal import HuskPrivileges
internal import HuskProbes

/// The loaded BPF object: its programs, maps and links. Not thread safe; one owner.
///
/// Everything is gone from the kernel when this is (its descriptors are closed), and also
/// when the process is killed.
final class ProbeObject {
    /// Unsafe: libbpf's handles. Non-null from init to deinit, used by no one else.
    private let object: OpaquePointer
    private var links: [OpaquePointer] = []
    /// Nil: they cannot be mapped.
    private(set) var ringPositions: RingPositions?
    private var watchesChangingMemory = false
    /// Called on the thread that has attached the last of the programs.
    var whenAllIsAttached: (() -> Void)?
    /// Some are attached only when a target needs them.
    var attachesMore: Bool {
        var isOwed = false
        Self.forEachProgram(of: object) { program in
            isOwed =
                isOwed
                || bpf_program__autoload(program)
                    && HookPlace(of: program).moment == .withChangingMemory
        }
        return isOwed && !watchesChangingMemory
    }
    /// Page tables tell which pages exist (bpf/page_tables.h).
    private(set) var readsPageTables = false
    let variant: Variant
    private let sampleRate: Int
    private let kernel: KernelTypes

    struct Options {
        var ringSize: Int
        /// What finds no room in the ring is lost at once.
        var neverStalls = false
        /// Pages with content in all.
        var pageBudget = UInt64.max
        var stallLimit: UInt64
        var stallSilence: UInt64
        var walkLimit: UInt64
        /// Nil: the best that the kernel takes.
        var method: CopyMethod?
        var kind: ProbeKind?
        var referencesFiles = false
        /// Code that can change without a call is looked at when it makes one.
        var looksAtCallers = true
        /// And when a sample finds it running: so many a second; 0: none are taken.
        var sampleRate = 0
        /// W^X is enforced: calls that the enforcer makes in a target's name carry this.
        var enforcerMark: UInt64?
    }

    /// Loads the programs and attaches them, trying the ways that the kernel offers, best first.
    ///
    /// - Parameter targets: the processes to watch, put into the filter before the first program
    ///   is attached.
    static func attached(
        _ options: Options, watching targets: [Int32], following: Bool
    ) throws(HuskError) -> ProbeObject {
        guard access(kernelTypesPath, R_OK) == 0 else {
            throw HuskError(
                .unsupportedKernel,
                "the kernel does not describe its types (no \(kernelTypesPath))",
                errno: errno,
                hint: "Husk needs a kernel built with CONFIG_DEBUG_INFO_BTF, and /sys mounted")
        }
        let kernel = KernelTypes()
        guard kernel.hasRegionTree else {
            throw HuskError(
                .unsupportedKernel, "this kernel keeps a process's regions in another way",
                hint: "Husk needs Linux 6.1 or later")
        }
        let variants = try variants(of: kernel, for: options)
        var failure: HuskError?
        for variant in variants {
            do throws(HuskError) {
                let probes = try ProbeObject(options, variant, kernel)
                for pid in targets { try probes.watch(pid: pid, following: following) }
                try probes.attach()
                return probes
            } catch {
                // Without privilege, or for a bad size, the next way fails as well. Function
                // hooks may be refused where everything else is allowed.
                if error.code != .probesRefused, !variant.needsFunctionHooks { throw error }
                failure = error
            }
        }
        throw failure ?? HuskError(.probesRefused, "no way to copy pages was found")
    }

    /// The ways that are both offered and wanted.
    private static func variants(
        of kernel: KernelTypes, for options: Options
    ) throws(HuskError) -> [Variant] {
        var variants = Variant.offered(by: kernel)
        if let wanted = options.kind {
            variants.removeAll { $0.kind != wanted }
            guard !variants.isEmpty else {
                throw HuskError(
                    .unsupportedKernel, "this kernel has no probes for many functions at once",
                    hint: "kprobe.multi needs CONFIG_FPROBE; leave the choice to Husk, or use "
                        + ProbeKind.tracepoints.rawValue)
            }
        }
        if let wanted = options.method {
            variants.removeAll { $0.flavor.method != wanted }
            guard !variants.isEmpty else {
                throw HuskError(
                    .unsupportedKernel, "this kernel has no task-work callbacks for BPF",
                    hint: "they came with Linux 6.18; leave the choice to Husk, or use "
                        + CopyMethod.syscallExit.rawValue)
            }
        }
        return variants
    }

    private init(
        _ options: Options, _ variant: Variant, _ kernel: KernelTypes
    ) throws(HuskError) {
        self.variant = variant
        self.kernel = kernel
        sampleRate = options.sampleRate
        object = try Self.open(variant.flavor.embeddedObject)
        // From here on `deinit` runs, also when this throws: everything is initialized.
        try Self.configure(object, options, variant, kernel)
        let (result, log) = LibbpfLog.collecting { [object] in bpf_object__load(object) }
        if result != 0 { throw Self.loadFailure(-result, log) }
        fillDigestKey()
        findDirectMap()
        ringPositions = RingPositions(ring: ringDescriptor, size: options.ringSize)
    }

    deinit {
        detach()
        bpf_object__close(object)
    }

    // MARK: Loading

    static let kernelTypesPath = "/sys/kernel/btf/vmlinux"

    /// Types that this kernel lacks are looked for in its modules, unless libbpf is given a file to
    /// look into; asking for the modules takes CAP_SYS_ADMIN.
    private static func open(_ text: StaticString) throws(HuskError) -> OpaquePointer {
        // Safe: a StaticString's bytes live as long as the program.
        let encoded = Data(
            bytesNoCopy: UnsafeMutableRawPointer(mutating: text.utf8Start),
            count: text.utf8CodeUnitCount, deallocator: .none)
        guard let bytes = Data(base64Encoded: encoded) else {
            throw HuskError(.probesRefused, "the embedded probes are damaged")
        }
        let (opened, log) = LibbpfLog.collecting {
            bytes.withUnsafeBytes { buffer in
                "memory_tracer".withCString { name in
                    kernelTypesPath.withCString { types in
                        var options = bpf_object_open_opts()
                        options.sz = MemoryLayout<bpf_object_open_opts>.size
                        options.object_name = name
                        if !CapabilitySet.effective.contains(.sysAdmin) {
                            options.btf_custom_path = types
                        }
                        return bpf_object__open_mem(buffer.baseAddress, buffer.count, &options)
                    }
                }
            }
        }
        guard let opened else {
            throw HuskError(
                .probesRefused, "libbpf cannot open the probes", errno: errno, details: log)
        }
        return opened
    }

    private static func configure(
        _ object: OpaquePointer, _ options: Options, _ variant: Variant, _ kernel: KernelTypes
    ) throws(HuskError) {
        var configuration = husk_config()
        configuration.pid_namespace = PIDNamespace.inodeUnlessInitial()
        configuration.hidden_pages = HiddenPages.arePossible ? 1 : 0
        configuration.ring_size = UInt64(options.ringSize)
        configuration.stall_limit_ns = options.stallLimit
        configuration.stall_silence_ns = options.stallSilence
        configuration.walk_limit_ns = options.walkLimit
        configuration.reference_files = options.referencesFiles ? 1 : 0
        let tables = PageTables.ofThisMachine()
        configuration.page_table_levels = tables?.levels ?? 0
        configuration.physical_bits = tables?.physicalBits ?? 0
        configuration.page_budget = options.pageBudget
        let pressure =
            options.neverStalls
            ? HUSK_PRESSURE_NONE
            : variant.flavor.method == .taskWork ? HUSK_PRESSURE_WAITS : HUSK_PRESSURE_STOPS
        configuration.back_pressure = UInt8(pressure.rawValue)
        configuration.exit_has_memory = variant.lastLook == .exitCall ? 0 : 1
        configuration.looks_at_callers = options.looksAtCallers ? 1 : 0
        configuration.watches_calls_later =
            options.looksAtCallers && variant.kind == .functions ? 1 : 0
        if let mark = options.enforcerMark {
            configuration.enforcer = UInt32(getpid())
            configuration.enforcer_mark = mark
        }

        let readOnly = bpf_object__find_map_by_name(object, ".rodata")
        let ring = bpf_object__find_map_by_name(object, "ring")
        guard bpf_map__value_size(readOnly) == MemoryLayout<husk_config>.size,
            bpf_map__set_initial_value(readOnly, &configuration, MemoryLayout<husk_config>.size)
                == 0,
            bpf_map__set_max_entries(ring, UInt32(options.ringSize)) == 0
        else {
            throw HuskError(.probesRefused, "the embedded probes are not those of this build")
        }
        forEachProgram(of: object) { program in
            let place = HookPlace(of: program)
            let isWanted =
                switch place {
                case .anyCall: options.looksAtCallers
                case .anyCallEnd: options.enforcerMark != nil
                case .cpuClock: options.looksAtCallers && options.sampleRate > 0
                case .userFault: options.enforcerMark != nil && kernel.hasFaultTracepoint
                default: true
                }
            bpf_program__set_autoload(program, isWanted && place.isUsed(by: variant))
        }
    }

    private static func loadFailure(_ errno: Int32, _ log: String) -> HuskError {
        let missing = CapabilitySet.effective.missingForTracing
        switch errno {
        // With all rights, EACCES is the verifier's word for a program that it does not like.
        case EPERM,
            EACCES where !missing.isEmpty || log.isEmpty:
            if missing.isEmpty {
                return HuskError(
                    .notPermitted, "the kernel does not let Husk load BPF programs",
                    errno: errno,
                    hint: "kernel lockdown, seccomp or a security module forbids it here",
                    details: log)
            }
            let names = missing.map(\.name).joined(separator: " and ")
            return HuskError(
                .notPermitted, "loading BPF programs needs \(names)", errno: errno,
                hint: Capability.hint,
                details: log)
        case ENOMEM:
            return HuskError(
                .system, "the kernel has no memory for the ring buffer", errno: errno,
                hint: "choose a smaller ring", details: log)
        default:
            let (result, _) = LibbpfLog.collecting {
                libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_find_vma, nil)
            }
            if result == 0 {
                return HuskError(
                    .unsupportedKernel, "this kernel lacks bpf_find_vma", errno: errno,
                    hint: "Husk needs Linux 6.1 or later")
            }
            return HuskError(
                .probesRefused, "the kernel refuses the probes", errno: errno,
                hint: "please report this with the output of `husk doctor`", details: log)
        }
    }

    // MARK: Watching

    /// Adds a process to those that are watched. Those named to ``attached(_:watching:following:)``
    /// are in the filter before the first probe can fire.
    func watch(pid: Int32, following: Bool) throws(HuskError) {
        var key = UInt32(pid)
        // struct target (bpf/state.h): TARGET_WATCHED and TARGET_FOLLOWED, padding, and since
        // when: before anything that will be told.
        var value: (UInt32, UInt32, UInt64) = (following ? 3 : 1, 0, 0)
        guard bpf_map_update_elem(descriptor(of: "targets"), &key, &value, 0) == 0 else {
            throw HuskError(.system, "cannot watch process \(pid)", errno: errno)
        }
    }

    /// Takes a process out again that had ended before the probes were attached.
    func unwatch(pid: Int32) {
        var key = UInt32(pid)
        bpf_map_delete_elem(descriptor(of: "targets"), &key)
    }

    /// What found no room in the ring, by process: the addresses that it lies between.
    func unsentRanges() -> [(pid: Int32, start: UInt64, end: UInt64, count: UInt64)] {
        let unsent = descriptor(of: "unsent")
        var found: [(pid: Int32, start: UInt64, end: UInt64, count: UInt64)] = []
        var key: UInt32 = 0
        // Taken out one by one, so that each round finds the first.
        while bpf_map_get_next_key(unsent, nil, &key) == 0 {
            var value: (UInt64, UInt64, UInt64) = (0, 0, 0)  // struct unsent (bpf/state.h)
            if bpf_map_lookup_elem(unsent, &key, &value) == 0 {
                found.append((Int32(bitPattern: key), value.0, value.1, value.2))
            }
            if bpf_map_delete_elem(unsent, &key) != 0 { break }
        }
        return found
    }

    /// Since when (CLOCK_MONOTONIC, ns) a process has had the memory that it has now: since its
    /// birth, or its last execve. Nil: it is not watched, so it has ended, or never was a target.
    func memorySince(_ pid: Int32) -> UInt64? {
        var key = UInt32(bitPattern: pid)
        var value: (UInt32, UInt32, UInt64) = (0, 0, 0)
        guard bpf_map_lookup_elem(descriptor(of: "targets"), &key, &value) == 0 else { return nil }
        return value.2
    }

    /// Whether no process is watched any more: the kernel side takes out those that end.
    var watchesNoOne: Bool {
        var key: UInt32 = 0
        return bpf_map_get_next_key(descriptor(of: "targets"), nil, &key) != 0
    }

    /// Takes all processes out. A child that is being born meanwhile may be added behind the
    /// back of this loop, as often as its parent was still there: so it is bounded.
    func unwatchAll() {
        let targets = descriptor(of: "targets")
        var key: UInt32 = 0
        for _ in 0..<(1 << 20) {
            guard bpf_map_get_next_key(targets, nil, &key) == 0 else { return }
            bpf_map_delete_elem(targets, &key)
        }
    }

    /// From now on, whoever writes to this file is told: it was executable before Husk came.
    func noteViewed(_ file: FileIdentity) {
        // struct viewed_file (bpf/state.h): inode, device in the kernel's encoding, padding.
        var key: (UInt64, UInt32, UInt32) = (
            file.inode, file.deviceMajor << 20 | (file.deviceMinor & 0xFFFFF), 0
        )
        var value = key
        bpf_map_update_elem(descriptor(of: "viewed"), &key, &value, 0)
    }

    /// Regions of a process that could change without a call before Husk came.
    func noteChanging(_ regions: [Range<Address>], of pid: Int32) {
        changingMemory.note(
            regions.map { $0.lowerBound.rawValue..<$0.upperBound.rawValue }, of: pid)
        watchChangingMemory()
    }

    /// Valid as long as this is.
    var changingMemory: ChangingMemory {
        ChangingMemory(
            before: descriptor(of: "changing_before"), exists: descriptor(of: "changing_exists"))
    }

    /// The key of the digests by which pages are compared (bpf/changing.h).
    private func fillDigestKey() {
        var index: UInt32 = 0
        var random = SystemRandomNumberGenerator()
        var key = (0..<(Int(HUSK_PAGE_SIZE) / 8 + 2)).map { _ in random.next() }
        bpf_map_update_elem(descriptor(of: "digest_key"), &index, &key, 0)
    }

    /// Shows the kernel side a page of Husk's own, from which it learns where the kernel has all
    /// memory (bpf/page_tables.h). If it does not, page tables are not read: looks at large regions
    /// take longer.
    private func findDirectMap() {
        guard let program = bpf_object__find_program_by_name(object, "on_search") else { return }
        let size = Int(HUSK_PAGE_SIZE)
        // Unsafe: the kernel reads the page behind Swift's back, while this function runs.
        let page = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: size)
        defer { page.deallocate() }
        var random = SystemRandomNumberGenerator()
        for offset in stride(from: 0, to: size, by: 8) {
            page.storeBytes(of: random.next(), toByteOffset: offset, as: UInt64.self)
        }
        var address = UInt64(UInt(bitPattern: page.baseAddress))
        var options = bpf_test_run_opts()
        options.sz = MemoryLayout<bpf_test_run_opts>.size
        withUnsafeMutableBytes(of: &address) { argument in
            options.ctx_in = UnsafeRawPointer(argument.baseAddress)
            options.ctx_size_in = UInt32(argument.count)
            // Once more if the page was just being moved.
            for _ in 0..<3 where !readsPageTables {
                readsPageTables =
                    bpf_prog_test_run_opts(bpf_program__fd(program), &options) == 0
                    && options.retval == 1
            }
        }
        page.initializeMemory(as: UInt8.self, repeating: 0)
    }

    /// Attaches every program that has been loaded.
    private func attach() throws(HuskError) {
        var pending: [OpaquePointer] = []
        Self.forEachProgram(of: object) { program in
            if bpf_program__autoload(program), HookPlace(of: program).moment == .atStart {
                pending.append(program)
            }
        }
        // Exits first: a call that is entered before they are there would seem to have no end.
        pending =
            pending.filter { Self.seesEntries($0) == false }
            + pending.filter { Self.seesEntries($0) }
        for program in pending {
            let (link, log) = LibbpfLog.collecting { [kernel] in
                HookPlace(of: program).attach(program, kernel)
            }
            guard let link else {
                let section = String(cString: bpf_program__section_name(program))
                let failure = errno
                throw HuskError(
                    failure == EPERM || failure == EACCES ? .notPermitted : .probesRefused,
                    "cannot attach to \(section)", errno: failure, hint: "run Husk as root",
                    details: log)
            }
            links.append(link)
        }
        // A thread that makes such memory cannot be held here until its calls are watched.
        if variant.flavor.method != .taskWork { watchChangingMemory() }
    }

    /// A target has memory that can change without a call: from now on every call is watched,
    /// and samples are taken. What cannot be attached is left out: it makes looks rarer.
    func watchChangingMemory() {
        guard !watchesChangingMemory else { return }
        watchesChangingMemory = true
        defer { whenAllIsAttached?() }
        Self.forEachProgram(of: object) { program in
            guard bpf_program__autoload(program) else { return }
            switch HookPlace(of: program) {
            case .anyCall:
                if let link = HookPlace.anyCall.attach(program, kernel) { links.append(link) }
            case .cpuClock:
                for cpu in 0..<libbpf_num_possible_cpus() {
                    let clock = husk_cpu_clock_open(cpu, UInt64(sampleRate))
                    guard clock >= 0 else { continue }  // a CPU that is not online
                    // The link closes the clock with itself.
                    if let link = bpf_program__attach_perf_event(program, clock) {
                        links.append(link)
                    } else {
                        close(clock)
                    }
                }
            default: break
            }
        }
    }

    private static func seesEntries(_ program: OpaquePointer) -> Bool {
        String(cString: bpf_program__name(program)).hasSuffix("_enter")
    }

    /// Removes every probe from the kernel. A callback that is under way still ends.
    func detach() {
        for link in links { bpf_link__destroy(link) }
        links = []
    }

    // MARK: For the enforcer of W^X

    /// Where the kernel side keeps what threads had set for SIGSEGV. Valid as long as this is.
    var forgottenSettings: ForgottenSettings {
        ForgottenSettings(map: descriptor(of: "forgotten_settings"))
    }

    /// How the enforcer tells the kernel side whom to stop. Valid as long as this is.
    var probeStops: ProbeStops {
        ProbeStops(
            owedMap: descriptor(of: "owed_stops"), raisedMap: descriptor(of: "raised_stops"),
            wordsMap: descriptor(of: "enforcer_words"))
    }

    // MARK: Processes that have been stopped (bpf/stopping.h)

    /// The same for the enforcer, which is asked about each stop. Valid as long as this is.
    var roomStops: RoomStops { RoomStops(map: stoppedDescriptor) }

    var stoppedDescriptor: Int32 { descriptor(of: "stopped") }
    var consumerDescriptor: Int32 { descriptor(of: "consumer") }

    /// struct stop_key.
    struct Stop {
        var pid: Int32 = 0
        var number: UInt32 = 0
    }

    /// How many stops there have been.
    var stopCount: UInt64 {
        var index: UInt32 = 2  // CONSUMER_STOPS
        var count: UInt64 = 0
        bpf_map_lookup_elem(consumerDescriptor, &index, &count)
        return count
    }

    /// When the guardian's helper has let stopped processes go, because Husk was silent: of those that
    /// were stopped before, no one knows what they have done since. CLOCK_MONOTONIC, ns; 0: never.
    var lastRelease: UInt64 {
        var index: UInt32 = 3  // CONSUMER_LET_GO
        var time: UInt64 = 0
        bpf_map_lookup_elem(consumerDescriptor, &index, &time)
        return time
    }

    /// Those that are stopped, and where the ring's producer was then.
    func stops(limit: Int = 65536) -> [(stop: Stop, position: UInt64, time: UInt64)] {
        var found: [(stop: Stop, position: UInt64, time: UInt64)] = []
        var key = Stop()
        var hasKey = bpf_map_get_next_key(stoppedDescriptor, nil, &key) == 0
        while hasKey, found.count < limit {
            var value: (UInt64, UInt64) = (0, 0)  // struct stop
            if bpf_map_lookup_elem(stoppedDescriptor, &key, &value) == 0 {
                found.append((key, value.0, value.1))
            }
            var next = Stop()
            hasKey = bpf_map_get_next_key(stoppedDescriptor, &key, &next) == 0
            key = next
        }
        return found
    }

    /// How far the ring has been read.
    var consumerPosition: UInt64 { ringPositions?.consumer ?? 0 }

    func forget(_ stop: Stop) {
        var key = stop
        bpf_map_delete_elem(stoppedDescriptor, &key)
    }

    // MARK: Reading

    /// Husk lives (bpf/state.h): threads of targets wait for room only while this is told.
    func beat(_ count: UInt64) {
        tellConsumer(0, count)
    }

    /// Whether the ring is looked at every other millisecond, so that no record need wake who reads
    /// it.
    func tellLooking(_ isLooking: Bool) {
        tellConsumer(1, isLooking ? 1 : 0)
    }

    /// - Parameter word: enum consumer_word (bpf/state.h).
    private func tellConsumer(_ word: UInt32, _ value: UInt64) {
        var index = word
        var value = value
        bpf_map_update_elem(descriptor(of: "consumer"), &index, &value, 0)
    }

    var ringDescriptor: Int32 { descriptor(of: "ring") }

    /// The counter's value on each CPU, in the order of their numbers.
    func counter(_ counter: husk_counter) -> [UInt64] {
        var values = [UInt64](repeating: 0, count: max(1, Int(libbpf_num_possible_cpus())))
        var key = counter.rawValue
        let result = values.withUnsafeMutableBytes {
            // Safe: for a per-CPU map the kernel writes 8 bytes for each possible CPU.
            bpf_map_lookup_elem(descriptor(of: "counters"), &key, $0.baseAddress)
        }
        return result == 0 ? values : []
    }

    /// How often a program was not run although its hook was hit: on the same CPU it was running
    /// already, for a task that had been preempted in it (Linux 7.x no longer keeps tracepoints'
    /// programs from being preempted). What was not seen then is not known.
    var missedRuns: UInt64 {
        var sum: UInt64 = 0
        Self.forEachProgram(of: object) { program in
            switch HookPlace(of: program) {
            // No promise is broken: a fault costs a signal's setting, a sample comes again.
            case .userFault, .cpuClock: return
            default: break
            }
            var info = bpf_prog_info()
            var size = UInt32(MemoryLayout<bpf_prog_info>.size)
            let number = bpf_program__fd(program)
            if number >= 0, bpf_obj_get_info_by_fd(number, &info, &size) == 0 {
                sum &+= info.recursion_misses
            }
        }
        return sum
    }

    /// The processes that are watched at this moment, at most `limit` of them.
    func watched(limit: Int = 65536) -> [Int32] {
        let targets = descriptor(of: "targets")
        var found: [Int32] = []
        var key: UInt32 = 0
        var next: UInt32 = 0
        var hasKey = bpf_map_get_next_key(targets, nil, &next) == 0
        while hasKey, found.count < limit {
            found.append(Int32(bitPattern: next))
            key = next
            hasKey = bpf_map_get_next_key(targets, &key, &next) == 0
        }
        return found
    }

    private func descriptor(of map: String) -> Int32 {
        bpf_object__find_map_fd_by_name(object, map)
    }

    private static func forEachProgram(of object: OpaquePointer, _ body: (OpaquePointer) -> Void) {
        var program = bpf_object__next_program(object, nil)
        while let current = program {
            body(current)
            program = bpf_object__next_program(object, current)
        }
    }
}
