// SPDX-License-Identifier: MIT

/// A file, by what the kernel knows of it at the moment of the event.
public struct FileIdentity: Hashable, Sendable {
    /// Of `st_dev`: where the file lies.
    public var deviceMajor: UInt32
    public var deviceMinor: UInt32
    /// Unique within its device, as long as the file exists.
    public var inode: UInt64
    /// 0: the file has been deleted, or never had a name.
    public var linkCount: UInt32
    /// The last component of its path, as the kernel had it at that moment.
    public var name: TargetText
    /// Its path in the target's mount namespace, as the kernel had it at that moment; nil if
    /// it has none (memfd, shared memory) or is too long (more than some 256 bytes).
    public var path: TargetText?

    public init(
        deviceMajor: UInt32, deviceMinor: UInt32, inode: UInt64, linkCount: UInt32,
        name: TargetText, path: TargetText? = nil
    ) {
        self.deviceMajor = deviceMajor
        self.deviceMinor = deviceMinor
        self.inode = inode
        self.linkCount = linkCount
        self.name = name
        self.path = path
    }
}

/// What stands behind a region.
public enum Backing: Hashable, Sendable {
    /// Nothing is mapped there (any more), or the call failed.
    case none
    /// It could not be looked at (``Transition/isUnseen``).
    case unknown
    /// Made by the kernel: the vdso and the like.
    case special
    /// Private memory without a file.
    case anonymous
    /// Anonymous memory within the program break.
    case heap
    /// Anonymous memory that holds the main thread's stack.
    case stack
    /// A file in a folder; `offset` is that of the region's first byte.
    case file(FileIdentity, offset: UInt64)
    /// A file of memfd_create(2): it never had a place in a folder.
    case memfd(FileIdentity, offset: UInt64)
    /// Shared anonymous memory, or a System V segment.
    case sharedMemory(FileIdentity, offset: UInt64)

    /// The file, of those that have one.
    public var file: FileIdentity? {
        switch self {
        case .file(let file, _), .memfd(let file, _), .sharedMemory(let file, _): file
        case .none, .unknown, .special, .anonymous, .heap, .stack: nil
        }
    }

    /// The word for it in output: `anonymous`, `heap`, `file`, ...
    public var kind: String {
        switch self {
        case .none: "none"
        case .unknown: "unknown"
        case .special: "special"
        case .anonymous: "anonymous"
        case .heap: "heap"
        case .stack: "stack"
        case .file: "file"
        case .memfd: "memfd"
        case .sharedMemory: "shared-memory"
        }
    }
}

/// Bytes that were named instead of captured: a private mapping of a file, unchanged from disk
/// when it became executable. The file and the offset are the transition's backing.
public struct FileReference: Hashable, Sendable {
    /// Of the bytes that the region shows of the file.
    public var digest: Digest
    /// How many bytes that are: less than the region where the file ends before it.
    public var length: UInt64

    public init(digest: Digest, length: UInt64) {
        self.digest = digest
        self.length = length
    }
}
