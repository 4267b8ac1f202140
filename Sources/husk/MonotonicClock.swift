// SPDX-License-Identifier: MIT
import Dispatch

enum MonotonicClock {
    /// CLOCK_MONOTONIC, in nanoseconds: what the kernel's times are compared with.
    static var now: UInt64 { DispatchTime.now().uptimeNanoseconds }
}
