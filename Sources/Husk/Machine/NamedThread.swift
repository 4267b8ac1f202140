// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc
internal import HuskPrivileges

/// A thread of Husk's own that runs one function. Not a Task: ptrace(2) belongs to a thread, and
/// poll(2) would block one of the few that tasks share.
struct NamedThread: Sendable {
    private let handle: pthread_t

    private final class Work: Sendable {
        let name: String
        let goesFirst: Bool
        let kept: CapabilitySet?
        let body: @Sendable () -> Void

        init(
            _ name: String, _ goesFirst: Bool, _ kept: CapabilitySet?,
            _ body: @escaping @Sendable () -> Void
        ) {
            self.name = name
            self.goesFirst = goesFirst
            self.kept = kept
            self.body = body
        }
    }

    /// - Parameters:
    ///   - name: at most 15 bytes, as /proc/PID/task/TID/comm shows it.
    ///   - goingFirst: before others: hundreds of threads of targets may be waiting for it, and
    ///     while they wait in the kernel they use the CPU. Without the right to do so, nothing
    ///     happens.
    ///   - kept: the capabilities that it keeps of those of the calling thread; nil: all.
    /// - Throws: ``HuskError/Code/system``: pthread_create(3) has failed.
    init(
        _ name: String, goingFirst: Bool = false, keeping kept: CapabilitySet? = nil,
        _ body: @escaping @Sendable () -> Void
    ) throws(HuskError) {
        // Unsafe: a thread's argument is an untyped pointer. It carries one reference, which the
        // thread gives back.
        let context = Unmanaged.passRetained(Work(name, goingFirst, kept, body)).toOpaque()
        var handle = pthread_t()
        let result = pthread_create(
            &handle, nil,
            { context in
                guard let context else { return nil }
                let work = Unmanaged<Work>.fromOpaque(context).takeRetainedValue()
                husk_thread_set_name(work.name)
                if work.goesFirst { setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, -20) }
                work.kept?.keep()
                work.body()
                return nil
            }, context)
        guard result == 0 else {
            Unmanaged<Work>.fromOpaque(context).release()
            throw HuskError(.system, "cannot start the thread \(name)", errno: result)
        }
        self.handle = handle
    }

    private init(_ handle: pthread_t) { self.handle = handle }

    /// The thread that asks.
    static var current: NamedThread { NamedThread(pthread_self()) }

    /// Waits for its end. To be called once.
    func join() { pthread_join(handle, nil) }

    /// Sends it a signal (pthread_kill(3)). Not after ``join()``.
    func signal(_ number: Int32) { pthread_kill(handle, number) }
}
