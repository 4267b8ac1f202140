// SPDX-License-Identifier: MIT
public import HuskModel

/// Something in a capture that a person should know of, with what it rests on.
///
/// It says what has happened and which technique that would be; whether it was meant ill, a person
/// has to say: packers and debuggers are used by honest people too.
public struct Finding: Hashable, Sendable {
    /// What a finding is about: the word of it in output.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// Memory without a file was written, then made executable.
        case writtenThenExecutable = "written-then-executable"
        /// The same, by code that was made so itself.
        case deeperLayer = "deeper-layer"
        /// Memory without a file that is writable and executable at once.
        case writableAndExecutable = "writable-and-executable"
        /// A program on no disk was executed.
        case filelessProgram = "fileless-program"
        /// Code of a file on no disk was mapped.
        case filelessMapping = "fileless-mapping"
        /// An ELF or PE lies in executable memory without a file.
        case imageInMemory = "image-in-memory"
        /// Another process has written into code.
        case foreignWrite = "foreign-write"
        /// A process has written into its own code past the protection.
        case ownWrite = "own-write"
        /// The code of a file has changed in memory.
        case textRewritten = "text-rewritten"
        /// The kernel's own code in a process has changed.
        case vdsoChanged = "vdso-changed"
        /// One memory is writable in one place and executable in another.
        case dualMapping = "dual-mapping"
        case executableStack = "executable-stack"
        case executableHeap = "executable-heap"
        /// A page that looked encrypted became code.
        case decrypted
        /// Code was about to run in memory that it could have been written to.
        case executedWhileWritable = "executed-while-writable"
    }

    /// Not a score: whether a person should look at it first.
    public enum Importance: String, Hashable, Sendable, CaseIterable {
        /// Ordinary programs do not do this.
        case notable
        /// It may explain something else; by itself it is common.
        case context
    }

    /// What a finding rests on.
    public struct Evidence: Hashable, Sendable {
        /// At most ``Judge/evidenceLimit``, oldest first.
        public var transitions: [Transition.ID] = []
        /// How often it was seen.
        public var count = 1
        /// The layer (``/HuskModel/Layer/id``) that the region is.
        public var layer: Int?
        /// Whose code has asked for the region.
        public var requester: CallSite?
        /// Who has written, if a call did.
        public var writer: Writer?
        /// Whose code has written, if that was seen (`--rwx trap`).
        public var writingCode: CallSite?
        /// Where the region was entered, if that was seen.
        public var entry: Address?
        public var appearance: Appearance?
        public var images: [CarvedImage] = []

        public init(
            transitions: [Transition.ID] = [], count: Int = 1, layer: Int? = nil,
            requester: CallSite? = nil, writer: Writer? = nil, writingCode: CallSite? = nil,
            entry: Address? = nil, appearance: Appearance? = nil, images: [CarvedImage] = []
        ) {
            self.transitions = transitions
            self.count = count
            self.layer = layer
            self.requester = requester
            self.writer = writer
            self.writingCode = writingCode
            self.entry = entry
            self.appearance = appearance
            self.images = images
        }
    }

    public var kind: Kind
    public var importance: Importance
    public var techniques: [Technique]
    /// In plain words, from the facts.
    public var reason: String
    /// The process; whose thread was the first to do it.
    public var task: TaskIdentity
    /// Its name at that time.
    public var processName: TargetText
    public var time: Timestamp
    public var start: Address
    /// In bytes; 0 of a program as a whole.
    public var length: UInt64
    public var evidence: Evidence

    public init(
        kind: Kind, importance: Importance, techniques: [Technique], reason: String,
        task: TaskIdentity, processName: TargetText, time: Timestamp, start: Address,
        length: UInt64, evidence: Evidence
    ) {
        self.kind = kind
        self.importance = importance
        self.techniques = techniques
        self.reason = reason
        self.task = task
        self.processName = processName
        self.time = time
        self.start = start
        self.length = length
        self.evidence = evidence
    }
}

/// All that is to be said of a capture.
public struct Judgement: Hashable, Sendable {
    /// By time.
    public var findings: [Finding] = []
    /// Findings beyond ``Judge/findingLimit``, which are not told: context first, then the latest.
    public var suppressed = 0
    /// Regions that would have been findings but for a JIT compiler or a maker of closures that
    /// has asked for them.
    public var explainedByJIT = 0
    /// Regions that were not followed, because there were too many.
    public var unfollowed = 0

    public init(
        findings: [Finding] = [], suppressed: Int = 0, explainedByJIT: Int = 0, unfollowed: Int = 0
    ) {
        self.findings = findings
        self.suppressed = suppressed
        self.explainedByJIT = explainedByJIT
        self.unfollowed = unfollowed
    }

    public var hasNotable: Bool { findings.contains { $0.importance == .notable } }
}
