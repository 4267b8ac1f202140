// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc

/// Receives SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGCHLD as data instead of being
/// interrupted by them, and keeps SIGPIPE and SIGXFSZ from ending the process. Those of the first
/// four that are ignored stay so (nohup(1)).
///
/// Make one on the main thread before any other thread: threads inherit the mask.
public final class SignalWatch: Sendable {
    /// A signal that has arrived.
    public struct Signal: Hashable, Sendable {
        /// SIGINT, SIGTERM, ...
        public var number: Int32
        /// Sent by the kernel: for SIGINT from the terminal, so that everyone in the
        /// foreground process group has got it too.
        public var isFromKernel: Bool
    }

    private let source: OwnedDescriptor
    let previousMask: sigset_t
    /// SIGCHLD was ignored, which makes the kernel throw a child's status away. It no longer
    /// is; a command that is started gets it back.
    let ignoredChildSignal: Bool

    /// Readable when a signal waits.
    public var descriptor: Int32 { source.number }

    /// - Parameter others: to be received, too. What they would do by themselves, they no longer
    ///   do (``stopProcess()``).
    public init(andAlso others: [Int32] = []) throws(HuskError) {
        previousMask = Self.currentMask()
        ignoredChildSignal = husk_signal_is_ignored(SIGCHLD) != 0
        if ignoredChildSignal { Glibc.signal(SIGCHLD, SIG_DFL) }
        var watched = sigset_t()
        sigemptyset(&watched)
        for signal in Self.ending + [SIGCHLD] + others where husk_signal_is_ignored(signal) == 0 {
            sigaddset(&watched, signal)
        }
        source = try OwnedDescriptor(resultOf: husk_signalfd_open(&watched), "signalfd")
        // Blocked, not ignored: an ignored SIGPIPE would be inherited through exec. Never
        // unblocked either: one that waits would end the process then.
        sigaddset(&watched, SIGPIPE)
        sigaddset(&watched, SIGXFSZ)
        pthread_sigmask(SIG_BLOCK, &watched, nil)
    }

    /// The next signal, if one has arrived. Does not block.
    public func next() -> Signal? {
        var signal = husk_signal()
        guard husk_signalfd_read(source.number, &signal) == 1 else { return nil }
        return Signal(number: signal.number, isFromKernel: signal.sent_by_kernel != 0)
    }

    /// What SIGTSTP would have done had it not been received: stops this process, unless that
    /// signal is ignored. Returns when it goes on. On the thread that has made the watch.
    public func stopProcess() {
        var stop = sigset_t()
        sigemptyset(&stop)
        sigaddset(&stop, SIGTSTP)
        raise(SIGTSTP)  // waits until it is let in
        pthread_sigmask(SIG_UNBLOCK, &stop, nil)
        pthread_sigmask(SIG_BLOCK, &stop, nil)
    }

    /// From now on these do by themselves what they do, if they did when the watch was made. On the
    /// thread that has made it.
    public func letGo(of numbers: [Int32]) {
        var free = sigset_t()
        sigemptyset(&free)
        var blocked = previousMask
        for number in numbers where sigismember(&blocked, number) == 0 { sigaddset(&free, number) }
        pthread_sigmask(SIG_UNBLOCK, &free, nil)
    }

    /// Whether one of those that ask a process to end has arrived and was not taken yet. Takes
    /// none; on any thread.
    public static var endingSignalWaits: Bool {
        var waiting = sigset_t()
        sigpending(&waiting)
        return ending.contains { sigismember(&waiting, $0) == 1 }
    }

    private static let ending = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]

    static func currentMask() -> sigset_t {
        var mask = sigset_t()
        pthread_sigmask(SIG_BLOCK, nil, &mask)
        return mask
    }

    /// Stops of traced processes (``RWXMode/trap``) raise no SIGCHLD from now on.
    public static func ignoreStops() {
        husk_ignore_stops()
    }
}
