// SPDX-License-Identifier: MIT
internal import CLibelf
internal import HuskModel

/// A loaded image, read by the addresses that it was linked at.
struct ImageView {
    /// As they are in the rebuilt file.
    let loads: [ELFSegment]
    let bias: UInt64
    let elfClass: ELFClass
    let reader: MemoryReader

    /// No table of a program is longer: 16 MiB.
    static let largestTable: UInt64 = 16 << 20

    /// Where in the file a range is, if it is wholly in one segment and known.
    func offset(of address: UInt64, size: UInt64) -> UInt64? {
        let (end, overflow) = address.addingReportingOverflow(size)
        guard !overflow,
            let load = loads.first(where: {
                $0.address <= address && end <= $0.address &+ $0.fileSize
            })
        else { return nil }
        let start = Address(address &+ bias)
        guard reader.missing(in: start..<start.advanced(by: size)).isEmpty else { return nil }
        return load.offset &+ (address - load.address)
    }

    /// The bytes of a range that ``offset(of:size:)`` finds; nil: not there, or too long.
    func bytes(at address: UInt64, size: UInt64) throws -> [UInt8]? {
        guard size <= Self.largestTable, offset(of: address, size: size) != nil else { return nil }
        let start = Address(address &+ bias)
        return try reader.read(start..<start.advanced(by: size)).bytes
    }

    /// The bytes from an address on, as far as they are known and in its segment; 16 MiB at most.
    func knownBytes(from address: UInt64) throws -> [UInt8] {
        guard
            let load = loads.first(where: {
                $0.address <= address && address < $0.address &+ $0.fileSize
            })
        else { return [] }
        let size = min(load.address &+ load.fileSize &- address, Self.largestTable)
        return try reader.knownPrefix(at: Address(address &+ bias), limit: Int(clamping: size))
    }

    /// The linked address that a pointer means: the dynamic loader adds the bias to some in place.
    func linked(_ pointer: UInt64) -> UInt64? {
        func isInside(_ address: UInt64) -> Bool {
            loads.contains { $0.address <= address && address <= $0.end }
        }
        if isInside(pointer) { return pointer }
        return isInside(pointer &- bias) ? pointer &- bias : nil
    }

    var wordSize: UInt64 { elfClass == .bits64 ? 8 : 4 }
}

extension [UInt8] {
    /// A little-endian number; 0 where the bytes end before it.
    func number(at offset: Int, size: Int) -> UInt64 {
        guard offset >= 0, offset <= count - size else { return 0 }
        return self[offset..<offset + size].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
