// SPDX-License-Identifier: MIT

/// Bytes that a target made, read with bounds: what lies outside is nil, never a trap.
struct ImageBytes {
    private let bytes: ArraySlice<UInt8>
    private let isBigEndian: Bool

    init(_ bytes: ArraySlice<UInt8>, bigEndian: Bool = false) {
        self.bytes = bytes
        isBigEndian = bigEndian
    }

    var count: UInt64 { UInt64(bytes.count) }

    func byte(at offset: UInt64) -> UInt8? {
        guard offset < count else { return nil }
        return bytes[bytes.startIndex + Int(offset)]
    }

    func half(at offset: UInt64) -> UInt16? { integer(at: offset, UInt16.self) }
    func word(at offset: UInt64) -> UInt32? { integer(at: offset, UInt32.self) }
    func double(at offset: UInt64) -> UInt64? { integer(at: offset, UInt64.self) }

    /// A word of the image's class, widened.
    func address(at offset: UInt64, wide: Bool) -> UInt64? {
        wide ? double(at: offset) : word(at: offset).map(UInt64.init)
    }

    /// The bytes of a range, as far as they are there.
    func slice(at offset: UInt64, length: UInt64) -> ArraySlice<UInt8> {
        guard offset < count else { return [] }
        let start = bytes.startIndex + Int(offset)
        return bytes[start..<start + Int(min(length, count - offset))]
    }

    /// Whether the bytes at a place are these.
    func matches(_ pattern: [UInt8], at offset: UInt64) -> Bool {
        slice(at: offset, length: UInt64(pattern.count)).elementsEqual(pattern)
    }

    /// A string that ends with a zero, without it; nil: there is none within `limit` bytes.
    func string(at offset: UInt64, limit: UInt64) -> ArraySlice<UInt8>? {
        let part = slice(at: offset, length: limit)
        guard let end = part.firstIndex(of: 0) else { return nil }
        return part[..<end]
    }

    private func integer<Value: FixedWidthInteger & BitwiseCopyable>(
        at offset: UInt64, _: Value.Type
    ) -> Value? {
        let size = UInt64(MemoryLayout<Value>.size)
        guard count >= size, offset <= count - size else { return nil }
        // Safe: the guard has seen that `size` bytes are there.
        let value = bytes.withUnsafeBytes {
            $0.loadUnaligned(fromByteOffset: Int(offset), as: Value.self)
        }
        return isBigEndian ? value.bigEndian : value.littleEndian
    }
}

/// Sums of numbers from a target: nil if they do not fit.
func boundedSum(_ numbers: UInt64?...) -> UInt64? {
    var total: UInt64 = 0
    for number in numbers {
        guard let number else { return nil }
        let (next, overflow) = total.addingReportingOverflow(number)
        guard !overflow else { return nil }
        total = next
    }
    return total
}
