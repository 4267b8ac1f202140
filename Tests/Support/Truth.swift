// SPDX-License-Identifier: MIT
public import HuskModel

/// One line of a fixture's truth: at some moment, these bytes were executable here.
public struct Truth: Hashable, Sendable {
    public var address: UInt64
    public var length: Int
    public var sha256: String
    /// In whose memory; nil: the fixture does not say (or does not know: it has a PID
    /// namespace of its own).
    public var pid: Int32?

    /// The `code ADDRESS LENGTH SHA256 [PID]` lines of a fixture's output.
    public static func read(_ output: String) -> [Truth] {
        output.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 4 || words.count == 5, words[0] == "code",
                words[1].hasPrefix("0x"),
                let address = UInt64(words[1].dropFirst(2), radix: 16), let length = Int(words[2])
            else { return nil }
            return Truth(
                address: address, length: length, sha256: String(words[3]),
                pid: words.count == 5 ? Int32(words[4]) : nil)
        }
    }

    /// Whether the pages of one transition hold these bytes at this address.
    public func isIn(_ pages: [Page]) -> Bool {
        let wanted = pages.filter {
            $0.address.rawValue >= address && $0.address.rawValue < address + UInt64(length)
        }.sorted { $0.address < $1.address }
        let bytes = wanted.compactMap(\.contentSlice)
        guard wanted.first?.address.rawValue == address,
            bytes.reduce(0, { $0 + $1.count }) == length
        else { return false }
        return Digest(ofChunks: bytes).hexadecimal == sha256
    }

    /// Which truths are missing from a capture. A truth counts once for each time it is told:
    /// as many transitions must hold it, in the same order.
    public static func missing(_ truths: [Truth], from pages: [Page]) -> [Truth] {
        var transitions: [[Page]] = []
        var index: [Transition.ID: Int] = [:]
        for page in pages {
            if let known = index[page.transition] {
                transitions[known].append(page)
            } else {
                index[page.transition] = transitions.count
                transitions.append([page])
            }
        }
        // Per address: the order of truths is the order of transitions.
        var next: [UInt64: Int] = [:]
        return truths.filter { truth in
            let from = next[truth.address] ?? 0
            guard
                let found = (from..<max(from, transitions.count)).first(where: {
                    truth.isIn(transitions[$0])
                })
            else { return true }
            next[truth.address] = found + 1
            return false
        }
    }
}
