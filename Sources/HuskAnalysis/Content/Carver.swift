// SPDX-License-Identifier: MIT
internal import Glibc
public import HuskModel

/// Finds ELF and PE images in bytes.
///
/// Work and results are bounded, whatever the bytes say: ``imageLimit`` images, and together
/// ``entryLimit`` entries of their tables.
public enum Carver {
    /// Images that are told of one buffer.
    public static let imageLimit = 256
    /// Entries (segments, sections, symbols, imports) that are read of one buffer.
    public static let entryLimit = 131_072

    /// All images in one contiguous run of bytes, by their offset; also those within others.
    public static func images(in bytes: ArraySlice<UInt8>, at base: Address) -> [CarvedImage] {
        var images: [CarvedImage] = []
        var budget = ReadingBudget(entries: entryLimit)
        // Each magic number is searched for once, and the nearer one taken.
        var elf = find([0x7F, 0x45, 0x4C, 0x46], in: bytes, from: 0)
        var pe = find([0x4D, 0x5A], in: bytes, from: 0)
        while images.count < imageLimit, let offset = [elf, pe].compactMap({ $0 }).min() {
            let rest = bytes[(bytes.startIndex + offset)...]
            let address = base.advanced(by: UInt64(offset))
            var image: CarvedImage?
            if offset == elf {
                image = ELFCarving.image(rest, at: address, &budget)
                elf = find([0x7F, 0x45, 0x4C, 0x46], in: bytes, from: offset + 1)
            } else {
                image = PECarving.image(rest, at: address, &budget)
                pe = find([0x4D, 0x5A], in: bytes, from: offset + 1)
            }
            image?.offset = UInt64(offset)
            if let image { images.append(image) }
        }
        return images
    }

    /// Where a magic number is next.
    private static func find(
        _ magic: [UInt8], in bytes: ArraySlice<UInt8>, from: Int
    ) -> Int? {
        // Safe: memchr reads `count - start` bytes from `start`, all within the buffer; the rest
        // of the magic number is read with a bound.
        bytes.withUnsafeBytes { buffer -> Int? in
            guard let base = buffer.baseAddress, let first = magic.first else { return nil }
            var start = from
            while start < buffer.count,
                let hit = memchr(base + start, Int32(first), buffer.count - start)
            {
                let offset = UnsafeRawPointer(hit) - base
                if offset + magic.count <= buffer.count,
                    magic.indices.allSatisfy({ buffer[offset + $0] == magic[$0] })
                {
                    return offset
                }
                start = offset + 1
            }
            return nil
        }
    }
}

/// How many table entries may still be read: tables of hostile images overlap without end.
struct ReadingBudget {
    private(set) var entries: Int

    init(entries: Int) { self.entries = entries }

    /// Takes one; false: there are none left.
    mutating func take() -> Bool {
        guard entries > 0 else { return false }
        entries -= 1
        return true
    }
}
