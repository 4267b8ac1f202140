// SPDX-License-Identifier: MIT
internal import CLibbpf
internal import Glibc
internal import Synchronization

/// libbpf prints through one callback per process. This collects what it says during one
/// operation, so that an error can carry the verifier's log instead of splashing it over
/// the terminal.
enum LibbpfLog {
    private static let text = Mutex<String?>(nil)
    /// One operation at a time: the callback does not say whose line it is.
    private static let operation = Mutex<Void>(())

    /// Runs `body` and returns its result with everything that libbpf printed meanwhile.
    static func collecting<Result>(_ body: () -> Result) -> (result: Result, log: String) {
        operation.withLock { _ in
            text.withLock { $0 = "" }
            libbpf_set_print { _, format, arguments in
                guard let format, let arguments else { return 0 }
                // Safe: vsnprintf writes at most the capacity given, and ends it with a zero.
                let line = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 65536) {
                    vsnprintf($0.baseAddress, $0.count, format, arguments)
                    return String(cString: $0.baseAddress.unsafelyUnwrapped)
                }
                LibbpfLog.text.withLock { $0?.append(line) }
                return 0
            }
            let result = body()
            libbpf_set_print(nil)
            let log = text.withLock { collected in
                defer { collected = nil }
                return collected ?? ""
            }
            return (result, log)
        }
    }
}
