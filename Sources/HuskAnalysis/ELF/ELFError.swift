// SPDX-License-Identifier: MIT

/// Why an ELF file could not be read from memory, or not be written.
///
/// Match on ``code``; show ``description``.
public struct ELFError: Error, Hashable, Sendable {
    /// The kind of failure. More may be added.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String {
            case notELF, unsupported, malformed, missing, tooLarge, nothingToWrite, badContent
        }

        private let kind: Kind

        public var description: String { kind.rawValue }

        /// The bytes do not begin as an ELF file does.
        public static let notELF = Code(kind: .notELF)
        /// An ELF file, of a kind that Husk does not handle: not x86, not little-endian, ...
        public static let unsupported = Code(kind: .unsupported)
        /// Its headers contradict themselves or what is in memory.
        public static let malformed = Code(kind: .malformed)
        /// Bytes that are needed are not in the capture.
        public static let missing = Code(kind: .missing)
        /// More than a documented limit.
        public static let tooLarge = Code(kind: .tooLarge)
        /// No byte of what was asked for is in the capture.
        public static let nothingToWrite = Code(kind: .nothingToWrite)
        /// A stored content is not as long as its page.
        public static let badContent = Code(kind: .badContent)
    }

    public var code: Code
    /// One sentence: what is wrong, with what.
    public var message: String
    /// What the user can do.
    public var hint: String?

    public init(_ code: Code, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }
}

extension ELFError: CustomStringConvertible {
    public var description: String {
        hint.map { "\(message) (\($0))" } ?? message
    }
}
