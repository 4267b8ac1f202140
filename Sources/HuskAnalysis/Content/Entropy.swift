// SPDX-License-Identifier: MIT
internal import Glibc

/// Shannon entropy, in bits per byte: 0 (one value only) to 8 (all values equally often).
///
/// Machine code lies near 6, text near 4.5, compressed and encrypted bytes near 8. A short sample
/// cannot reach 8: of n different bytes it is log2(n).
public enum Entropy {
    /// Of all bytes; 0 if there are none.
    public static func bitsPerByte(_ bytes: some Collection<UInt8>) -> Double {
        bitsPerByte(counts: counts(of: bytes))
    }

    /// Of each `blockSize` bytes in turn (the last block may be shorter), for a bar.
    ///
    /// At most `limit` blocks: more bytes make larger blocks.
    public static func blocks(
        of bytes: ArraySlice<UInt8>, blockSize: Int, limit: Int = 4096
    ) -> [Double] {
        guard blockSize > 0, limit > 0, !bytes.isEmpty else { return [] }
        let size = max(blockSize, (bytes.count - 1) / limit + 1)
        return stride(from: bytes.startIndex, to: bytes.endIndex, by: size).map {
            bitsPerByte(bytes[$0..<min(bytes.endIndex, $0 + min(size, bytes.endIndex - $0))])
        }
    }

    /// How often each value occurs.
    static func counts(of bytes: some Collection<UInt8>) -> [Int] {
        var counts = [Int](repeating: 0, count: 256)
        let counted: Void? = bytes.withContiguousStorageIfAvailable { bytes in
            counts.withUnsafeMutableBufferPointer { counts in
                // Safe: a byte is below 256, the size of the table.
                for byte in bytes { counts[Int(byte)] += 1 }
            }
        }
        if counted == nil { for byte in bytes { counts[Int(byte)] += 1 } }
        return counts
    }

    static func bitsPerByte(counts: [Int]) -> Double {
        let total = Double(counts.reduce(0, +))
        guard total > 0 else { return 0 }
        var sum = 0.0
        for count in counts where count > 0 {
            let share = Double(count) / total
            sum -= share * log2(share)
        }
        return max(0, sum)
    }
}
