// SPDX-License-Identifier: MIT

/// A PE of one section, with an import table of two DLLs: made by hand.
///
/// The same bytes were given to pefile 2024.8.26, which says `imphash` is the value below.
enum SamplePE {
    static let imphash = "97bd9480226bcc57c19245f804a883ab"

    static func file(wide: Bool) -> [UInt8] { image(wide: wide, sectionAt: 0x200) }

    /// As a loader spreads it out.
    static func memory(wide: Bool) -> [UInt8] { image(wide: wide, sectionAt: 0x1000) }

    private static func image(wide: Bool, sectionAt place: Int) -> [UInt8] {
        let section = imports(wide: wide)
        var bytes = [UInt8](repeating: 0, count: place)
        func put(_ value: UInt64, _ size: Int, at offset: Int) {
            for index in 0..<size {
                bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(index * 8))
            }
        }
        put(0x5A4D, 2, at: 0)
        put(0x40, 4, at: 0x3C)
        put(0x4550, 4, at: 0x40)
        put(wide ? 0x8664 : 0x14C, 2, at: 0x44)
        put(1, 2, at: 0x46)
        put(wide ? 240 : 224, 2, at: 0x54)
        put(0x22, 2, at: 0x56)
        let optional = 0x58
        put(wide ? 0x20B : 0x10B, 2, at: optional)
        put(0x1000, 4, at: optional + 16)  // entry
        put(0x2000, 4, at: optional + 56)  // size of the image
        put(0x200, 4, at: optional + 60)  // of the headers
        let directories = optional + (wide ? 112 : 96)
        put(16, 4, at: directories - 4)
        put(0x1000, 4, at: directories + 8)
        put(60, 4, at: directories + 12)
        let header = optional + (wide ? 240 : 224)
        put(UInt64(section.count), 4, at: header + 8)
        put(0x1000, 4, at: header + 12)
        put(0x200, 4, at: header + 16)
        put(0x200, 4, at: header + 20)
        return bytes + section
            + [UInt8](repeating: 0, count: (place == 0x200 ? 0x200 : 0x1000) - section.count)
    }

    private static func imports(wide: Bool) -> [UInt8] {
        let base = 0x1000
        let word = wide ? 8 : 4
        var body = [UInt8](repeating: 0, count: 60)
        func little(_ value: UInt64, _ size: Int) -> [UInt8] {
            (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
        }
        let libraries: [(String, [(name: String?, ordinal: UInt64)])] = [
            ("KERNEL32.dll", [("VirtualAlloc", 0), ("CreateThread", 0), ("LoadLibraryA", 0)]),
            ("WS2_32.dll", [(nil, 115), ("WSASocketA", 0), (nil, 4)]),
        ]
        for (index, library) in libraries.enumerated() {
            var thunks: [UInt64] = []
            for function in library.1 {
                if let name = function.name {
                    thunks.append(UInt64(base + body.count))
                    body += [0, 0] + Array(name.utf8) + [0]
                } else {
                    thunks.append(1 << UInt64(word * 8 - 1) | function.ordinal)
                }
            }
            let table = (thunks + [0]).flatMap { little($0, word) }
            let lookup = base + body.count
            body += table
            let addresses = base + body.count
            body += table
            let name = base + body.count
            body += Array(library.0.utf8) + [0]
            let descriptor = [lookup, 0, 0, name, addresses].flatMap { little(UInt64($0), 4) }
            body.replaceSubrange(index * 20..<index * 20 + 20, with: descriptor)
        }
        return body
    }
}
