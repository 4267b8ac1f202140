// SPDX-License-Identifier: MIT
internal import HuskModel

/// An executable region, with all that was noticed of it.
struct JudgedRegion: Sendable {
    /// Something noticed: when first, by whom, how often.
    struct Mark: Sendable {
        var task: TaskIdentity
        var time: Timestamp
        var transitions: [Transition.ID] = []
        var count = 0
        var call: SystemCall?
        var writer: Writer?
        var requester: CallSite?
        /// Protection before and after.
        var previous: Protection?
        var effective: Protection = []
        var pages: Set<Address> = []
    }

    var task: TaskIdentity
    var name: TargetText
    var start: Address
    var length: UInt64
    var time: Timestamp
    var kind: TransitionKind
    var backing: Backing
    var label: RegionLabel?
    var requester: CallSite?
    /// It is the work of a JIT compiler or a maker of closures, as far as its label, whoever asked
    /// for it, and whoever made those say.
    var isJIT: Bool
    var marks: [Finding.Kind: Mark] = [:]
    /// Pages of it whose bytes are known.
    var captured: UInt64 = 0
    var appearance: Appearance?
    var images: [CarvedImage] = []
    var densePages: Set<Address> = []
    /// The generation of each page at its first capture in this region.
    var baseline: [Address: Int] = [:]
    var entry: Address?
    var writingCode: CallSite?

    /// Code that no file on disk stands behind.
    var isFileless: Bool {
        switch backing {
        case .anonymous, .heap, .stack, .sharedMemory, .memfd, .unknown: true
        case .file(let file, _): file.linkCount == 0
        case .special, .none: false
        }
    }

    /// Of two looks at the bytes, the one that says more is kept.
    mutating func note(_ facts: ContentFacts) {
        if appearance.map({ Self.weight($0.kind) < Self.weight(facts.appearance.kind) }) ?? true {
            appearance = facts.appearance
        }
        for image in facts.images where images.count < 8 && !images.contains(image) {
            images.append(image)
        }
    }

    private static func weight(_ kind: Appearance.Kind) -> Int {
        switch kind {
        case .zeros: 0
        case .text: 1
        case .data: 2
        case .highEntropy: 3
        case .jitCode: 4
        case .code64, .code32: 5
        case .shellcode: 6
        case .elf, .pe: 7
        }
    }
}

/// Which region is where in one process.
struct RegionMap: Sendable {
    private struct Entry: Sendable {
        var start: UInt64
        var end: UInt64
        var region: Int
    }

    /// Ascending and disjoint.
    private var entries: [Entry] = []
    /// So that insertion stays cheap, whatever a target maps.
    static let limit = 16_384

    /// The region at an address.
    func region(at address: Address) -> Int? {
        let index = firstEnding(after: address.rawValue)
        guard index < entries.count, entries[index].start <= address.rawValue else { return nil }
        return entries[index].region
    }

    /// The regions that touch a range.
    func regions(in range: Range<Address>) -> [Int] {
        var found: [Int] = []
        var index = firstEnding(after: range.lowerBound.rawValue)
        while index < entries.count, entries[index].start < range.upperBound.rawValue {
            if found.last != entries[index].region { found.append(entries[index].region) }
            index += 1
        }
        return found
    }

    mutating func remove(_ range: Range<Address>) {
        let (start, end) = (range.lowerBound.rawValue, range.upperBound.rawValue)
        let first = firstEnding(after: start)
        var last = first
        var rest: [Entry] = []
        while last < entries.count, entries[last].start < end {
            let entry = entries[last]
            if entry.start < start {
                rest.append(Entry(start: entry.start, end: start, region: entry.region))
            }
            if entry.end > end {
                rest.append(Entry(start: end, end: entry.end, region: entry.region))
            }
            last += 1
        }
        if first < last { entries.replaceSubrange(first..<last, with: rest) }
    }

    /// False: there are too many.
    mutating func insert(_ range: Range<Address>, _ region: Int) -> Bool {
        remove(range)
        guard entries.count < Self.limit else { return false }
        let (start, end) = (range.lowerBound.rawValue, range.upperBound.rawValue)
        entries.insert(
            Entry(start: start, end: end, region: region), at: firstEnding(after: start))
        return true
    }

    private func firstEnding(after address: UInt64) -> Int {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].end > address { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
