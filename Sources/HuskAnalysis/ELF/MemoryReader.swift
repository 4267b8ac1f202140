// SPDX-License-Identifier: MIT
public import HuskModel

/// Reads the memory of a process from a capture, and tells what is not in it.
///
/// Keeps a few pages, so that small reads side by side ask the source once. Not for use from
/// several threads.
public final class MemoryReader {
    /// Bytes of a range, with what is known of them.
    public struct Bytes: Hashable, Sendable {
        public var start: Address
        /// What is not known is 0 here: look at ``known``.
        public var bytes: [UInt8]
        /// Ascending, disjoint, not touching.
        public var known: [Range<Address>]

        /// Whether nothing is missing.
        public var isComplete: Bool {
            known.reduce(0) { $0 + $1.byteCount } == UInt64(bytes.count)
        }
    }

    /// The longest range that one ``read(_:)`` returns.
    public static let largestRead = 64 << 20

    private let contents: any ContentSource
    /// Ascending and disjoint: where the image disagrees with itself, the lower page is taken.
    let pages: [ProcessImage.StoredPage]
    private var cache: [ContentReference: [UInt8]] = [:]
    private var order: [ContentReference] = []
    private let cachedPages: Int

    public init(_ image: ProcessImage, contents: any ContentSource, cachedPages: Int = 16) {
        self.contents = contents
        self.cachedPages = max(1, cachedPages)
        var pages: [ProcessImage.StoredPage] = []
        for region in image.regions {
            for page in region.pages {
                let (end, overflow) = page.address.rawValue.addingReportingOverflow(
                    UInt64(clamping: page.size))
                guard page.size > 0, !overflow, page.address >= region.mapping.start,
                    end <= region.mapping.end.rawValue,
                    pages.last.map({ $0.end <= page.address }) ?? true
                else { continue }
                pages.append(page)
            }
        }
        self.pages = pages
    }

    /// The parts of a range whose bytes are in the capture: ascending, merged where they touch.
    public func known(in range: Range<Address>) -> [Range<Address>] {
        var result: [Range<Address>] = []
        var index = firstPage(endingBehind: range.lowerBound)
        while index < pages.count, pages[index].address < range.upperBound {
            let page = pages[index]
            let part = page.address..<page.end
            let clipped = part.clamped(to: range)
            if let last = result.last, last.upperBound == clipped.lowerBound {
                result[result.count - 1] = last.lowerBound..<clipped.upperBound
            } else if !clipped.isEmpty {
                result.append(clipped)
            }
            index += 1
        }
        return result
    }

    /// The parts of a range whose bytes are not in the capture.
    public func missing(in range: Range<Address>) -> [Range<Address>] {
        var result: [Range<Address>] = []
        var start = range.lowerBound
        for part in known(in: range) {
            if start < part.lowerBound { result.append(start..<part.lowerBound) }
            start = part.upperBound
        }
        if start < range.upperBound { result.append(start..<range.upperBound) }
        return result
    }

    /// Reads a range, ``largestRead`` bytes at most.
    ///
    /// Throws ``ELFError`` for a longer one and for a content that is not as long as its page, and
    /// what the source throws.
    public func read(_ range: Range<Address>) throws -> Bytes {
        guard range.byteCount <= UInt64(Self.largestRead) else {
            throw ELFError(.tooLarge, "a range of \(range.byteCount) bytes is too long to be read")
        }
        let known = known(in: range)
        var bytes = [UInt8](repeating: 0, count: Int(range.byteCount))
        var index = firstPage(endingBehind: range.lowerBound)
        while index < pages.count, pages[index].address < range.upperBound {
            let page = pages[index]
            let part = (page.address..<page.end).clamped(to: range)
            let content = try content(of: page)
            let from = Int(part.lowerBound.rawValue - page.address.rawValue)
            let to = Int(part.lowerBound.rawValue - range.lowerBound.rawValue)
            let count = Int(part.byteCount)
            bytes.replaceSubrange(to..<to + count, with: content[from..<from + count])
            index += 1
        }
        return Bytes(start: range.lowerBound, bytes: bytes, known: known)
    }

    /// The bytes from an address on, up to the first one that is not known.
    public func knownPrefix(at address: Address, limit: Int) throws -> [UInt8] {
        let size = UInt64(clamping: min(limit, Self.largestRead))
        let (end, overflow) = address.rawValue.addingReportingOverflow(size)
        let range = address..<Address(overflow ? .max : end)
        guard let first = known(in: range).first, first.lowerBound == address else { return [] }
        return try read(first).bytes
    }

    private func content(of page: ProcessImage.StoredPage) throws -> [UInt8] {
        if let known = cache[page.content], known.count == page.size { return known }
        let bytes = try contents.bytes(of: page.content)
        guard bytes.count == page.size else {
            throw ELFError(
                .badContent,
                "the page at \(page.address) has \(page.size) bytes, its content \(bytes.count)",
                hint: "the capture file is damaged")
        }
        if order.count >= cachedPages { cache[order.removeFirst()] = nil }
        if cache.updateValue(bytes, forKey: page.content) == nil { order.append(page.content) }
        return bytes
    }

    private func firstPage(endingBehind address: Address) -> Int {
        var low = 0
        var high = pages.count
        while low < high {
            let middle = (low + high) / 2
            if pages[middle].end > address { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

extension ProcessImage.StoredPage {
    /// One past its last byte; wraps around, so check before.
    var end: Address { address.advanced(by: UInt64(clamping: size)) }
}

extension Range<Address> {
    /// How long it is.
    var byteCount: UInt64 { upperBound.rawValue - lowerBound.rawValue }
}

extension Address {
    /// So many bytes from here on; nil: they would go beyond the address space.
    func range(of bytes: UInt64) -> Range<Address>? {
        let (end, overflow) = rawValue.addingReportingOverflow(bytes)
        return overflow ? nil : self..<Address(end)
    }
}
