// SPDX-License-Identifier: MIT
public import HuskModel
internal import Synchronization

/// The events of one tracer, for one consumer.
///
/// Begins with the start of the tracer, whenever it is first looked at, and ends when the
/// tracer has been stopped or all its targets have ended.
public struct EventSequence: AsyncSequence, Sendable {
    public typealias Element = Event
    public typealias Failure = Never

    let stream: AsyncStream<Event>

    public struct AsyncIterator: AsyncIteratorProtocol {
        var base: AsyncStream<Event>.AsyncIterator

        public mutating func next() async -> Event? {
            await base.next()
        }

        public mutating func next(isolation actor: isolated (any Actor)?) async -> Event? {
            await base.next(isolation: actor)
        }
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: stream.makeAsyncIterator())
    }
}

/// The writing end: bounded, and honest about what it had to drop.
struct EventChannel: Sendable {
    let sequence: EventSequence
    private let continuation: AsyncStream<Event>.Continuation

    init(limit: Int) {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Event.self, bufferingPolicy: .bufferingOldest(limit))
        sequence = EventSequence(stream: stream)
        self.continuation = continuation
    }

    /// Sends an event; false if there was no room for it.
    func send(_ event: Event) -> Bool {
        if case .dropped = continuation.yield(event) { return false }
        return true
    }

    func finish() {
        continuation.finish()
    }
}
