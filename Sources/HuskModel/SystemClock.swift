// SPDX-License-Identifier: MIT
internal import Glibc

/// The clocks of a ``Timestamp``, as they are now: nanoseconds (clock_gettime(2)).
package enum SystemClock {
    /// CLOCK_MONOTONIC, which the kernel side uses.
    package static var monotonic: UInt64 { read(CLOCK_MONOTONIC) }

    /// CLOCK_REALTIME: since 1970-01-01 00:00 UTC.
    package static var wall: UInt64 { read(CLOCK_REALTIME) }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}

extension Timestamp {
    /// The wall-clock time in UTC (ISO 8601): `2026-11-26T01:15:30Z`.
    package var date: String { Self.seconds(of: wall) + "Z" }

    /// The same with nine digits behind the second: `2026-11-26T01:15:30.000000042Z`.
    package var exactDate: String {
        Self.seconds(of: wall) + ".\(Self.padded(wall % 1_000_000_000, 9))Z"
    }

    private static func seconds(of wall: UInt64) -> String {
        // (64 bits of nanoseconds end in the year 2554.)
        var seconds = time_t(wall / 1_000_000_000)
        var parts = tm()
        // Safe: both live for the time of the call; the result is in `parts`.
        gmtime_r(&seconds, &parts)
        return "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(parts.tm_mon + 1, 2))"
            + "-\(padded(parts.tm_mday, 2))T\(padded(parts.tm_hour, 2))"
            + ":\(padded(parts.tm_min, 2)):\(padded(parts.tm_sec, 2))"
    }

    private static func padded(_ number: some BinaryInteger, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
