// SPDX-License-Identifier: MIT
internal import CLibelf

/// Section headers for an image that has none.
///
/// What is known by its place (symbols, relocations, notes) gets its section; what lies between is
/// .text, .rodata or .data by what its segment allows, and what is not in the file is .bss.
struct SectionTable {
    struct Known {
        var section: ELFSection
        /// The name of the section that it refers to.
        var link: String?

        init(_ section: ELFSection, link: String? = nil) {
            self.section = section
            self.link = link
        }
    }

    private(set) var sections: [ELFSection] = []
    private var uses: [String: Int] = [:]

    /// Bytes of the file before `firstOffset` are its headers, and in no section.
    init(loads: [ELFSegment], firstOffset: UInt64, known: [Known]) {
        let sorted = known.sorted { $0.section.address < $1.section.address }
        var links: [(index: Int, name: String)] = []
        for load in loads {
            let end = load.address &+ load.fileSize
            var position = load.address
            if load.fileSize > 0, load.offset < firstOffset {
                position &+= min(load.fileSize, firstOffset - load.offset)
            }
            for item in sorted
            where position <= item.section.address && item.section.size > 0
                && item.section.address &+ item.section.size <= end
            {
                fill(position..<item.section.address, of: load)
                if let link = item.link { links.append((sections.count, link)) }
                var section = item.section
                section.flags |= Self.flags(load)
                sections.append(section)
                position = section.address &+ section.size
            }
            if position < end { fill(position..<end, of: load) }
            if load.memorySize > load.fileSize {
                append(
                    load.isExecutable ? ".text" : ".bss", load, type: SHT_NOBITS, address: end,
                    size: load.memorySize - load.fileSize)
            }
        }
        for link in links {
            guard let target = sections.firstIndex(where: { $0.name == link.name }) else {
                continue
            }
            sections[link.index].link = UInt32(clamping: target + 1)
        }
    }

    private static func flags(_ load: ELFSegment) -> UInt64 {
        UInt64(SHF_ALLOC) | (load.isWritable ? UInt64(SHF_WRITE) : 0)
            | (load.isExecutable ? UInt64(SHF_EXECINSTR) : 0)
    }

    private mutating func fill(_ range: Range<UInt64>, of load: ELFSegment) {
        guard !range.isEmpty else { return }
        let name = load.isExecutable ? ".text" : load.isWritable ? ".data" : ".rodata"
        append(
            name, load, type: SHT_PROGBITS, address: range.lowerBound,
            size: range.upperBound - range.lowerBound)
    }

    private mutating func append(
        _ name: String, _ load: ELFSegment, type: Int32, address: UInt64, size: UInt64
    ) {
        let use = (uses[name] ?? 0) + 1
        uses[name] = use
        sections.append(
            ELFSection(
                name: use == 1 ? name : "\(name).\(use)", type: UInt32(type),
                flags: Self.flags(load), address: address,
                offset: load.offset &+ (address &- load.address), size: size))
    }
}
