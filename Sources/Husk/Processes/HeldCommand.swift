// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc

/// A command whose process exists already and has not yet executed anything: the tracer is
/// started on ``pid``, then ``execute()`` lets it go. So its first instruction is traced.
///
/// It shares this process's descriptors, folder, environment and process group.
public final class HeldCommand: Sendable {
    /// Of the process that waits, and of the command later.
    public let pid: Int32
    private let releaseDescriptor: Int32
    private let errorDescriptor: Int32
    private let name: String

    /// Forks. Call it before other threads are started where that can be arranged: only the
    /// calling thread exists in the child.
    ///
    /// - Parameters:
    ///   - arguments: the command and its arguments, as execvp(3) takes them.
    ///   - signals: whose changes to the signal mask the child is not to inherit.
    ///   - standardOutput: a descriptor to be its standard output; nil: the caller's.
    public convenience init(
        _ arguments: [String], signals: SignalWatch? = nil, standardOutput: Int32? = nil
    ) throws(HuskError) {
        try self.init(
            arguments.map { Array($0.utf8) }, signals: signals, standardOutput: standardOutput)
    }

    /// The same with arguments that may be no UTF-8.
    public init(
        _ arguments: [[UInt8]], signals: SignalWatch? = nil, standardOutput: Int32? = nil
    ) throws(HuskError) {
        guard let first = arguments.first, !first.isEmpty else {
            throw HuskError(.commandNotFound, "no command was given")
        }
        let name = String(decoding: first, as: UTF8.self)
        self.name = name
        var mask = signals?.previousMask ?? SignalWatch.currentMask()
        var child = husk_child()
        let result = Self.withArgumentVector(arguments) {
            husk_child_start(
                $0, &mask, signals?.ignoredChildSignal == true ? 1 : 0, standardOutput ?? -1,
                &child)
        }
        guard result == 0 else {
            throw HuskError(.system, "cannot start a process for \(name)", errno: -result)
        }
        pid = child.pid
        releaseDescriptor = child.release_fd
        errorDescriptor = child.error_fd
    }

    deinit {
        // A child that was never released sees this as its end.
        close(releaseDescriptor)
        close(errorDescriptor)
    }

    /// Lets the command run; returns once it has been executed, or throws why it could not be.
    /// After a failure the process has ended; call ``poll()`` to take note of that.
    public func execute() throws(HuskError) {
        var go: UInt8 = 1
        let descriptor = releaseDescriptor
        _ = retryingInterrupted { write(descriptor, &go, 1) }
        var failure: Int32 = 0
        let errors = errorDescriptor
        let size = retryingInterrupted { read(errors, &failure, MemoryLayout<Int32>.size) }
        guard size == MemoryLayout<Int32>.size else { return }
        switch failure {
        case ENOENT:
            throw HuskError(
                .commandNotFound, "\(name): command not found", errno: 0,
                hint: name.contains("/")
                    ? "check the path (or the interpreter that its first line names)"
                    : "it is in no folder of PATH; give its path, such as ./\(name)")
        default:
            throw HuskError(
                .commandNotExecutable, "\(name): cannot be executed", errno: failure,
                hint: Self.isFolder(name) ? "it is a folder" : Self.hint(for: failure, name))
        }
    }

    /// What has become of it.
    public enum Status: Hashable, Sendable {
        case running
        case exited(Int32)
        case killed(signal: Int32)
        /// Someone else has waited for it.
        case unknown
    }

    /// Whether the process has ended, and how. Does not block.
    public func poll() -> Status {
        guard let status = ReapedChildren.status(of: pid) else { return .running }
        if status < 0 { return .unknown }
        let signal = status & 0x7F
        return signal != 0 ? .killed(signal: signal) : .exited(status >> 8 & 0xFF)
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func hint(for failure: Int32, _ name: String) -> String? {
        switch failure {
        case EACCES: "is it executable? chmod +x \(name)"
        case ENOEXEC: "it is neither a program for this machine nor a script"
        default: nil
        }
    }

    private static func withArgumentVector<Result>(
        _ arguments: [[UInt8]],
        _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>?) -> Result
    ) -> Result {
        // Unsafe because execvp wants char **; strdup'ed so that nothing moves, and freed
        // after `body`, when the child has its own copy.
        let vector: [UnsafeMutablePointer<CChar>?] =
            arguments.map { strdup($0.map { CChar(bitPattern: $0) } + [0]) } + [nil]
        defer { vector.forEach { free($0) } }
        return vector.withUnsafeBufferPointer { body($0.baseAddress) }
    }
}
