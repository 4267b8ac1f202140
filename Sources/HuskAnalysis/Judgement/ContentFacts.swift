// SPDX-License-Identifier: MIT
public import HuskModel

/// What the bytes of one run of pages look like.
public struct ContentFacts: Hashable, Sendable {
    public var transition: Transition.ID
    public var start: Address
    /// In bytes.
    public var length: UInt64
    public var appearance: Appearance
    public var images: [CarvedImage]
    /// Pages that look compressed or encrypted.
    public var densePages: Set<Address>
    /// Pages that have changed since they were captured first, and look like code.
    public var changedCodePages: Set<Address>

    public init(
        transition: Transition.ID, start: Address, length: UInt64, appearance: Appearance,
        images: [CarvedImage] = [], densePages: Set<Address> = [],
        changedCodePages: Set<Address> = []
    ) {
        self.transition = transition
        self.start = start
        self.length = length
        self.appearance = appearance
        self.images = images
        self.densePages = densePages
        self.changedCodePages = changedCodePages
    }

    /// Looks at the bytes of pages, which lie side by side.
    ///
    /// - Parameters:
    ///   - bytes: of the pages. What is left over behind the last whole one is looked at, too.
    ///   - start: the address of the first.
    ///   - transition: the one with which they were captured.
    ///   - generations: of each page, how often it had changed before.
    ///   - traits: of each page, where that is known already.
    ///   - pageSize: in bytes.
    public init(
        of bytes: ArraySlice<UInt8>, at start: Address, transition: Transition.ID,
        generations: [Int] = [], traits: [PageTraits] = [], pageSize: Int = 4096
    ) {
        self.init(
            transition: transition, start: start, length: UInt64(bytes.count),
            appearance: Appearance(of: bytes), images: Carver.images(in: bytes, at: start))
        guard pageSize > 0 else { return }
        for (index, offset) in stride(from: 0, to: bytes.count, by: pageSize).enumerated() {
            let first = bytes.startIndex + offset
            let page = bytes[first..<min(bytes.endIndex, first + pageSize)]
            let address = start.advanced(by: UInt64(offset))
            let hasChanged = index < generations.count && generations[index] > 0
            let known =
                index < traits.count ? traits[index] : PageTraits(of: page, hasChanged: hasChanged)
            if known.isDense {
                densePages.insert(address)
            } else if hasChanged, known.isCode == true {
                changedCodePages.insert(address)
            }
        }
    }
}

/// What one page looks like, by itself.
public struct PageTraits: Hashable, Sendable {
    /// Compressed or encrypted.
    public var isDense: Bool
    /// Nil: not asked for.
    public var isCode: Bool?

    /// - Parameters:
    ///   - page: its bytes.
    ///   - hasChanged: whether it is code is of interest then only, and takes time to tell.
    public init(of page: ArraySlice<UInt8>, hasChanged: Bool) {
        isDense =
            page.count >= Appearance.entropySample
            && Entropy.bitsPerByte(page) >= Appearance.highEntropy
        isCode = hasChanged ? !isDense && Appearance(of: page).kind.isCode : nil
    }
}

/// Makes ``ContentFacts`` of a capture's events, for ``Judge/note(_:)``.
///
/// Of a region that is larger than ``runLimit`` the parts are looked at one by one. Feed it the
/// events before their bytes are given up.
public struct ContentExaminer: Sendable {
    /// In bytes.
    public static let runLimit = 4 << 20

    private struct Run {
        var start: Address
        var bytes: [UInt8]
        var generations: [Int]
    }

    private var open: [Transition.ID: Run] = [:]

    public init() {}

    /// Takes an event; returns what is known of runs that have ended by it.
    public mutating func take(_ event: Event) -> ContentFacts? {
        switch event {
        case .page(let page):
            guard let bytes = page.contentSlice, !bytes.isEmpty else { return nil }
            let id = page.transition
            if let run = open[id], run.bytes.count < Self.runLimit,
                run.start.advanced(by: UInt64(run.bytes.count)) == page.address
            {
                open[id]?.bytes += bytes
                open[id]?.generations.append(page.generation)
                return nil
            }
            let closed = close(id)
            open[id] = Run(
                start: page.address, bytes: Array(bytes), generations: [page.generation])
            return closed
        case .transitionEnd(let end):
            return close(end.transition)
        default:
            return nil
        }
    }

    /// What is still open. Call it when nothing more comes.
    public mutating func finish() -> [ContentFacts] {
        open.keys.sorted { $0.rawValue < $1.rawValue }.compactMap { close($0) }
    }

    private mutating func close(_ id: Transition.ID) -> ContentFacts? {
        guard let run = open.removeValue(forKey: id) else { return nil }
        return ContentFacts(
            of: run.bytes[...], at: run.start, transition: id, generations: run.generations)
    }
}
