// SPDX-License-Identifier: MIT
internal import Glibc

/// An open file descriptor with one owner, closed when that owner is gone.
struct OwnedDescriptor: ~Copyable, Sendable {
    let number: Int32

    init(_ number: Int32) {
        self.number = number
    }

    /// Takes the result of a call that returns a descriptor or -errno.
    init(resultOf call: Int32, _ operation: String) throws(HuskError) {
        guard call >= 0 else {
            throw HuskError(.system, operation, errno: -call)
        }
        number = call
    }

    deinit {
        close(number)
    }
}

/// Calls `body` again for as long as it is interrupted by a signal; returns its result or
/// -errno.
func retryingInterrupted(_ body: () -> Int) -> Int {
    while true {
        let result = body()
        if result >= 0 { return result }
        if errno != EINTR { return -Int(errno) }
    }
}

/// The bytes of a small file such as those of /proc; nil if it cannot be read.
/// At most `limit` bytes: what stands in /proc/PID is under the target's control.
func readFile(_ path: String, limit: Int = 1 << 26) -> [UInt8]? {
    let number = open(path, O_RDONLY | O_CLOEXEC)
    guard number >= 0 else { return nil }
    let descriptor = OwnedDescriptor(number)
    return readToEnd(of: descriptor, limit: limit)
}

func readToEnd(of descriptor: borrowing OwnedDescriptor, limit: Int) -> [UInt8]? {
    var result: [UInt8] = []
    let number = descriptor.number
    while result.count < limit {
        let chunk = [UInt8](unsafeUninitializedCapacity: 65536) { buffer, count in
            // Safe: read(2) writes at most `buffer.count` bytes, `count` says how many.
            count = max(0, retryingInterrupted { read(number, buffer.baseAddress, buffer.count) })
        }
        if chunk.isEmpty { break }
        result += chunk
    }
    return result
}
