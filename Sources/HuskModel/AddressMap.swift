// SPDX-License-Identifier: MIT

/// Something that occupies a range of addresses and can be cut.
public protocol AddressPiece: Sendable {
    /// Its first address.
    var start: Address { get }
    /// One past its last byte.
    var end: Address { get }
    /// The part of it that lies in a range.
    func clipped(to range: Range<Address>) -> Self
}

/// Disjoint pieces of an address space, by address.
///
/// Kept in blocks of bounded size, so that a process with 70,000 mappings costs as little per
/// change as one with ten.
public struct AddressMap<Piece: AddressPiece>: Sendable {
    private var blocks: [[Piece]] = []
    private static var blockLimit: Int { 256 }

    public init() {}

    /// All pieces, by address, without overlap.
    public var pieces: some Sequence<Piece> { blocks.lazy.joined() }

    /// It holds no piece.
    public var isEmpty: Bool { blocks.isEmpty }

    /// The pieces that touch a range, clipped to it.
    public func pieces(in range: Range<Address>) -> [Piece] {
        var found: [Piece] = []
        var block = firstBlock(endingBehind: range.lowerBound)
        while block < blocks.count, let first = blocks[block].first, first.start < range.upperBound
        {
            found += blocks[block]
                .filter { $0.start < range.upperBound && range.lowerBound < $0.end }
                .map { $0.clipped(to: range) }
            block += 1
        }
        return found
    }

    /// The piece that an address lies in; nil: none.
    public func piece(at address: Address) -> Piece? {
        let block = firstBlock(endingBehind: address)
        guard block < blocks.count else { return nil }
        return blocks[block].first { $0.start <= address && address < $0.end }
    }

    /// Forgets what is in a range.
    public mutating func remove(_ range: Range<Address>) {
        var block = firstBlock(endingBehind: range.lowerBound)
        while block < blocks.count, let first = blocks[block].first, first.start < range.upperBound
        {
            let from = firstIndex(in: block, endingBehind: range.lowerBound)
            var to = from
            var rest: [Piece] = []
            while to < blocks[block].count, blocks[block][to].start < range.upperBound {
                let piece = blocks[block][to]
                if piece.start < range.lowerBound {
                    rest.append(piece.clipped(to: piece.start..<range.lowerBound))
                }
                if range.upperBound < piece.end {
                    rest.append(piece.clipped(to: range.upperBound..<piece.end))
                }
                to += 1
            }
            blocks[block].replaceSubrange(from..<to, with: rest)
            if blocks[block].isEmpty {
                blocks.remove(at: block)
            } else {
                block += 1
            }
        }
    }

    /// Puts a piece where it belongs, in place of what was there.
    public mutating func insert(_ piece: Piece) {
        guard piece.start < piece.end else { return }
        remove(piece.start..<piece.end)
        guard !blocks.isEmpty else {
            blocks = [[piece]]
            return
        }
        let block = min(firstBlock(endingBehind: piece.start), blocks.count - 1)
        // Nothing overlaps it any more.
        let index = firstIndex(in: block, endingBehind: piece.start)
        blocks[block].insert(piece, at: index)
        if blocks[block].count > Self.blockLimit {
            let half = blocks[block].count / 2
            blocks.insert(Array(blocks[block][half...]), at: block + 1)
            blocks[block].removeSubrange(half...)
        }
    }

    /// The first piece of a block that ends behind an address.
    private func firstIndex(in block: Int, endingBehind address: Address) -> Int {
        var low = 0
        var high = blocks[block].count
        while low < high {
            let middle = (low + high) / 2
            if blocks[block][middle].end > address { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// The first block whose last piece ends behind an address.
    private func firstBlock(endingBehind address: Address) -> Int {
        var low = 0
        var high = blocks.count
        while low < high {
            let middle = (low + high) / 2
            if let last = blocks[middle].last, last.end > address {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low
    }
}
