// SPDX-License-Identifier: MIT
internal import Glibc
internal import HuskModel

/// What a JIT compiler tells perf(1) of its code: /tmp/perf-PID.map, one line `START SIZE name`
/// per symbol, in hexadecimal (linux/tools/perf/Documentation/jit-interface.txt).
///
/// The file is the target's own word: it can hold anything, and is only used to say "the process
/// says that this is JIT code".
struct PerfMap {
    /// Where symbols begin, and where they end, each ascending: two searches count those that
    /// overlap a range. A hostile map may have millions.
    private let starts: [UInt64]
    private let ends: [UInt64]

    /// - Parameter isAlive: the process is still there, so that the file can be looked for in its
    ///   own root too: it may live in a container.
    init?(of pid: Int32, isAlive: Bool) {
        let roots = isAlive ? ["/proc/\(pid)/root", ""] : [""]
        let paths = roots.map { $0 + "/tmp/perf-\(pid).map" }
        guard let text = paths.lazy.compactMap({ Self.read($0) }).first else { return nil }
        self.init(text)
    }

    /// Lines that are no such line are passed over.
    init(_ text: [UInt8]) {
        let ranges: [Range<UInt64>] = text.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 2)
                .prefix(2).map { UInt64(String(decoding: $0, as: UTF8.self), radix: 16) }
            guard fields.count == 2, let start = fields[0], let size = fields[1], size > 0,
                start <= .max - size
            else { return nil }
            return start..<(start + size)
        }
        starts = ranges.map(\.lowerBound).sorted()
        ends = ranges.map(\.upperBound).sorted()
    }

    /// How many symbols lie in a range.
    func symbolCount(in range: Range<Address>) -> Int {
        Self.count(in: starts, below: range.upperBound.rawValue)
            - Self.count(in: ends, below: range.lowerBound.rawValue &+ 1)
    }

    /// How many of the ascending values are less than `limit`.
    private static func count(in values: [UInt64], below limit: UInt64) -> Int {
        var low = 0
        var high = values.count
        while low < high {
            let middle = (low + high) / 2
            if values[middle] < limit { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// A regular file of bounded size; a FIFO that someone has put there must not be waited for.
    private static func read(_ path: String) -> [UInt8]? {
        let number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
        guard number >= 0 else { return nil }
        let descriptor = OwnedDescriptor(number)
        var status = stat()
        guard fstat(number, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return readToEnd(of: descriptor, limit: 1 << 26)
    }
}
