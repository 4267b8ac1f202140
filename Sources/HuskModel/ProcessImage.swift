// SPDX-License-Identifier: MIT

/// Names a stored content: one page's bytes, kept once however often they were captured.
public struct ContentReference: RawRepresentable, Hashable, Sendable {
    /// The row in the capture file.
    public var rawValue: Int64

    public init(rawValue: Int64) {
        self.rawValue = rawValue
    }
}

/// Where stored contents are read from.
public protocol ContentSource {
    /// All bytes of a content, checked against its hash.
    func bytes(of content: ContentReference) throws -> [UInt8]
}

/// The memory of one process at one moment, as far as a capture has it.
///
/// Holds no bytes: pages name their content, which a ``ContentSource`` gives.
public struct ProcessImage: Hashable, Sendable {
    /// A page whose bytes are known.
    public struct StoredPage: Hashable, Sendable {
        public var address: Address
        /// Bytes of address space.
        public var size: Int
        public var content: ContentReference
        /// When the bytes were taken: at ``ProcessImage/time`` or before.
        public var time: Timestamp
        public var generation: Int

        public init(
            address: Address, size: Int, content: ContentReference, time: Timestamp,
            generation: Int
        ) {
            self.address = address
            self.size = size
            self.content = content
            self.time = time
            self.generation = generation
        }
    }

    /// A mapping and the pages of it that are known.
    public struct Region: Hashable, Sendable {
        /// Protection, backing (a file's offset is that of the start) and range.
        public var mapping: MappedRegion
        /// Ascending, within the region. What lies between them is not in the capture.
        public var pages: [StoredPage]

        public init(_ mapping: MappedRegion, pages: [StoredPage] = []) {
            self.mapping = mapping
            self.pages = pages
        }
    }

    /// A thread whose registers are known.
    public struct Thread: Hashable, Sendable {
        public var task: TaskIdentity
        public var name: TargetText
        public var registers: Registers

        public init(task: TaskIdentity, name: TargetText, registers: Registers) {
            self.task = task
            self.name = name
            self.registers = registers
        }
    }

    /// Process ID as Husk saw it.
    public var pid: Int32
    public var parentPID: Int32
    public var time: Timestamp
    /// The thread's name (comm), or what it was executed as.
    public var name: TargetText
    /// Whether it was a 32-bit program.
    public var is32Bit: Bool
    /// Ascending and disjoint.
    public var regions: [Region]
    /// The one that has caused the moment first.
    public var threads: [Thread]

    public init(
        pid: Int32, parentPID: Int32 = 0, time: Timestamp, name: TargetText, is32Bit: Bool = false,
        regions: [Region], threads: [Thread] = []
    ) {
        self.pid = pid
        self.parentPID = parentPID
        self.time = time
        self.name = name
        self.is32Bit = is32Bit
        self.regions = regions
        self.threads = threads
    }
}
