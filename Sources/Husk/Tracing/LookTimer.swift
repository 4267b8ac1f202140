// SPDX-License-Identifier: MIT

/// When what can change without a call is looked at from outside: at the interval that was asked
/// for while it is being written, ever more rarely while it is not, and never for more than a
/// twentieth of the time.
struct LookTimer {
    private let shortest: UInt64
    private var interval: UInt64
    private var next: UInt64

    private static let longest: UInt64 = 16_000_000_000
    /// Of the time that a look has taken, until the next one.
    private static let rest: UInt64 = 20

    /// - Parameter interval: nanoseconds; 0: never.
    init(interval: UInt64) {
        shortest = interval
        self.interval = interval
        next = interval == 0 ? .max : SystemClock.monotonic &+ interval
    }

    /// For poll(2).
    var millisecondsLeft: Int32 {
        let now = SystemClock.monotonic
        return next <= now ? 0 : Int32(clamping: (next - now) / 1_000_000 + 1)
    }

    /// - Parameter look: returns whether something has changed.
    mutating func lookIfDue(_ look: () -> Bool) {
        let start = SystemClock.monotonic
        guard start >= next else { return }
        let hasChanged = look()
        let now = SystemClock.monotonic
        interval = hasChanged ? shortest : min(interval &* 2, max(shortest, Self.longest))
        next = now &+ max(interval, (now &- start) &* Self.rest)
    }
}
