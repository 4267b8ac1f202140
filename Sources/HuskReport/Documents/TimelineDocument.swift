// SPDX-License-Identifier: MIT

/// `timeline` of docs/view-data.md: moments in columns, by time.
struct TimelineDocument: Encodable {
    /// Nanoseconds that one entry stands for; 0: each is one transition.
    var binned: UInt64 = 0
    var kinds: [String] = []
    var protections: [String] = []
    var time: [UInt64] = []
    var region: [Int64] = []
    var kind: [Int] = []
    var effective: [Int] = []
    var previous: [Int] = []
    var count: [UInt64] = []
    var pages: [UInt64] = []
    var generation: [Int] = []
    var lost: [UInt64] = []
}

/// Gives each word a number; the words are told once.
struct WordList {
    private(set) var words: [String] = []
    private var numbers: [String: Int] = [:]

    mutating func number(of word: String) -> Int {
        if let number = numbers[word] { return number }
        numbers[word] = words.count
        words.append(word)
        return words.count - 1
    }

    /// -1: there is none.
    mutating func number(of word: String?) -> Int { word.map { number(of: $0) } ?? -1 }
}
