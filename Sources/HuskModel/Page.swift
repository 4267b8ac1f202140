// SPDX-License-Identifier: MIT
internal import Crypto

/// A SHA-256.
public struct Digest: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    public init(of bytes: some Collection<UInt8>) {
        var builder = DigestBuilder()
        builder.add(ArraySlice(bytes))
        self = builder.finish()
    }

    /// Hashes the chunks as if they were one.
    public init(ofChunks chunks: some Sequence<ArraySlice<UInt8>>) {
        var builder = DigestBuilder()
        for chunk in chunks { builder.add(chunk) }
        self = builder.finish()
    }

    /// Takes back what ``hexadecimal`` gives; nil: it is anything else.
    public init?(hexadecimal text: String) {
        var values: [UInt64] = [0, 0, 0, 0]
        var count = 0
        for digit in text.utf8 {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
            default: return nil
            }
            guard count < 64 else { return nil }
            values[count / 16] = values[count / 16] << 4 | UInt64(value)
            count += 1
        }
        guard count == 64 else { return nil }
        words = (
            values[0].bigEndian, values[1].bigEndian, values[2].bigEndian, values[3].bigEndian
        )
    }

    fileprivate init(_ hash: SHA256) {
        words = hash.finalize().withUnsafeBytes { bytes in
            (
                bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
            )
        }
    }

    public static func == (left: Digest, right: Digest) -> Bool {
        left.words == right.words
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)  // already uniformly distributed
    }

    /// The same as ``hexadecimal``, as bytes of text.
    public func appendHexadecimal(to text: inout [UInt8]) {
        for word in [words.0, words.1, words.2, words.3] {
            var rest = word.bigEndian
            for _ in 0..<16 {
                let digit = UInt8(rest >> 60)
                text.append(
                    digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
                rest <<= 4
            }
        }
    }

    /// Its 32 bytes.
    public var bytes: [UInt8] {
        withUnsafeBytes(of: words) { Array($0) }
    }

    /// From 32 bytes; nil: there are not so many.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        words = bytes.withUnsafeBytes { bytes in
            (
                bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
            )
        }
    }

    /// 64 lower-case hexadecimal digits.
    public var hexadecimal: String {
        var text: [UInt8] = []
        appendHexadecimal(to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}

/// Hashes bytes that come in portions.
public struct DigestBuilder: Sendable {
    private var hash = SHA256()

    public init() {}

    /// Takes the next bytes.
    public mutating func add(_ bytes: ArraySlice<UInt8>) {
        bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
    }

    /// Of all bytes.
    public consuming func finish() -> Digest {
        Digest(hash)
    }

    /// Of the bytes so far.
    public var current: Digest { Digest(hash) }
}

/// Who took a page's bytes.
public enum PageReader: String, Hashable, Sendable, CaseIterable {
    /// The probe, in the target's own context before it ran on; faulted the page in.
    case bpfSleepable = "bpf-sleepable"
    /// The probe, without faulting: the page was resident, or one of the vDSO, which the kernel
    /// has in any case.
    case bpfNoFault = "bpf-nofault"
    /// Husk, from outside with process_vm_readv(2), after the probe had found the page not
    /// resident. The target was running: the bytes may be younger than the transition.
    case processVMRead = "process-vm-readv"
    /// Husk, from outside with process_vm_readv(2), while W was kept from all of the process: no
    /// one of it could write (`RWXMode.trap`). Through /proc/PID/mem where the process may not
    /// read, and from the file behind shared memory that it has not got yet.
    case whileHeld = "process-vm-readv-held"
    /// Husk, from outside with process_vm_readv(2), while the process was stopped for it, because
    /// the ring was full: no thread of it could write.
    case whileStopped = "process-vm-readv-stopped"
    /// Husk, from outside through /proc/PID/mem, because a protection key keeps even the
    /// target from reading the page (execute-only memory). Where the probe copies in a
    /// task-work callback, the thread is held meanwhile.
    case procMem = "proc-mem"
    /// Husk, from the file behind the mapping: the page was not resident, so it had never
    /// been written.
    case backingFile = "backing-file"
}

/// Why a page that is executable has no bytes.
public enum UnreadableReason: String, Hashable, Sendable, CaseIterable {
    /// It was not resident, and the reader could not fault it in.
    case notResident = "not-resident"
    /// The kernel could not produce it (end of file, I/O error, userfaultfd).
    case fault = "fault"
    /// It is registered with userfaultfd(2): asking for it might have waited for ever.
    case userfaultfd = "userfaultfd"
    /// It had to be read from outside, and the process had ended or executed another program.
    case processEnded = "process-ended"
    /// A protection key forbids reading it, and it could not be read from outside.
    case protected = "protected"
}

/// One page of an executable region at one moment: a snapshot.
public struct Page: Hashable, Sendable {
    /// What a page holds, or why that is not known.
    public enum Body: Hashable, Sendable {
        case content(PageContent, reader: PageReader)
        case unreadable(UnreadableReason, errno: Int32)
    }

    /// Its first byte: page aligned.
    public var address: Address
    /// Bytes of address space: 4096.
    public var size: Int
    /// When it was copied.
    public var time: Timestamp
    public var task: TaskIdentity
    /// Its own number: pages that are sent together have one each.
    public var number: RecordNumber
    /// The transition with which it was captured.
    public var transition: Transition.ID
    /// The call that made it executable.
    public var kind: TransitionKind
    /// Protection before the call; nil if it is not known.
    public var protectionBefore: Protection?
    /// Protection after the call.
    public var protectionAfter: Protection
    /// Where the call was made.
    public var instructionPointer: Address
    /// What it holds, or why that is not known.
    public var body: Body
    /// How often the content of this address had changed before, in the same process;
    /// 0 for the first snapshot. A page without content repeats the last one's.
    public var generation: Int

    public init(
        address: Address, size: Int, time: Timestamp, task: TaskIdentity, number: RecordNumber,
        transition: Transition.ID, kind: TransitionKind, protectionBefore: Protection?,
        protectionAfter: Protection, instructionPointer: Address, body: Body, generation: Int
    ) {
        self.address = address
        self.size = size
        self.time = time
        self.task = task
        self.number = number
        self.transition = transition
        self.kind = kind
        self.protectionBefore = protectionBefore
        self.protectionAfter = protectionAfter
        self.instructionPointer = instructionPointer
        self.body = body
        self.generation = generation
    }

    /// The bytes, if they could be read: `size` of them.
    public var content: [UInt8]? {
        if case .content(let content, _) = body { Array(content.bytes) } else { nil }
    }

    /// The same, not copied.
    public var contentSlice: ArraySlice<UInt8>? {
        if case .content(let content, _) = body { content.bytes } else { nil }
    }

    /// Its bytes could be read.
    public var hasContent: Bool {
        if case .content = body { true } else { false }
    }

    /// The SHA-256 of the content, if it could be read.
    public var digest: Digest? {
        if case .content(let content, _) = body { content.digest } else { nil }
    }

    /// Who took the bytes, if they could be read.
    public var reader: PageReader? {
        if case .content(_, let reader) = body { reader } else { nil }
    }
}
