// SPDX-License-Identifier: MIT

/// A region of an address space as it is at one moment of the timeline.
public struct MappedRegion: AddressPiece, Hashable, Sendable {
    /// Page aligned.
    public var start: Address
    /// One past its last byte.
    public var end: Address
    public var protection: Protection
    /// A file's offset is that of `start`.
    public var backing: Backing
    /// MAP_SHARED.
    public var isShared: Bool

    public init(
        start: Address, end: Address, protection: Protection, backing: Backing, isShared: Bool
    ) {
        self.start = start
        self.end = end
        self.protection = protection
        self.backing = backing
        self.isShared = isShared
    }

    /// Executable, and its bytes can change without a system call that says so.
    public var mayChange: Bool {
        guard protection.contains(.execute) else { return false }
        switch backing {
        case .memfd, .sharedMemory: return true
        default: return protection.contains(.write)
        }
    }

    public func clipped(to range: Range<Address>) -> MappedRegion {
        var part = self
        part.start = max(start, range.lowerBound)
        part.end = min(end, range.upperBound)
        part.backing = backing.advanced(by: part.start.rawValue &- start.rawValue)
        return part
    }
}

extension Backing {
    /// The same, for a region that begins so many bytes further on.
    public func advanced(by bytes: UInt64) -> Backing {
        switch self {
        case .file(let file, let offset): .file(file, offset: offset &+ bytes)
        case .memfd(let file, let offset): .memfd(file, offset: offset &+ bytes)
        case .sharedMemory(let file, let offset): .sharedMemory(file, offset: offset &+ bytes)
        default: self
        }
    }

    /// Where in its file the region begins.
    public var fileOffset: UInt64? {
        switch self {
        case .file(_, let offset), .memfd(_, let offset), .sharedMemory(_, let offset): offset
        default: nil
        }
    }
}

/// The regions of one process that are executable, or shared and writable.
public typealias AddressSpace = AddressMap<MappedRegion>
