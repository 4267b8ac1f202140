// SPDX-License-Identifier: MIT
internal import Foundation
internal import GRDB
public import HuskModel
internal import HuskPrivileges
internal import Synchronization

/// Writes a capture file while the trace runs, on a thread of its own and in batches.
///
/// Events are taken as they come and wait in memory until the thread has stored them; when too much
/// waits, ``add(_:)`` does too, and with it the reader of the ring. After a crash, or when the disk
/// is full, the file holds everything up to the last batch and says that it is unfinished.
///
/// The file is made with mode 0600: a capture may hold live malware and the target's secrets.
public final class CaptureFileWriter: Sendable {
    /// What waits may hold so many bytes of pages.
    private static let queueLimit = 8 << 20
    /// A batch is closed when it holds so many bytes of pages, or has been open for so long.
    private static let batchBytes = 8 << 20
    private static let batchTime = Duration.milliseconds(500)

    /// What an event takes in memory besides, about.
    private static let eventBytes = 512

    private struct State {
        var events: [Event] = []
        var bytes = 0
        var isEnding = false
        var hasEnded = false
        var failure: OutputError?
        /// Pages that are not stored because of it, and their bytes.
        var notStored: (pages: UInt64, bytes: UInt64) = (0, 0)
        /// The last event's, for the loss that tells of them.
        var time: Timestamp?
    }

    /// What only the writing thread touches, and after its end the one that finishes.
    private final class Store {
        let queue: DatabaseQueue
        let events = EventStore()

        init(_ queue: DatabaseQueue) {
            self.queue = queue
        }
    }

    public let path: String
    // Guard: `condition` for `state`; `store` belongs to the thread until it has ended.
    private nonisolated(unsafe) let store: Store
    private nonisolated(unsafe) var state = State()
    private let condition = NSCondition()
    private let reserve: FileReserve
    /// What was at the path before.
    private let replaced: ReplacedCapture?

    /// Makes the file and writes what is known of the run.
    ///
    /// - Parameters:
    ///   - path: of the file. Links are not followed.
    ///   - replaces: an existing file is replaced, if it is a regular one. It is kept under another
    ///     name until ``begin()``, and ``discard()`` puts it back.
    ///   - run: what the file is to say of the run.
    public init(
        path: String, replaces: Bool, run: RunDescription
    ) throws(OutputError) {
        self.path = path
        replaced = try CaptureFilePlace.prepare(path, replaces: replaces)
        reserve = FileReserve(beside: path)
        do {
            let queue = try DatabaseQueue(
                path: CaptureFilePlace.forSQLite(path), configuration: CaptureDatabase.writing())
            try queue.write { db in try RunRow.insert(run, in: db) }
            // So that the file alone says what it is.
            try queue.writeWithoutTransaction { db in
                _ = try Row.fetchAll(db, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
            }
            store = Store(queue)
        } catch {
            reserve.release()
            CaptureFilePlace.remove(path)
            if let failure = replaced?.putBack() { throw failure }
            var failure = Self.outputError(error, path)
            failure.hint = nil  // there is no file
            throw failure
        }
        let thread = Thread { [self] in
            Confinement.beginStoring(at: path)
            work()
        }
        thread.start()
    }

    // MARK: The tracer's side

    /// The trace has begun: what the file replaces is removed. Without this call that is done by
    /// ``finish(_:layers:records:probes:copyMethod:target:)``.
    public func begin() {
        replaced?.giveUp()
    }

    /// Takes an event; waits while too much waits already.
    public func add(_ event: Event) {
        condition.lock()
        defer { condition.unlock() }
        while state.bytes >= Self.queueLimit, !state.hasEnded { condition.wait() }
        if case .page(let page) = event {
            state.time = page.time
            if state.failure != nil {
                noteNotStored(page)
                return
            }
            if case .content(let content, _) = page.body { state.bytes += content.size }
        }
        if case .execution(let execution) = event {
            state.bytes += (execution.memory?.pages.count ?? 0) * 4096
        }
        guard state.failure == nil else { return }
        state.bytes += Self.eventBytes
        state.events.append(event)
        // The thread looks by itself now and then: not every event wakes it.
        if state.events.count == 1 || state.bytes >= Self.batchBytes { condition.signal() }
    }

    /// Ends the batches and returns what could not be stored, if anything could not.
    public func drain() -> Loss? {
        condition.lock()
        defer { condition.unlock() }
        state.isEnding = true
        condition.broadcast()
        while !state.hasEnded { condition.wait() }
        return notStored
    }

    private var notStored: Loss? {
        guard state.failure != nil, state.notStored.pages > 0, let time = state.time else {
            return nil
        }
        return Loss(
            cause: .notStored, time: time, length: state.notStored.bytes,
            count: state.notStored.pages)
    }

    /// Writes the sums, the layers and the indices; call it after ``drain()``. Returns the first
    /// failure.
    public func finish(
        _ tally: CaptureTally, layers: [Layer], records: [RecordCount], probes: String?,
        copyMethod: String?, target: TargetStatus?
    ) -> OutputError? {
        begin()
        reserve.release()
        do {
            try store.queue.write { [store] db in
                if state.failure == nil {
                    for layer in layers { try store.events.store(layer, in: db) }
                } else if let notStored {
                    try store.events.store(.loss(notStored), in: db)
                }
                try RunRow.finish(
                    tally, records: records, probes: probes, copyMethod: copyMethod,
                    target: target, contents: store.events.contentCount,
                    storedBytes: store.events.storedBytes, in: db)
            }
            // Apart: a disk that is too full for them holds a capture that is whole.
            if state.failure == nil { try makeIndices() }
            try store.queue.close(afterMakingOneFile: true)
        } catch {
            if state.failure == nil { state.failure = Self.outputError(error, path) }
            try? store.queue.close()  // what failed has been told
        }
        return state.failure
    }

    private func makeIndices() throws {
        try store.queue.write { [store] db in
            for index in CaptureSchema.indices { try db.execute(sql: index) }
            try store.events.joinDoubles(in: db)
            try RunRow.noteContents(
                store.events.contentCount, storedBytes: store.events.storedBytes, in: db)
        }
    }

    /// Takes back what was made, for a trace that has never begun; what it was to replace is there
    /// again. Returns the failure if it is not.
    @discardableResult
    public func discard() -> OutputError? {
        _ = drain()
        reserve.release()
        try? store.queue.close()  // it is removed anyway
        CaptureFilePlace.remove(path)
        return replaced?.putBack()
    }

    // MARK: The writing thread

    private func work() {
        while true {
            condition.lock()
            let patience = Date(timeIntervalSinceNow: 0.5)
            while state.events.isEmpty, !state.isEnding, condition.wait(until: patience) {}
            // Small events come by the thousand: let some gather.
            if !state.isEnding, state.bytes < Self.batchBytes {
                _ = condition.wait(until: patience)
            }
            let batch = state.events
            state.events = []
            state.bytes = 0
            let isLast = state.isEnding
            condition.broadcast()
            condition.unlock()

            if !batch.isEmpty { store(batch) }
            guard isLast else { continue }
            condition.lock()
            // Nothing is added any more once the end was asked for.
            state.hasEnded = state.events.isEmpty
            let hasEnded = state.hasEnded
            condition.broadcast()
            condition.unlock()
            if hasEnded { return }
        }
    }

    private func store(_ batch: [Event]) {
        do {
            try store.queue.write { [store] db in
                if let first = batch.first, store.events.position == 0 {
                    try RunRow.noteClock(of: first.time, in: db)
                }
                for event in batch { try store.events.store(event, in: db) }
                try store.events.storeRegions(in: db, all: true)
                try RunRow.update(
                    store.events.tally, contents: store.events.contentCount,
                    storedBytes: store.events.storedBytes, in: db)
            }
        } catch {
            condition.lock()
            state.failure = Self.outputError(error, path)
            for case .page(let page) in batch + state.events { noteNotStored(page) }
            state.events = []
            state.bytes = 0
            condition.broadcast()
            condition.unlock()
        }
    }

    private func noteNotStored(_ page: Page) {
        guard case .content(let content, _) = page.body else { return }
        state.notStored.pages += 1
        state.notStored.bytes += UInt64(content.size)
    }

    private static func outputError(_ error: any Error, _ path: String) -> OutputError {
        if let error = error as? OutputError { return error }
        guard let error = error as? DatabaseError else {
            return OutputError("cannot write \(path): \(error)")
        }
        let (reason, isRoom) = CaptureDatabase.reason(of: error)
        return OutputError(
            "cannot write \(path): \(reason)",
            hint: isRoom ? "everything up to the last batch is in the file" : nil)
    }
}
