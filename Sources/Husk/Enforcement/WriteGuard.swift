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
    private let pid: Int32
    /// Never ``GuardReach/none``.
    let reach: GuardReach

    /// - Parameters:
    ///   - descriptor: a userfaultfd of the process `pid`.
    ///   - limit: the most that is asked for.
    /// Nil: the kernel does not have what is needed (Linux 5.19).
    init?(
        _ descriptor: consuming OwnedDescriptor, of pid: Int32, upTo limit: GuardReach = .allPages
    ) {
        if limit >= .allPages, husk_guard_begin(descriptor.number, 1) == 0 {
            reach = .allPages
        } else if limit >= .existingPages, husk_guard_begin(descriptor.number, 0) == 0 {
            reach = .existingPages
        } else {
            return nil
        }
        self.descriptor = descriptor
        self.pid = pid
    }

    var number: Int32 { descriptor.number }

    /// False: it is not memory of the kind that can be guarded (anonymous or shared memory).
    func register(_ range: Range<UInt64>) -> Bool {
        husk_guard_register(number, range.lowerBound, range.upperBound - range.lowerBound) == 0
    }

    /// It is not enforced any more. What stays registered cannot be one mapping with its neighbour,
    /// and mremap(2) of both would fail, half of it done.
    func release(_ range: Range<UInt64>) {
        let length = range.upperBound - range.lowerBound
        if husk_guard_unregister(number, range.lowerBound, length) != 0 { allow(range) }
    }

    /// False: of a part of it at least, W is not kept (the target has made something else of it).
    func protect(_ range: Range<UInt64>) -> Bool { set(range, isProtected: true) }

    func allow(_ range: Range<UInt64>) {
        if !set(range, isProtected: false) { wake(range) }
    }

    private func set(_ range: Range<UInt64>, isProtected: Bool) -> Bool {
        func set(_ range: Range<UInt64>) -> Int32 {
            husk_guard_protect(
                number, range.lowerBound, range.upperBound - range.lowerBound, isProtected ? 1 : 0)
        }
        let result = set(range)
        guard result == -ENOENT, reach == .existingPages else { return result == 0 }
        // Before Linux 6.4 it has to lie in one mapping, and protections make several of one.
        let parts = (MemoryMaps.regions(of: pid) ?? []).map { $0.range.clamped(to: range) }
            .filter { !$0.isEmpty }
        var next = range.lowerBound
        for part in parts where set(part) == 0 && part.lowerBound == next {
            next = part.upperBound
        }
        return next == range.upperBound
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
