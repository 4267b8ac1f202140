// SPDX-License-Identifier: MIT

extension UInt8 {
    /// Two lower-case digits.
    package var hexadecimal: String {
        (self < 16 ? "0" : "") + String(self, radix: 16)
    }
}

extension Sequence<UInt8> {
    /// Two lower-case digits for each byte.
    package var hexadecimal: String {
        map(\.hexadecimal).joined()
    }
}
