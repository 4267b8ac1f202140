// SPDX-License-Identifier: MIT
public import HuskModel

/// A rule that is true of some memory.
public struct YaraMatch: Hashable, Sendable {
    /// What a line of `meta` has.
    public enum Value: Hashable, Sendable {
        case text(String)
        case integer(Int64)
        case boolean(Bool)
    }

    /// A line of a rule's `meta`.
    public struct Meta: Hashable, Sendable {
        public var name: String
        public var value: Value

        public init(
            name: String, value: Value
        ) {
            self.name = name
            self.value = value
        }
    }

    /// One place where one of the rule's strings is.
    public struct StringMatch: Hashable, Sendable {
        /// With its `$`.
        public var identifier: String
        /// In the target.
        public var address: Address
        /// In bytes.
        public var length: UInt64
        /// The first bytes, at most ``YaraScanner/dataLimit``.
        public var data: [UInt8]

        public init(
            identifier: String, address: Address, length: UInt64, data: [UInt8]
        ) {
            self.identifier = identifier
            self.address = address
            self.length = length
            self.data = data
        }
    }

    public var rule: String
    public var namespace: String
    public var tags: [String] = []
    /// In the rule's order.
    public var metas: [Meta] = []
    /// In the order of the rule's strings, then of addresses.
    public var strings: [StringMatch] = []
    /// How many string matches there are beyond those.
    public var furtherStrings = 0

    public init(
        rule: String, namespace: String, tags: [String] = [], metas: [Meta] = [],
        strings: [StringMatch] = [], furtherStrings: Int = 0
    ) {
        self.rule = rule
        self.namespace = namespace
        self.tags = tags
        self.metas = metas
        self.strings = strings
        self.furtherStrings = furtherStrings
    }
}

/// What came of one scan.
public struct YaraScan: Hashable, Sendable {
    /// In the order of the rules.
    public var matches: [YaraMatch] = []
    /// More rules were true than are told.
    public var isCut = false
    /// Strings that match nearly everywhere: libyara has stopped to look for them.
    public var floodedStrings: [String] = []

    public init(
        matches: [YaraMatch] = [], isCut: Bool = false, floodedStrings: [String] = []
    ) {
        self.matches = matches
        self.isCut = isCut
        self.floodedStrings = floodedStrings
    }
}

/// Memory to scan, as one piece: a string across a page border is found within it.
public struct YaraBlock {
    public var base: Address
    /// In bytes.
    public var length: Int
    /// Gives all the bytes; may be called more than once.
    public var bytes: () throws -> [UInt8]

    public init(base: Address, length: Int, bytes: @escaping () throws -> [UInt8]) {
        self.base = base
        self.length = length
        self.bytes = bytes
    }

    public init(base: Address, bytes: [UInt8]) {
        self.init(base: base, length: bytes.count) { bytes }
    }
}
