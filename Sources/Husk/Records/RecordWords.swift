// SPDX-License-Identifier: MIT
internal import Glibc
internal import HuskModel
internal import HuskProbes

// The kernel side's numbers in the model's words. Numbers that are not known here cannot come
// from the probes of this build.

extension SystemCall {
    init?(_ call: UInt32) {
        switch husk_call(rawValue: call) {
        case HUSK_CALL_MMAP: self = .mmap
        case HUSK_CALL_MPROTECT: self = .mprotect
        case HUSK_CALL_MUNMAP: self = .munmap
        case HUSK_CALL_PKEY_MPROTECT: self = .pkeyMprotect
        case HUSK_CALL_MREMAP: self = .mremap
        case HUSK_CALL_SHMAT: self = .shmat
        case HUSK_CALL_SHMDT: self = .shmdt
        case HUSK_CALL_BRK: self = .brk
        case HUSK_CALL_REMAP_FILE_PAGES: self = .remapFilePages
        case HUSK_CALL_EXECVE: self = .execve
        case HUSK_CALL_MADVISE: self = .madvise
        case HUSK_CALL_EXIT: self = .exit
        case HUSK_CALL_WRITE: self = .write
        case HUSK_CALL_PWRITE64: self = .pwrite64
        case HUSK_CALL_WRITEV: self = .writev
        case HUSK_CALL_PWRITEV: self = .pwritev
        case HUSK_CALL_PWRITEV2: self = .pwritev2
        case HUSK_CALL_SENDFILE: self = .sendfile
        case HUSK_CALL_COPY_FILE_RANGE: self = .copyFileRange
        case HUSK_CALL_FTRUNCATE: self = .ftruncate
        case HUSK_CALL_FALLOCATE: self = .fallocate
        case HUSK_CALL_SPLICE: self = .splice
        case HUSK_CALL_PTRACE: self = .ptrace
        case HUSK_CALL_PROCESS_VM_WRITEV: self = .processVMWritev
        case HUSK_CALL_USERFAULTFD: self = .userfaultfd
        case HUSK_CALL_ARCH_PRCTL: self = .archPrctl
        default: return nil
        }
    }
}

extension TransitionKind {
    /// What a call that changes regions is called; a call that writes is a `write`.
    init(_ call: SystemCall?) {
        self = call.flatMap { TransitionKind(rawValue: $0.rawValue) } ?? .write
    }
}

extension LookTrigger {
    init?(_ trigger: UInt32) {
        switch husk_trigger(rawValue: trigger) {
        case HUSK_TRIGGER_CALL: self = .call
        case HUSK_TRIGGER_OWN_CALL: self = .ownCall
        case HUSK_TRIGGER_SAMPLE: self = .sample
        default: return nil
        }
    }
}

extension CallABI {
    init(_ abi: UInt32) {
        switch husk_abi(rawValue: abi) {
        case HUSK_ABI_32: self = .compat32
        case HUSK_ABI_X32: self = .x32
        default: self = .native64
        }
    }
}

extension Loss.Cause {
    init(_ cause: UInt32) {
        switch husk_cause(rawValue: cause) {
        case HUSK_CAUSE_RING_FULL: self = .ringFull
        case HUSK_CAUSE_VANISHED: self = .vanished
        case HUSK_CAUSE_LOCKED: self = .locked
        case HUSK_CAUSE_NO_STATE: self = .noState
        case HUSK_CAUSE_TOO_LARGE: self = .tooLarge
        case HUSK_CAUSE_NO_RESULT: self = .noResult
        case HUSK_CAUSE_BUDGET: self = .budget
        default: self = .missingRecord
        }
    }
}

extension TaskIdentity {
    init(_ header: husk_header) {
        self.init(
            pid: Int32(bitPattern: header.pid), tid: Int32(bitPattern: header.tid),
            hostPID: Int32(bitPattern: header.host_pid),
            hostTID: Int32(bitPattern: header.host_tid))
    }
}

extension RecordNumber {
    init(_ header: husk_header) {
        self.init(cpu: header.cpu, sequence: header.sequence)
    }
}

extension FileIdentity {
    /// - Parameters:
    ///   - hasPath: false for files that are in no folder.
    ///   - isCut: the path has more components than there was room for.
    init(_ file: husk_file, hasPath: Bool, isCut: Bool) {
        // Safe: reads the value's own bytes, within its size. Components come last first.
        let components = withUnsafeBytes(of: file.path) {
            $0.prefix(Int(min(file.path_size, UInt32(HUSK_PATH_SIZE))))
                .split(separator: 0).map { Array($0) }
        }
        self.init(
            deviceMajor: file.device_major, deviceMinor: file.device_minor,
            inode: file.inode, linkCount: file.link_count,
            name: TargetText(bytes: components.first ?? []),
            path: hasPath && !isCut
                ? TargetText(bytes: components.reversed().flatMap { [UInt8(ascii: "/")] + $0 })
                : nil)
    }
}

extension Backing {
    init(_ kind: UInt32, _ file: husk_file, offset: UInt64, isCut: Bool) {
        switch husk_backing(rawValue: kind) {
        case HUSK_BACKING_SPECIAL: self = .special
        case HUSK_BACKING_ANONYMOUS: self = .anonymous
        case HUSK_BACKING_HEAP: self = .heap
        case HUSK_BACKING_STACK: self = .stack
        case HUSK_BACKING_FILE:
            self = .file(FileIdentity(file, hasPath: true, isCut: isCut), offset: offset)
        case HUSK_BACKING_KERNEL:
            let file = FileIdentity(file, hasPath: false, isCut: isCut)
            self = Backing(pathless: file, offset: offset)
        default: self = .none
        }
    }

    /// A file that is in no folder. The kernel puts `memfd:` before the name that
    /// memfd_create(2) was given (mm/memfd.c).
    init(pathless file: FileIdentity, offset: UInt64) {
        self =
            file.name.bytes.starts(with: Array("memfd:".utf8))
            ? .memfd(file, offset: offset) : .sharedMemory(file, offset: offset)
    }

    init(_ record: husk_transition) {
        if record.flags & UInt32(HUSK_TRANSITION_UNSEEN) != 0,
            record.backing != HUSK_BACKING_ANONYMOUS.rawValue
        {
            self = .unknown
        } else {
            self.init(
                record.backing, record.file, offset: record.file_offset,
                isCut: record.flags & UInt32(HUSK_TRANSITION_PATH_CUT) != 0)
        }
    }
}

extension Timeline.FileKey {
    init?(_ record: husk_write) {
        guard record.inode != 0 else { return nil }
        self.init(
            deviceMajor: record.device_major, deviceMinor: record.device_minor,
            inode: record.inode)
    }
}

/// Turns CLOCK_MONOTONIC into wall-clock time by one offset, measured once.
struct WallClock {
    private let offset: UInt64

    init() {
        // The pair whose readings lie closest together.
        var best: (span: UInt64, offset: UInt64) = (.max, 0)
        for _ in 0..<5 {
            let before = SystemClock.monotonic
            let wall = SystemClock.wall
            let after = SystemClock.monotonic
            if after &- before < best.span {
                best = (after &- before, wall &- (before &+ (after &- before) / 2))
            }
        }
        offset = best.offset
    }

    func timestamp(_ monotonic: UInt64) -> Timestamp {
        Timestamp(monotonic: monotonic, wall: monotonic &+ offset)
    }

    func now() -> Timestamp {
        timestamp(SystemClock.monotonic)
    }
}
