// SPDX-License-Identifier: MIT

/// What a region allows: the bits of mprotect(2).
public struct Protection: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// PROT_READ.
    public static let read = Protection(rawValue: 1)
    /// PROT_WRITE.
    public static let write = Protection(rawValue: 2)
    /// PROT_EXEC.
    public static let execute = Protection(rawValue: 4)
}

extension Protection: CustomStringConvertible {
    /// As in /proc/PID/maps: `r-x`, `rw-`, `---`.
    public var description: String {
        (contains(.read) ? "r" : "-") + (contains(.write) ? "w" : "-")
            + (contains(.execute) ? "x" : "-")
    }
}

extension Protection {
    /// Takes back what ``description`` gives; nil: it is anything else.
    public init?(text: String) {
        let letters = Array(text.utf8)
        guard letters.count == 3 else { return nil }
        var protection: Protection = []
        let parts: [(UInt8, Protection)] = [
            (UInt8(ascii: "r"), .read), (UInt8(ascii: "w"), .write), (UInt8(ascii: "x"), .execute),
        ]
        for (letter, part) in zip(letters, parts) {
            if letter == part.0 {
                protection.insert(part.1)
            } else if letter != UInt8(ascii: "-") {
                return nil
            }
        }
        self = protection
    }
}
