// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Keeps writes from pages of another process by userfaultfd(2) in its write-protect mode: who
/// writes waits until that is allowed, also a system call on a thread's behalf. (Pages without W
/// would make the call fail, half of it done.) It goes with its descriptor: when Husk is killed,
/// no one waits any more.
final class WriteGuard {
    private let descriptor: OwnedDescriptor

    /// - Parameter descriptor: a userfaultfd of the process.
    /// Nil: the kernel does not have what is needed (Linux 6.4).
    init?(_ descriptor: consuming OwnedDescriptor) {
        guard husk_guard_begin(descriptor.number) == 0 else { return nil }
        self.descriptor = descriptor
    }

    var number: Int32 { descriptor.number }

    /// False: it is not memory of the kind that can be guarded (anonymous or shared memory).
    func register(_ range: Range<UInt64>) -> Bool {
        husk_guard_register(number, range.lowerBound, range.upperBound - range.lowerBound) == 0
    }

    func protect(_ range: Range<UInt64>) {
        _ = husk_guard_protect(number, range.lowerBound, range.upperBound - range.lowerBound, 1)
    }

    func allow(_ range: Range<UInt64>) {
        let length = range.upperBound - range.lowerBound
        if husk_guard_protect(number, range.lowerBound, length, 0) != 0 { wake(range) }
    }

    /// Who waits there tries again.
    func wake(_ range: Range<UInt64>) {
        _ = husk_guard_wake(number, range.lowerBound, range.upperBound - range.lowerBound)
    }

    /// Nil: no one has begun to wait since the last time.
    func nextFault() -> husk_guard_fault? {
        var fault = husk_guard_fault()
        return husk_guard_read(number, &fault) == 1 ? fault : nil
    }
}

/// Wakes the enforcer out of waitid(2), which cannot wait for descriptors, when a guard has
/// something to tell.
final class GuardWatch: @unchecked Sendable {
    // Guard: `thread` is used by the enforcer's thread only; the rest is constant or atomic.
    private let set: OwnedDescriptor
    private let end: OwnedDescriptor
    private let isEnding = Atomic<Bool>(false)
    private let hasNews = Atomic<Bool>(false)
    private let isTaken = DispatchSemaphore(value: 0)
    private var thread: NamedThread?

    /// - Parameter signal: what interrupts `enforcer` and does nothing else.
    init(waking enforcer: NamedThread, by signal: Int32) throws(HuskError) {
        set = try OwnedDescriptor(resultOf: husk_guards_open(), "epoll_create1")
        end = try OwnedDescriptor(resultOf: husk_eventfd_open(), "eventfd")
        add(end.number)
        thread = try NamedThread("husk-guards") { [self] in
            while true {
                guard husk_guards_wait(set.number, -1) == 1 else { continue }
                if isEnding.load(ordering: .acquiring) { return }
                hasNews.store(true, ordering: .releasing)
                // The signal may come just before the other thread begins to wait.
                repeat {
                    enforcer.signal(signal)
                } while isTaken.wait(
                    timeout: .now() + .microseconds(300)) == .timedOut
                    && !isEnding.load(ordering: .acquiring)
            }
        }
    }

    func add(_ descriptor: Int32) {
        _ = husk_guards_add(set.number, descriptor)
    }

    /// Runs `body` if a guard has something to tell, which it must take.
    func takeNews(_ body: () -> Void) {
        guard hasNews.exchange(false, ordering: .acquiringAndReleasing) else { return }
        body()
        isTaken.signal()
    }

    func stop() {
        guard let thread else { return }
        self.thread = nil
        isEnding.store(true, ordering: .releasing)
        var one: UInt64 = 1
        _ = retryingInterrupted { write(end.number, &one, 8) }
        thread.join()
    }
}
