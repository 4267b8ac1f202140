// SPDX-License-Identifier: MIT
internal import Glibc
internal import Synchronization

/// A capture file that a new one takes the place of. It lies beside it under another name until the
/// trace of the new one has begun: one that cannot be begun puts it back, and after a crash it is
/// still there.
final class ReplacedCapture: Sendable {
    private let path: String
    /// Where it is now.
    private let aside: String
    /// It has been put back, or given up.
    private let isSettled = Mutex(false)

    /// Moves it out of the way, with what SQLite may have left beside it.
    ///
    /// Nil: there is nothing to replace.
    init?(at path: String) throws(OutputError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        self.path = path
        aside = Self.freeName(beside: path)
        // Its log first: the file must not open without it where it was.
        for suffix in CaptureFilePlace.suffixes.reversed() {
            guard rename(path + suffix, aside + suffix) != 0, errno != ENOENT else { continue }
            let reason = errno
            _ = move(from: aside, to: path)
            throw OutputError("cannot replace \(path)", errno: reason)
        }
    }

    /// An earlier Husk may have been killed while it replaced the same file.
    private static func freeName(beside path: String) -> String {
        var status = stat()
        var number = 1
        while true {
            let name = "\(path).replaced-\(number)"
            if lstat(name, &status) != 0 { return name }
            number += 1
        }
    }

    /// The new one has begun.
    func giveUp() {
        settle { CaptureFilePlace.remove(aside) }
    }

    /// There will be no new one. Returns what went wrong.
    func putBack() -> OutputError? {
        var reason: Int32 = 0
        settle { reason = move(from: aside, to: path) }
        guard reason != 0 else { return nil }
        return OutputError(
            "cannot put \(path) back", errno: reason, hint: "it is whole, and now called \(aside)")
    }

    private func settle(_ body: () -> Void) {
        isSettled.withLock { isSettled in
            if !isSettled { body() }
            isSettled = true
        }
    }

    /// Returns the errno of the file's own failure, or 0.
    private func move(from old: String, to new: String) -> Int32 {
        for suffix in CaptureFilePlace.suffixes.reversed() {
            if rename(old + suffix, new + suffix) != 0, suffix.isEmpty { return errno }
        }
        return 0
    }
}
