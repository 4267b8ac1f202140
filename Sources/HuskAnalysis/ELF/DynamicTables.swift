// SPDX-License-Identifier: MIT
internal import CLibelf
internal import HuskModel

/// The tables that PT_DYNAMIC of a loaded image leads to (gabi, "Dynamic Section"), as sections.
///
/// All or nothing: tools complain of a .dynamic that names tables which are not there.
struct DynamicTables {
    private(set) var sections: [SectionTable.Known] = []
    /// The contents of .dynamic, with linked addresses.
    private(set) var dynamic: [UInt8]
    private let view: ImageView
    private var values: [UInt64: UInt64] = [:]
    private var symbolTable: [UInt8] = []
    private var symbolOffset: UInt64 = 0
    private var symbolSize: Int { view.elfClass == .bits64 ? 24 : 16 }

    /// More entries in .dynamic make no sense.
    private static let largestCount = 1024
    /// More version records make no sense, and would take long.
    private static let largestChain = 16384

    /// Nil, with a remark: it makes no sense, or tables are not in the capture. Throws what the
    /// reader's source throws.
    init?(_ segment: ELFSegment, _ view: ImageView, remarks: inout [String]) throws {
        self.view = view
        let entry = Int(view.wordSize) * 2
        guard let bytes = try view.bytes(at: segment.address, size: segment.fileSize),
            bytes.count / entry <= Self.largestCount
        else {
            remarks.append("left out: PT_DYNAMIC, which is too long")
            return nil
        }
        dynamic = bytes
        guard readEntries() else {
            remarks.append("left out: PT_DYNAMIC, which names addresses outside of the image")
            return nil
        }
        guard try addStrings(), try addSymbols(), addRelocations(), try addVersions(), addArrays()
        else {
            remarks.append("left out: PT_DYNAMIC, some of whose tables are not in the capture")
            return nil
        }
        add(
            ".dynamic", SHT_DYNAMIC, at: segment.address, offset: segment.offset,
            size: segment.fileSize, entry: UInt64(entry), link: ".dynstr")
    }

    /// Tags whose value is an address in the image.
    private static let pointers: Set<UInt64> = Set(
        [
            DT_PLTGOT, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_RELA, DT_INIT, DT_FINI, DT_REL, DT_JMPREL,
            DT_INIT_ARRAY, DT_FINI_ARRAY, DT_PREINIT_ARRAY, DT_RELR, DT_GNU_HASH, DT_VERSYM,
            DT_VERDEF, DT_VERNEED,
        ].map { UInt64($0) })

    /// Takes in the values, and sets those addresses back that the loader has moved in place.
    private mutating func readEntries() -> Bool {
        let word = Int(view.wordSize)
        for start in stride(from: 0, to: dynamic.count - 2 * word + 1, by: 2 * word) {
            let tag = dynamic.number(at: start, size: word)
            var value = dynamic.number(at: start + word, size: word)
            if tag == UInt64(DT_NULL) { return true }
            if Self.pointers.contains(tag) {
                guard let linked = view.linked(value) else { return false }
                value = linked
                for byte in 0..<word {
                    dynamic[start + word + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte))
                }
            } else if tag == UInt64(DT_DEBUG) {
                // The loader's own: of no meaning in another run.
                for byte in 0..<word { dynamic[start + word + byte] = 0 }
            }
            values[tag] = value
        }
        return false
    }

    private subscript(tag: Int32) -> UInt64? { values[UInt64(tag)] }

    private mutating func add(
        _ name: String, _ type: Int32, at address: UInt64, offset: UInt64, size: UInt64,
        entry: UInt64 = 0, link: String? = nil, info: UInt64 = 0
    ) {
        sections.append(
            SectionTable.Known(
                ELFSection(
                    name: name, type: UInt32(bitPattern: type), flags: UInt64(SHF_ALLOC),
                    address: address, offset: offset, size: size, info: UInt32(clamping: info),
                    alignment: 1, entrySize: entry), link: link))
    }

    /// Adds a table if the image has one; false: it names one that is not there.
    private mutating func addTable(
        _ name: String, _ type: Int32, _ tag: Int32, size: UInt64?, entry: UInt64 = 0,
        link: String? = nil, info: UInt64 = 0
    ) -> Bool {
        guard let address = self[tag] else { return true }
        guard let size, size > 0 else { return true }
        guard let offset = view.offset(of: address, size: size), entry == 0 || size % entry == 0
        else { return false }
        add(
            name, type, at: address, offset: offset, size: size, entry: entry, link: link,
            info: info)
        return true
    }

    private mutating func addStrings() throws -> Bool {
        guard let address = self[DT_STRTAB], let size = self[DT_STRSZ], size > 0,
            try view.bytes(at: address, size: size)?.last == 0
        else { return false }
        return addTable(".dynstr", SHT_STRTAB, DT_STRTAB, size: size)
    }

    private mutating func addSymbols() throws -> Bool {
        guard let address = self[DT_SYMTAB],
            self[DT_SYMENT].map({ $0 == UInt64(symbolSize) }) ?? true
        else { return false }
        var hash: UInt64 = 0
        var gnuHash: UInt64 = 0
        var count: UInt64?
        if let table = self[DT_HASH] {
            guard let head = try view.bytes(at: table, size: 8) else { return false }
            count = head.number(at: 4, size: 4)
            hash = 4 * (2 + head.number(at: 0, size: 4) + head.number(at: 4, size: 4))
        }
        if let table = self[DT_GNU_HASH] {
            guard let found = try Self.gnuHash(at: table, view) else { return false }
            gnuHash = found.size
            count = count ?? found.symbols
        }
        if count ?? 0 == 0, let strings = self[DT_STRTAB], strings > address {
            // An empty hash table tells nothing; linkers put the names behind the symbols.
            count = (strings - address) / UInt64(symbolSize)
        }
        guard let count, count > 0, count <= ImageView.largestTable / UInt64(symbolSize),
            let table = try view.bytes(at: address, size: count * UInt64(symbolSize)),
            let offset = view.offset(of: address, size: UInt64(table.count))
        else { return false }
        symbolTable = table
        symbolOffset = offset
        // Local symbols come first; tools want to know where they end.
        let info = view.elfClass == .bits64 ? 4 : 12
        let lastLocal = Array(stride(from: 0, to: table.count, by: symbolSize)).last {
            table[$0 + info] >> 4 == UInt8(STB_LOCAL)
        }
        add(
            ".dynsym", SHT_DYNSYM, at: address, offset: offset, size: UInt64(table.count),
            entry: UInt64(symbolSize), link: ".dynstr",
            info: UInt64((lastLocal ?? 0) / symbolSize + 1))
        return addTable(".hash", SHT_HASH, DT_HASH, size: hash, entry: 4, link: ".dynsym")
            && addTable(
                ".gnu.hash", Int32(SHT_GNU_HASH), DT_GNU_HASH, size: gnuHash, link: ".dynsym")
    }

    /// How long a GNU hash table is, and how many symbols it leads to: its chains end with an odd
    /// number (glibc, elf/dl-lookup.c).
    private static func gnuHash(
        at address: UInt64, _ view: ImageView
    ) throws -> (size: UInt64, symbols: UInt64)? {
        guard let head = try view.bytes(at: address, size: 16) else { return nil }
        let bucketCount = head.number(at: 0, size: 4)
        let first = head.number(at: 4, size: 4)
        let start = 16 + head.number(at: 8, size: 4) * view.wordSize
        guard let buckets = try view.bytes(at: address &+ start, size: bucketCount * 4) else {
            return nil
        }
        let chains = start + bucketCount * 4
        let last =
            stride(from: 0, to: buckets.count, by: 4).map { buckets.number(at: $0, size: 4) }
            .max() ?? 0
        guard last >= first, last > 0 else { return (chains, 0) }
        let chain = try view.knownBytes(from: address &+ chains &+ (last - first) * 4)
        for start in stride(from: 0, to: chain.count - 3, by: 4) where chain[start] & 1 == 1 {
            let index = last - first + UInt64(start / 4) + 1
            return (chains + index * 4, first + index)
        }
        return nil
    }

    private mutating func addRelocations() -> Bool {
        let wide = view.elfClass == .bits64
        let rela: UInt64 = wide ? 24 : 12
        let rel: UInt64 = wide ? 16 : 8
        let symbols = ".dynsym"
        let isRela = self[DT_PLTREL] == UInt64(DT_RELA)
        return addTable(
            ".rela.dyn", SHT_RELA, DT_RELA, size: self[DT_RELASZ], entry: rela, link: symbols)
            && addTable(
                ".rel.dyn", SHT_REL, DT_REL, size: self[DT_RELSZ], entry: rel, link: symbols)
            && addTable(
                isRela ? ".rela.plt" : ".rel.plt", isRela ? SHT_RELA : SHT_REL, DT_JMPREL,
                size: self[DT_PLTRELSZ], entry: isRela ? rela : rel, link: symbols)
            && addTable(
                ".relr.dyn", SHT_RELR, DT_RELR, size: self[DT_RELRSZ], entry: view.wordSize)
    }

    private mutating func addVersions() throws -> Bool {
        let symbols = UInt64(symbolTable.count / symbolSize)
        let needs = try chain(at: self[DT_VERNEED], count: self[DT_VERNEEDNUM], next: 12, entry: 16)
        let definitions = try chain(
            at: self[DT_VERDEF], count: self[DT_VERDEFNUM], next: 16, entry: 20)
        guard let needs, let definitions else { return false }
        return addTable(
            ".gnu.version", Int32(bitPattern: UInt32(SHT_GNU_versym)), DT_VERSYM,
            size: symbols * 2, entry: 2, link: ".dynsym")
            && addTable(
                ".gnu.version_r", Int32(bitPattern: UInt32(SHT_GNU_verneed)), DT_VERNEED,
                size: needs, link: ".dynstr", info: self[DT_VERNEEDNUM] ?? 0)
            && addTable(
                ".gnu.version_d", Int32(bitPattern: UInt32(SHT_GNU_verdef)), DT_VERDEF,
                size: definitions, link: ".dynstr", info: self[DT_VERDEFNUM] ?? 0)
    }

    /// How long a chain of version records is, each with a chain of its own behind it; nil: it
    /// leads astray. `next` is the offset of the step to the next record; the count and the start
    /// of the inner chain stand before it.
    private func chain(
        at address: UInt64?, count: UInt64?, next: Int, entry: UInt64
    ) throws -> UInt64? {
        guard let address, let count else { return 0 }
        var budget = Self.largestChain
        // An auxiliary record of Verneed has 16 bytes and its step last, that of Verdef 8.
        let inner: (size: UInt64, step: Int) = entry == 16 ? (16, 12) : (8, 4)
        var position: UInt64 = 0
        var end: UInt64 = 0
        for _ in 0..<count {
            budget -= 1
            guard budget > 0, let record = try view.bytes(at: address &+ position, size: entry)
            else {
                return nil
            }
            end = max(end, position &+ entry)
            let innerCount =
                entry == 16 ? record.number(at: 2, size: 2) : record.number(at: 6, size: 2)
            var place = position &+ record.number(at: next - 4, size: 4)
            for _ in 0..<innerCount {
                budget -= 1
                guard budget > 0, let item = try view.bytes(at: address &+ place, size: inner.size)
                else {
                    return nil
                }
                end = max(end, place &+ inner.size)
                let step = item.number(at: inner.step, size: 4)
                if step == 0 { break }
                place = place &+ step
            }
            let step = record.number(at: next, size: 4)
            if step == 0 { break }
            position = position &+ step
        }
        return end <= ImageView.largestTable ? end : nil
    }

    private mutating func addArrays() -> Bool {
        addTable(
            ".preinit_array", SHT_PREINIT_ARRAY, DT_PREINIT_ARRAY, size: self[DT_PREINIT_ARRAYSZ],
            entry: view.wordSize)
            && addTable(
                ".init_array", SHT_INIT_ARRAY, DT_INIT_ARRAY, size: self[DT_INIT_ARRAYSZ],
                entry: view.wordSize)
            && addTable(
                ".fini_array", SHT_FINI_ARRAY, DT_FINI_ARRAY, size: self[DT_FINI_ARRAYSZ],
                entry: view.wordSize)
    }

    /// The symbols, with the numbers of the sections that there are now; nil: they stay.
    ///
    /// Nothing but tools looks at these numbers, except whether they are 0.
    func symbols(numberedAs sections: [ELFSection]) -> RebuildPlan.Patch? {
        let wide = view.elfClass == .bits64
        var table = symbolTable
        for start in stride(from: 0, to: table.count, by: symbolSize) {
            let place = start + (wide ? 6 : 14)
            let number = table.number(at: place, size: 2)
            guard number != 0, number < UInt64(SHN_LORESERVE) else { continue }
            let address = table.number(at: start + (wide ? 8 : 4), size: wide ? 8 : 4)
            let holds = Self.index(of: address, in: sections)
            let new = UInt16(clamping: holds.map { $0 + 1 } ?? Int(SHN_ABS))
            table[place] = UInt8(truncatingIfNeeded: new)
            table[place + 1] = UInt8(truncatingIfNeeded: new >> 8)
        }
        return table.isEmpty ? nil : RebuildPlan.Patch(offset: symbolOffset, bytes: table)
    }

    /// The section that holds an address or ends there, as `_end` does. Sections ascend; a
    /// target can have very many symbols.
    private static func index(of address: UInt64, in sections: [ELFSection]) -> Int? {
        var low = 0
        var high = sections.count
        while low < high {
            let middle = (low + high) / 2
            if sections[middle].address > address { high = middle } else { low = middle + 1 }
        }
        guard low > 0, address - sections[low - 1].address <= sections[low - 1].size else {
            return nil
        }
        return low - 1
    }
}
