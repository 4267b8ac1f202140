// SPDX-License-Identifier: MIT

/// Why rules could not be used, or a scan was not finished.
public struct YaraError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// A file or folder of rules could not be read.
        case unreadable
        /// There is no rule.
        case noRules = "no-rules"
        /// A rule is wrong.
        case compilation
        /// The time for a scan was up.
        case timeout
        /// A regular expression needs more than libyara allows it on these bytes.
        case tooComplex = "too-complex"
        /// The memory to scan could not be read.
        case memory
        /// libyara failed.
        case library
    }

    public var kind: Kind
    /// What has happened, with the file and the line where there are any.
    public var message: String
    /// What to do about it.
    public var hint: String
    /// The file of rules it is about.
    public var file: String?
    /// From 1 on.
    public var line: Int?

    public init(
        _ kind: Kind, _ message: String, hint: String, file: String? = nil, line: Int? = nil
    ) {
        self.kind = kind
        self.message = message
        self.hint = hint
        self.file = file
        self.line = line
    }

    public var description: String { "\(message). \(hint)" }
}
