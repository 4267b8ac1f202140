// SPDX-License-Identifier: MIT
import HuskAnalysis
import HuskModel

extension FuzzEntry {
    /// Headers of ELF and PE images anywhere in bytes.
    static let carving = FuzzEntry(name: "carving", largestInput: 8192) { bytes in
        // Near the end of the address space, so that sums may overflow.
        let base: Address = bytes.count & 1 == 0 ? 0x40_0000 : 0xFFFF_FFFF_FFFF_FF00
        let images = Carver.images(in: bytes[...], at: base)
        try hold(images.count <= Carver.imageLimit, "\(images.count) images")
        var entries = 0
        var last: UInt64?
        for image in images {
            try hold(last.map { $0 < image.offset } ?? true, "not by offset: \(image.offset)")
            last = image.offset
            try hold(image.offset < bytes.count, "an image at \(image.offset), behind the bytes")
            try hold(
                image.availableSize <= UInt64(bytes.count) - image.offset,
                "\(image.availableSize) bytes are said to be there")
            try hold(
                image.availableSize <= image.claimedSize,
                "\(image.availableSize) of \(image.claimedSize) bytes")
            entries += image.libraries.count + image.imports.count
            try holdPlain(image.summary, "a summary")
            for text in image.contradictions { try holdPlain(text, "a contradiction") }
        }
        try hold(entries <= Carver.entryLimit, "\(entries) names")
        // Where the bytes lie in their array changes nothing.
        let moved = [0x7F, 0x45] + bytes + [0xFF]
        let others = Carver.images(in: moved[2..<2 + bytes.count], at: base)
        try hold(others == images, "a slice has other images")
    }
}
