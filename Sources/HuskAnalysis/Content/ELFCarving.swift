// SPDX-License-Identifier: MIT
internal import HuskModel

/// Reads an ELF that begins with some bytes, as far as it can be believed (elf(5)).
enum ELFCarving {
    private struct Segment {
        var type: UInt32
        var offset: UInt64
        var address: UInt64
        var fileSize: UInt64
        var memorySize: UInt64
    }

    /// Names longer than this are none.
    private static let nameLimit: UInt64 = 512

    /// Nil: it is none.
    static func image(
        _ bytes: ArraySlice<UInt8>, at address: Address, _ budget: inout ReadingBudget
    ) -> CarvedImage? {
        let identity = ImageBytes(bytes)
        guard let fileClass = identity.byte(at: 4), fileClass == 1 || fileClass == 2,
            let order = identity.byte(at: 5), order == 1 || order == 2, identity.byte(at: 6) == 1
        else { return nil }
        let wide = fileClass == 2
        let reader = ImageBytes(bytes, bigEndian: order == 2)
        guard let type = reader.half(at: 16), (1...4).contains(type),
            let machine = reader.half(at: 18), reader.word(at: 20) == 1,
            let entry = reader.address(at: 24, wide: wide),
            let tableOffset = reader.address(at: wide ? 32 : 28, wide: wide),
            let sectionOffset = reader.address(at: wide ? 40 : 32, wide: wide),
            let entrySize = reader.half(at: wide ? 54 : 42),
            let count = reader.half(at: wide ? 56 : 44)
        else { return nil }
        var image = CarvedImage(
            format: .elf, layout: .file, offset: 0, address: address, is64Bit: wide,
            machine: machine,
            type: ["object", "executable", "shared-object", "core"][Int(type) - 1],
            claimedSize: 0, availableSize: 0, entry: entry == 0 ? nil : entry)

        var segments: [Segment] = []
        if count > 0, entrySize != (wide ? 56 : 32) {
            image.contradictions.append("program headers of \(entrySize) bytes")
        } else {
            for index in 0..<UInt64(count) {
                guard budget.take(),
                    let place = boundedSum(tableOffset, index * UInt64(entrySize)),
                    let segment = segment(reader, at: place, wide)
                else {
                    image.contradictions.append("program headers lie outside")
                    break
                }
                segments.append(segment)
            }
        }
        if type == 2 || type == 3, !segments.contains(where: { $0.type == 1 }) {
            image.contradictions.append("no segment to load")
        }
        let (low, spread) = memoryExtent(of: segments, &image)
        let dynamic = segments.first { $0.type == 2 }
        if let dynamic, isSpread(reader, dynamic, low, wide) { image.layout = .memory }

        let sections = reader.half(at: wide ? 60 : 48) ?? 0
        let sectionSize = reader.half(at: wide ? 58 : 46) ?? 0
        let inFile = fileExtent(
            of: segments, headers: boundedSum(tableOffset, UInt64(count) * UInt64(entrySize)),
            sections: sections == 0
                ? 0 : boundedSum(sectionOffset, UInt64(sections) * UInt64(sectionSize)), &image)
        image.claimedSize = image.layout == .memory ? spread : inFile
        image.availableSize = min(image.claimedSize, reader.count)
        readImports(reader, segments, dynamic, low: low, &image, &budget)
        return image
    }

    private static func segment(_ reader: ImageBytes, at place: UInt64, _ wide: Bool) -> Segment? {
        func field(_ in64: UInt64, _ in32: UInt64) -> UInt64? {
            boundedSum(place, wide ? in64 : in32).flatMap { reader.address(at: $0, wide: wide) }
        }
        guard let type = reader.word(at: place), let offset = field(8, 4),
            let address = field(16, 8), let fileSize = field(32, 16),
            let memorySize = field(40, 20)
        else { return nil }
        return Segment(
            type: type, offset: offset, address: address, fileSize: fileSize,
            memorySize: memorySize)
    }

    private static func memoryExtent(
        of segments: [Segment], _ image: inout CarvedImage
    ) -> (low: UInt64, size: UInt64) {
        let loads = segments.filter { $0.type == 1 }
        let low = loads.map { $0.address & ~4095 }.min() ?? 0
        var high = low
        for load in loads {
            guard let end = boundedSum(load.address, load.memorySize) else {
                image.contradictions.append("a segment ends beyond the address space")
                continue
            }
            high = max(high, end)
        }
        return (low, high - low)
    }

    private static func fileExtent(
        of segments: [Segment], headers: UInt64?, sections: UInt64?, _ image: inout CarvedImage
    ) -> UInt64 {
        var ends = segments.map { boundedSum($0.offset, $0.fileSize) }
        ends.append(headers)
        ends.append(sections)
        if ends.contains(where: { $0 == nil }) {
            image.contradictions.append("a part ends beyond the largest file")
        }
        return max(ends.compactMap { $0 }.max() ?? 0, image.is64Bit ? 64 : 52)
    }

    /// Whether its parts lie where a loader puts them: the dynamic section is there, and not where
    /// the file has it.
    private static func isSpread(
        _ reader: ImageBytes, _ dynamic: Segment, _ low: UInt64, _ wide: Bool
    ) -> Bool {
        guard dynamic.address >= low, dynamic.address - low != dynamic.offset else { return false }
        func isDynamic(_ place: UInt64) -> Bool {
            let size: UInt64 = wide ? 16 : 8
            let tags = (0..<4).map { index in
                boundedSum(place, index * size).flatMap { reader.address(at: $0, wide: wide) }
            }
            // The first ones are ordinary tags: NEEDED, SONAME, INIT, HASH, ...
            return tags.allSatisfy { $0.map { (1...40).contains($0) } ?? false }
        }
        return isDynamic(dynamic.address - low) && !isDynamic(dynamic.offset)
    }

    // MARK: Imports

    private static func readImports(
        _ reader: ImageBytes, _ segments: [Segment], _ dynamic: Segment?, low: UInt64,
        _ image: inout CarvedImage, _ budget: inout ReadingBudget
    ) {
        guard let dynamic else { return }
        let wide = image.is64Bit
        let layout = image.layout
        let loaded = image.address.rawValue
        let spread = image.claimedSize
        /// From the address in the image's tables to the place in the bytes.
        func place(_ address: UInt64) -> UInt64? {
            if layout == .memory {
                // The dynamic loader has made addresses of some.
                if address >= loaded, address - loaded < spread { return address - loaded }
                return address >= low ? address - low : nil
            }
            for segment in segments where segment.type == 1 && address >= segment.address {
                if address - segment.address < segment.fileSize {
                    return boundedSum(segment.offset, address - segment.address)
                }
            }
            return nil
        }
        guard
            let table = layout == .memory
                ? (dynamic.address >= low ? dynamic.address - low : nil) : dynamic.offset
        else { return }
        let size: UInt64 = wide ? 16 : 8
        var needed: [UInt64] = []
        var values: [UInt64: UInt64] = [:]
        for index in 0..<1024 as Range<UInt64> {
            guard budget.take(), let entry = boundedSum(table, index * size),
                let tag = reader.address(at: entry, wide: wide), tag != 0,
                let value = reader.address(at: entry + size / 2, wide: wide)
            else { break }
            if tag == 1 { needed.append(value) } else { values[tag] = value }
        }
        guard let strings = values[5].flatMap(place) else {
            if !values.isEmpty { image.contradictions.append("its strings lie outside") }
            return
        }
        func name(_ offset: UInt64) -> TargetText? {
            boundedSum(strings, offset).flatMap { reader.string(at: $0, limit: nameLimit) }
                .map { TargetText(bytes: $0) }
        }
        image.libraries = needed.compactMap(name)
        guard let symbols = values[6].flatMap(place) else { return }
        let symbolSize: UInt64 = wide ? 24 : 16
        let isCounted = values[4].flatMap(place).flatMap { boundedSum($0, 4) }.flatMap(
            reader.word(at:))
        // Without DT_HASH there is no count; by all linkers' habit the strings follow the symbols.
        let limit =
            isCounted.map(UInt64.init) ?? (strings > symbols ? (strings - symbols) / symbolSize : 0)
        for index in 1..<max(1, min(limit, 65_536)) {
            guard budget.take(), let entry = boundedSum(symbols, index * symbolSize),
                let offset = reader.word(at: entry),
                let section = reader.half(at: entry + (wide ? 6 : 14))
            else { break }
            if section == 0, offset != 0, let name = name(UInt64(offset)), !name.isEmpty {
                image.imports.append(name)
            }
        }
        if !image.imports.isEmpty { image.importHash = ImportHash(ofELF: image.imports) }
    }
}
