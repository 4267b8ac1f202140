// SPDX-License-Identifier: MIT
internal import CHuskSystem

/// What went wrong, with what to do about it.
///
/// Match on ``code``; show ``description``.
public struct HuskError: Error, Hashable, Sendable {
    /// The kind of failure. More may be added.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String {
            case invalidPID, noSuchProcess, notTraceable, notPermitted, unsupportedKernel
            case probesRefused, alreadyStarted, notStarted, invalidConfiguration
            case commandNotFound, commandNotExecutable, alreadyTraced, system
        }

        private let kind: Kind

        public var description: String { kind.rawValue }

        /// A number that cannot be a process ID.
        public static let invalidPID = Code(kind: .invalidPID)
        /// ESRCH from kill(2).
        public static let noSuchProcess = Code(kind: .noSuchProcess)
        /// A kernel thread, a zombie, a thread that is not its process's first, or Husk itself.
        public static let notTraceable = Code(kind: .notTraceable)
        /// A capability is missing.
        public static let notPermitted = Code(kind: .notPermitted)
        /// This kernel lacks something that Husk cannot do without.
        public static let unsupportedKernel = Code(kind: .unsupportedKernel)
        /// The kernel has refused to load or attach a probe, although it should have.
        public static let probesRefused = Code(kind: .probesRefused)
        /// `start()` was called twice.
        public static let alreadyStarted = Code(kind: .alreadyStarted)
        /// `stop()` was called before `start()`.
        public static let notStarted = Code(kind: .notStarted)
        /// A setting that is not possible.
        public static let invalidConfiguration = Code(kind: .invalidConfiguration)
        /// ENOENT from execve(2): the command, or the interpreter of its first line.
        public static let commandNotFound = Code(kind: .commandNotFound)
        /// Any other failure of execve(2): EACCES, ENOEXEC, ...
        public static let commandNotExecutable = Code(kind: .commandNotExecutable)
        /// Someone else traces the process with ptrace(2): ``RWXMode/trap`` is not possible.
        public static let alreadyTraced = Code(kind: .alreadyTraced)
        /// Any other system call that failed.
        public static let system = Code(kind: .system)
    }

    /// What kind of failure it is: match on it.
    public var code: Code
    /// One sentence: what could not be done, to what.
    public var message: String
    /// The errno behind it, or 0.
    public var errno: Int32
    /// What the user can do.
    public var hint: String?
    /// More than most readers want, such as the BPF verifier's log.
    public var details: String?

    public init(
        _ code: Code, _ message: String, errno: Int32 = 0, hint: String? = nil,
        details: String? = nil
    ) {
        self.code = code
        self.message = message
        self.errno = errno
        self.hint = hint
        self.details = details
    }
}

extension HuskError: CustomStringConvertible {
    public var description: String {
        errno == 0 ? message : "\(message): \(Self.name(of: errno))"
    }

    /// strerror(3), without its shared buffer.
    static func name(of errno: Int32) -> String {
        // Safe: the call writes at most the capacity given, and ends it with a zero.
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            guard let base = buffer.baseAddress else { return "error \(errno)" }
            base.pointee = 0
            husk_error_name(errno, base, buffer.count)
            return String(cString: base)
        }
    }
}
