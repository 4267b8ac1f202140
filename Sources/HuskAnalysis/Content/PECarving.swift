// SPDX-License-Identifier: MIT
internal import HuskModel

/// Reads a PE that begins with some bytes, as far as it can be believed (Microsoft's "PE Format").
enum PECarving {
    private struct Section {
        var virtualSize: UInt64
        var virtualAddress: UInt64
        var rawSize: UInt64
        var rawOffset: UInt64
    }

    private static let sectionLimit: UInt16 = 96
    private static let nameLimit: UInt64 = 512

    /// Nil: it is none.
    static func image(
        _ bytes: ArraySlice<UInt8>, at address: Address, _ budget: inout ReadingBudget
    ) -> CarvedImage? {
        let reader = ImageBytes(bytes)
        guard let header = reader.word(at: 0x3C).map(UInt64.init), header >= 4,
            reader.matches([0x50, 0x45, 0, 0], at: header),
            let machine = reader.half(at: header + 4), let count = reader.half(at: header + 6),
            let optionalSize = reader.half(at: header + 20),
            let flags = reader.half(at: header + 22), let magic = reader.half(at: header + 24),
            magic == 0x10B || magic == 0x20B,
            let entry = reader.word(at: header + 40),
            let imageSize = reader.word(at: header + 80),
            let headersSize = reader.word(at: header + 84)
        else { return nil }
        let wide = magic == 0x20B
        var image = CarvedImage(
            format: .pe, layout: .file, offset: 0, address: address, is64Bit: wide,
            machine: machine, type: flags & 0x2000 != 0 ? "dll" : "executable",
            claimedSize: 0, availableSize: 0, entry: entry == 0 ? nil : UInt64(entry))

        var sections: [Section] = []
        let table = header + 24 + UInt64(optionalSize)
        if count > sectionLimit { image.contradictions.append("\(count) sections") }
        for index in 0..<UInt64(min(count, sectionLimit)) {
            guard budget.take(), let section = section(reader, at: table + index * 40) else {
                image.contradictions.append("section headers lie outside")
                break
            }
            sections.append(section)
        }
        let raw = sections.map { $0.rawOffset + $0.rawSize }.max() ?? 0
        let inFile = max(UInt64(headersSize), raw)
        let inMemory = UInt64(imageSize)
        if sections.contains(where: { $0.virtualAddress + $0.virtualSize > inMemory + 0x1_0000 }) {
            image.contradictions.append("a section ends beyond the image")
        }
        if UInt64(entry) >= inMemory, entry != 0 {
            image.contradictions.append("the entry lies outside the image")
        }

        var directory: UInt64?
        let directories = header + 24 + (wide ? 112 : 96)
        if let known = reader.word(at: directories - 4), known > 1,
            let place = reader.word(at: directories + 8), place != 0
        {
            directory = UInt64(place)
        }
        readImports(
            reader, sections, directory, headers: UInt64(headersSize), &image, &budget)
        image.claimedSize = image.layout == .memory ? inMemory : inFile
        image.availableSize = min(image.claimedSize, reader.count)
        return image
    }

    private static func section(_ reader: ImageBytes, at place: UInt64) -> Section? {
        guard let virtualSize = reader.word(at: place + 8),
            let virtualAddress = reader.word(at: place + 12),
            let rawSize = reader.word(at: place + 16), let rawOffset = reader.word(at: place + 20)
        else { return nil }
        return Section(
            virtualSize: UInt64(virtualSize), virtualAddress: UInt64(virtualAddress),
            rawSize: UInt64(rawSize), rawOffset: UInt64(rawOffset))
    }

    // MARK: Imports

    /// Reads them in both layouts; the one that gives more is the image's.
    private static func readImports(
        _ reader: ImageBytes, _ sections: [Section], _ directory: UInt64?, headers: UInt64,
        _ image: inout CarvedImage, _ budget: inout ReadingBudget
    ) {
        let inMemory = { (place: UInt64) -> UInt64? in place }
        let inFile = { (place: UInt64) -> UInt64? in
            if place < headers { return place }
            for section in sections where place >= section.virtualAddress {
                let distance = place - section.virtualAddress
                if distance < section.rawSize { return section.rawOffset + distance }
            }
            return nil
        }
        guard let directory else {
            if isSpread(reader, sections) { image.layout = .memory }
            return
        }
        let wide = image.is64Bit
        let file = ImportTable(reader, directory, wide: wide, nameLimit, inFile, &budget)
        let memory = ImportTable(reader, directory, wide: wide, nameLimit, inMemory, &budget)
        let isMemory =
            memory.entries.count > file.entries.count
            || memory.entries.isEmpty && file.entries.isEmpty && isSpread(reader, sections)
        image.layout = isMemory ? .memory : .file
        let table = isMemory ? memory : file
        image.libraries = table.libraries
        image.imports = table.entries.map(\.text)
        if table.isWhole { image.importHash = ImportHash(ofPE: table.entries) }
        if table.isOutside { image.contradictions.append("imports lie outside") }
    }

    /// Whether there is something where a loader puts the first section, and nothing where the
    /// file has it.
    private static func isSpread(_ reader: ImageBytes, _ sections: [Section]) -> Bool {
        guard let first = sections.first(where: { $0.rawSize > 0 }),
            first.rawOffset != first.virtualAddress
        else { return false }
        let raw = reader.slice(at: first.rawOffset, length: 64)
        let spread = reader.slice(at: first.virtualAddress, length: 64)
        return spread.contains { $0 != 0 } && !raw.contains { $0 != 0 }
    }
}

/// One function that a PE imports.
struct PEImport {
    enum Function {
        case name(ArraySlice<UInt8>)
        case ordinal(UInt16)
    }

    var library: ArraySlice<UInt8>
    var function: Function

    /// `dll!name` or `dll!ordN`.
    var text: TargetText {
        let name: [UInt8] =
            switch function {
            case .name(let name): Array(name)
            case .ordinal(let number): Array("ord\(number)".utf8)
            }
        return TargetText(bytes: Array(library) + [UInt8(ascii: "!")] + name)
    }
}

/// A PE's import directory.
private struct ImportTable {
    private(set) var libraries: [TargetText] = []
    private(set) var entries: [PEImport] = []
    /// All of it could be read.
    private(set) var isWhole = false
    private(set) var isOutside = false

    private static let libraryLimit: UInt64 = 1024
    private static let functionLimit: UInt64 = 16_384

    /// - Parameter place: from an address relative to the image to the place in the bytes.
    init(
        _ reader: ImageBytes, _ directory: UInt64, wide: Bool, _ nameLimit: UInt64,
        _ place: (UInt64) -> UInt64?, _ budget: inout ReadingBudget
    ) {
        for index in 0..<Self.libraryLimit {
            guard budget.take(), let entry = place(directory + index * 20),
                let lookup = reader.word(at: entry), let name = reader.word(at: entry + 12),
                let addresses = reader.word(at: entry + 16)
            else {
                isOutside = true
                return
            }
            if name == 0 || addresses == 0 {
                isWhole = !entries.isEmpty
                return
            }
            guard
                let library = place(UInt64(name)).flatMap({
                    reader.string(at: $0, limit: nameLimit)
                }), !library.isEmpty
            else {
                isOutside = true
                return
            }
            libraries.append(TargetText(bytes: library))
            guard
                take(
                    reader, library, thunks: UInt64(lookup == 0 ? addresses : lookup), wide: wide,
                    nameLimit, place, &budget)
            else {
                isOutside = true
                return
            }
        }
    }

    private mutating func take(
        _ reader: ImageBytes, _ library: ArraySlice<UInt8>, thunks: UInt64, wide: Bool,
        _ nameLimit: UInt64, _ place: (UInt64) -> UInt64?, _ budget: inout ReadingBudget
    ) -> Bool {
        for index in 0..<Self.functionLimit {
            guard budget.take(), let thunk = place(thunks + index * (wide ? 8 : 4)),
                let value = reader.address(at: thunk, wide: wide)
            else { return false }
            if value == 0 { return true }
            if value >> (wide ? 63 : 31) == 1 {
                entries.append(
                    PEImport(
                        library: library, function: .ordinal(UInt16(truncatingIfNeeded: value))))
                continue
            }
            // A hint of two bytes is before the name.
            guard value <= UInt64(UInt32.max), let hint = place(value),
                let name = reader.string(at: hint + 2, limit: nameLimit), !name.isEmpty
            else { return false }
            entries.append(PEImport(library: library, function: .name(name)))
        }
        return false
    }
}
