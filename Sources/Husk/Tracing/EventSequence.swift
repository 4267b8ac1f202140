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
    /// What was dropped and has not been told yet, when the stream is at its end.
    let lastLoss: @Sendable () -> Loss?

    public struct AsyncIterator: AsyncIteratorProtocol {
        var base: AsyncStream<Event>.AsyncIterator
        let lastLoss: @Sendable () -> Loss?

        public mutating func next() async -> Event? {
            await next(isolation: nil)
        }

        public mutating func next(isolation actor: isolated (any Actor)?) async -> Event? {
            if let event = await base.next(isolation: actor) { return event }
            return lastLoss().map(Event.loss)
        }
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: stream.makeAsyncIterator(), lastLoss: lastLoss)
    }
}

/// The writing end: bounded, and honest about what it had to drop.
struct EventChannel: Sendable {
    let stream: AsyncStream<Event>
    private let continuation: AsyncStream<Event>.Continuation

    init(limit: Int) {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Event.self, bufferingPolicy: .bufferingOldest(limit))
        self.stream = stream
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
