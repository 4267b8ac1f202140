// SPDX-License-Identifier: MIT

/// Why a capture file could not be opened, read or asked.
public struct CaptureFileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is. There may be more of them later.
    public struct Code: Hashable, Sendable {
        private let number: Int
        /// No such file, or no right to read it.
        public static let notReadable = Code(number: 1)
        /// Something else than a capture file.
        public static let foreign = Code(number: 2)
        /// Written by a newer Husk.
        public static let newerSchema = Code(number: 3)
        /// Bytes of it are not what they must be.
        public static let damaged = Code(number: 4)
        /// It could not be written to.
        public static let notWritable = Code(number: 5)
        /// What was asked for is not in it.
        public static let notFound = Code(number: 6)
        /// Another process has it to itself at the moment.
        public static let inUse = Code(number: 7)
    }

    /// What kind of failure it is: match on it.
    public var code: Code
    /// One sentence.
    public var message: String
    /// What the user can do.
    public var hint: String?

    public init(_ code: Code, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    public var description: String { message }

    static func damaged(_ what: String) -> CaptureFileError {
        CaptureFileError(
            .damaged, "the capture is damaged: \(what)",
            hint: "`husk verify FILE` tells what else is wrong with it")
    }
}
