// SPDX-License-Identifier: MIT
public import HuskModel

/// What an analysis of a capture has found, as it is stored in the capture file and given to
/// programs. Plain values: who judges is another layer. Text is escaped.
public struct AnalysisRecord: Hashable, Sendable {
    /// Something that a person should look at.
    public struct Finding: Hashable, Sendable {
        public var kind: String
        public var importance: String
        /// IDs and names of ATT&CK techniques.
        public var techniques: [Technique]
        public var reason: String
        public var task: TaskIdentity
        public var processName: String
        public var time: Timestamp
        public var start: Address
        public var length: UInt64
        public var layer: Int?
        public var entry: Address?
        public var transitions: [Transition.ID]

        public init(
            kind: String, importance: String, techniques: [Technique], reason: String,
            task: TaskIdentity, processName: String, time: Timestamp, start: Address,
            length: UInt64, layer: Int?, entry: Address?, transitions: [Transition.ID]
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
            self.layer = layer
            self.entry = entry
            self.transitions = transitions
        }
    }

    /// A technique of MITRE ATT&CK.
    public struct Technique: Codable, Hashable, Sendable {
        public var id: String
        public var name: String

        public init(id: String, name: String) {
            self.id = id
            self.name = name
        }
    }

    /// Of a run of pages.
    public struct Appearance: Hashable, Sendable {
        public var region: Int64
        public var transition: Transition.ID
        /// The highest of its pages.
        public var generation: Int
        public var start: Address
        public var length: UInt64
        public var kind: String
        /// Bits per byte.
        public var entropy: Double
        public var reasons: [String]
        public var images: [Image]

        public init(
            region: Int64, transition: Transition.ID, generation: Int, start: Address,
            length: UInt64, kind: String, entropy: Double, reasons: [String], images: [Image]
        ) {
            self.region = region
            self.transition = transition
            self.generation = generation
            self.start = start
            self.length = length
            self.kind = kind
            self.entropy = entropy
            self.reasons = reasons
            self.images = images
        }
    }

    /// An ELF or PE that lies in a run.
    public struct Image: Hashable, Sendable {
        public var address: Address
        public var format: String
        public var claimedSize: UInt64
        public var availableSize: UInt64
        public var entry: UInt64?
        public var summary: String
        public var importHash: (kind: String, value: String)? {
            importHashKind.flatMap { kind in importHashValue.map { (kind, $0) } }
        }
        private var importHashKind: String?
        private var importHashValue: String?

        public init(
            address: Address, format: String, claimedSize: UInt64, availableSize: UInt64,
            entry: UInt64?, summary: String, importHash: (kind: String, value: String)?
        ) {
            self.address = address
            self.format = format
            self.claimedSize = claimedSize
            self.availableSize = availableSize
            self.entry = entry
            self.summary = summary
            importHashKind = importHash?.kind
            importHashValue = importHash?.value
        }
    }

    /// A rule of YARA's that has matched a run.
    public struct RuleMatch: Hashable, Sendable {
        /// A string of a rule, and where it was found.
        public struct Match: Hashable, Sendable {
            public var identifier: String
            public var address: Address
            public var length: UInt64
            /// The first bytes.
            public var data: [UInt8]

            public init(identifier: String, address: Address, length: UInt64, data: [UInt8]) {
                self.identifier = identifier
                self.address = address
                self.length = length
                self.data = data
            }
        }

        public var region: Int64
        public var transition: Transition.ID
        public var generation: Int
        public var rule: String
        public var namespace: String
        public var tags: [String]
        public var metadata: [String: String]
        public var strings: [Match]

        public init(
            region: Int64, transition: Transition.ID, generation: Int, rule: String,
            namespace: String, tags: [String], metadata: [String: String], strings: [Match]
        ) {
            self.region = region
            self.transition = transition
            self.generation = generation
            self.rule = rule
            self.namespace = namespace
            self.tags = tags
            self.metadata = metadata
            self.strings = strings
        }
    }

    public var huskVersion: String
    /// Nanoseconds since 1970.
    public var wall: UInt64 = 0
    /// The file or folder of rules; nil: none were used.
    public var rules: String?
    /// Files' code was looked at, too.
    public var everything: Bool
    /// Regions that would be findings if a JIT compiler had not made them.
    public var explainedByJIT = 0
    /// Findings beyond the limit.
    public var suppressed = 0
    /// Something was too much or took too long: there may be more.
    public var isCut = false
    public var findings: [Finding] = []
    public var appearances: [Appearance] = []
    public var matches: [RuleMatch] = []

    public init(huskVersion: String, rules: String?, everything: Bool) {
        self.huskVersion = huskVersion
        self.rules = rules
        self.everything = everything
    }
}
