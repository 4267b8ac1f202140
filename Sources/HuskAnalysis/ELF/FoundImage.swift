// SPDX-License-Identifier: MIT
public import HuskModel

/// A program or library that lies in memory.
public struct FoundImage: Hashable, Sendable {
    /// What speaks for it.
    public enum Evidence: Hashable, Sendable {
        /// An ELF header at its base whose program headers make sense.
        case header
        /// Code in memory without a file, with what lies around it; there is no header, or none
        /// that makes sense.
        case layout
        /// Someone has named the address.
        case address
    }

    /// How it lies there.
    public enum Form: Hashable, Sendable {
        /// Its segments are where they run.
        case loaded
        /// As in a file, byte after byte: it was written to a buffer, and does not run there.
        case file
    }

    public var evidence: Evidence
    public var form: Form
    /// Where its first byte is: of the ELF header, if it has one.
    public var base: Address
    /// Nil: no header, or none that makes sense.
    public var headers: ELFImage?
    /// The parts of the image's regions that it takes up: ascending, disjoint, never empty.
    public var parts: [MappedRegion]

    /// From the start of its first part to the end of its last.
    public var range: Range<Address> {
        guard let first = parts.first, let last = parts.last else { return base..<base }
        return first.start..<last.end
    }

    /// Whether it is an ordinary program or library, or the kernel's own (the vdso): its beginning
    /// and all of its code are mapped from files that are in a folder. Something may have
    /// overwritten them in memory.
    public var isMappedFromFile: Bool {
        func isOrdinary(_ part: MappedRegion) -> Bool {
            switch part.backing {
            case .file(let file, _): file.linkCount > 0
            case .special: true
            default: false
            }
        }
        guard let first = parts.first, isOrdinary(first) else { return false }
        return parts.allSatisfy { !$0.protection.contains(.execute) || isOrdinary($0) }
    }

    /// Whether the process may execute some of it.
    public var isExecutable: Bool {
        parts.contains { $0.protection.contains(.execute) }
    }

    /// How far its addresses are from those that its headers name, modulo 2^64. 0 without headers.
    public var bias: UInt64 {
        guard form == .loaded, let linked = headers?.linkedBase else { return 0 }
        return base.rawValue &- linked
    }
}

/// The mark of an ELF file whose headers make no sense, or are not for this machine.
public struct RejectedHeader: Hashable, Sendable {
    public var address: Address
    public var reason: ELFError
}

/// What an ``ImageFinder`` has found.
public struct ImageFindings: Hashable, Sendable {
    /// By address.
    public var images: [FoundImage] = []
    /// By address.
    public var rejected: [RejectedHeader] = []
    /// Headers that were not looked at, because there were ``ImageFinder/largestCount`` already.
    public var uncounted = 0
}
