// SPDX-License-Identifier: MIT
public import HuskCapture
public import HuskModel

/// Tells where code of a capture comes from, in words, and how it is to be read.
///
/// Remembers what it has looked up: the same callers come again and again. Not for several threads
/// at once.
public final class CodeOrigins {
    private struct Key: Hashable {
        var address: Address
        var process: Int64
        var backing: Backing
    }

    private static let limit = 1 << 16

    private let file: CaptureFile
    private var known: [Key: String] = [:]
    private var symbols: [FileIdentity: ELFSymbols?] = [:]

    public init(_ file: CaptureFile) {
        self.file = file
    }

    /// A place in code: the address, the file and the offset, the function if it is known.
    ///
    /// - Parameters:
    ///   - site: the place.
    ///   - process: the row.
    ///   - time: when it was mapped.
    public func describe(
        _ site: CallSite, of process: Int64, at time: Timestamp
    ) throws(CaptureFileError) -> String {
        let key = Key(address: site.address, process: process, backing: site.backing)
        if let text = known[key] { return text }
        let text = try words(for: site, of: process, at: time)
        if known.count < Self.limit { known[key] = text }
        return text
    }

    private func words(
        for site: CallSite, of process: Int64, at time: Timestamp
    ) throws(CaptureFileError) -> String {
        var parts = [site.address.hexadecimal]
        guard let backing = site.backing.file else {
            parts.append("(\(site.backing.kind))")
            return parts.joined(separator: " ")
        }
        let name = (backing.path ?? backing.name).escaped
        let region = try file.region(holding: site.address, process: process, at: time)
        if let region, region.life.backing.file == backing,
            let first = region.life.backing.offset
        {
            let offset = first &+ (site.address.rawValue &- region.life.start.rawValue)
            parts.append("\(name)+0x\(String(offset, radix: 16))")
            // The address is that of the instruction after the call.
            if case .file = site.backing, offset > 0,
                let function = symbols(of: backing)?.function(at: offset - 1)
            {
                parts.append(
                    "(\(function.name.escaped)+0x\(String(function.offset + 1, radix: 16)))")
            }
        } else {
            parts.append(name)
        }
        return parts.joined(separator: " ")
    }

    private func symbols(of file: FileIdentity) -> ELFSymbols? {
        if let known = symbols[file] { return known }
        let found = ELFSymbols(of: file)
        if symbols.count < 64 { symbols[file] = .some(found) }
        return found
    }

    /// Whether code that ends at an address is of a 32-bit program.
    ///
    /// - Parameters:
    ///   - end: the first address behind the code.
    ///   - abi: of the call that made it executable, if that is known.
    ///   - process: the row.
    ///   - position: the moment, in the order of what was told.
    public func mode(
        upTo end: Address, abi: CallABI?, of process: Int64, at position: Int64
    ) throws(CaptureFileError) -> Disassembler.Mode {
        guard end.rawValue <= 1 << 32 else { return .bits64 }
        // `int 0x80` from 64-bit code looks like a 32-bit call: the program's own counts first.
        let program = try file.programABI(of: process, at: position)
        return (program ?? abi) == .compat32 ? .bits32 : .bits64
    }
}

extension Backing {
    /// Of the first byte of what it stands behind.
    fileprivate var offset: UInt64? {
        switch self {
        case .file(_, let offset), .memfd(_, let offset), .sharedMemory(_, let offset): offset
        default: nil
        }
    }
}
