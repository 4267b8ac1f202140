// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc

/// Reads another process's memory from outside, while that process runs.
enum MemoryReader {
    /// The whole page at `address`, or the errno. Faults pages in on the target's behalf.
    static func readPage(of pid: Int32, at address: UInt64, size: Int) -> Result<[UInt8], Errno> {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            // Safe: at most `size` bytes are written to our own buffer; the remote address
            // is only a number to this process.
            let result = husk_process_read(pid, address, buffer.baseAddress, size)
            count = result == size ? size : 0
            failure = result < 0 ? Int32(-result) : EFAULT
        }
        return bytes.isEmpty ? .failure(Errno(rawValue: failure)) : .success(bytes)
    }

    struct Errno: Error {
        var rawValue: Int32
    }
}
