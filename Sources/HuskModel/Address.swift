// SPDX-License-Identifier: MIT

/// A virtual address in a target.
public struct Address: RawRepresentable, Hashable, Comparable, Sendable {
    public var rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public static func < (left: Address, right: Address) -> Bool {
        left.rawValue < right.rawValue
    }

    /// The address `bytes` further on; wraps around, because targets choose both numbers.
    public func advanced(by bytes: UInt64) -> Address {
        Address(rawValue &+ bytes)
    }

    /// Lower-case hexadecimal without a prefix, as in /proc/PID/maps.
    public var hexadecimal: String {
        String(rawValue, radix: 16)
    }
}

extension Address: ExpressibleByIntegerLiteral {
    public init(integerLiteral value: UInt64) {
        self.init(value)
    }
}

extension Address: CustomStringConvertible {
    /// `0x` and lower-case hexadecimal digits.
    public var description: String {
        "0x" + hexadecimal
    }
}
