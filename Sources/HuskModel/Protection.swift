// SPDX-License-Identifier: MIT

/// What a region allows: the bits of mprotect(2).
public struct Protection: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public static let read = Protection(rawValue: 1)
    public static let write = Protection(rawValue: 2)
    public static let execute = Protection(rawValue: 4)
}

extension Protection: CustomStringConvertible {
    /// As in /proc/PID/maps: `r-x`, `rw-`, `---`.
    public var description: String {
        (contains(.read) ? "r" : "-") + (contains(.write) ? "w" : "-")
            + (contains(.execute) ? "x" : "-")
    }
}
