// SPDX-License-Identifier: MIT
internal import CXXHash
internal import Synchronization

/// The bytes of a page.
///
/// A view of a ``PageGroup``: pages that were captured together share one storage, and copies cost
/// nothing. Two contents are equal if their bytes are.
public struct PageContent: Hashable, Sendable {
    private enum Storage: Sendable {
        case bytes(PageGroup, Int)
        /// The bytes have been given up.
        case summary(size: Int, key: ContentKey, digest: Digest)
    }

    private let storage: Storage

    /// One page alone.
    public init(_ bytes: [UInt8]) {
        self.init(PageGroup(bytes, pageSize: max(1, bytes.count)), 0)
    }

    fileprivate init(_ group: PageGroup, _ index: Int) {
        storage = .bytes(group, index)
    }

    /// A content of which only the hash is known: it was stored.
    public init(size: Int, digest: Digest) {
        storage = .summary(size: size, key: ContentKey(digest), digest: digest)
    }

    private init(summaryOf content: PageContent) {
        storage = .summary(size: content.size, key: content.key, digest: content.digest)
    }

    /// In bytes, whether they are kept or not.
    public var size: Int {
        switch storage {
        case .bytes(let group, _): group.pageSize
        case .summary(let size, _, _): size
        }
    }

    /// The bytes, not copied; empty if they have been given up (``withoutBytes``).
    public var bytes: ArraySlice<UInt8> {
        switch storage {
        case .bytes(let group, let index): group.bytes(at: index)
        case .summary: []
        }
    }

    /// The SHA-256. Computed when it is first asked for, and kept.
    public var digest: Digest {
        switch storage {
        case .bytes(let group, let index): group.digest(at: index)
        case .summary(_, _, let digest): digest
        }
    }

    /// See ``ContentKey``.
    public var key: ContentKey {
        switch storage {
        case .bytes(let group, let index): group.keys[index]
        case .summary(_, let key, _): key
        }
    }

    /// The same, of which only the hashes are kept.
    public var withoutBytes: PageContent { PageContent(summaryOf: self) }

    public static func == (left: PageContent, right: PageContent) -> Bool {
        guard left.key == right.key else { return false }
        guard case .bytes(let group, let index) = left.storage,
            case .bytes(let other, let otherIndex) = right.storage
        else { return left.digest == right.digest }
        return group === other && index == otherIndex || left.bytes == right.bytes
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(key)
    }
}

/// Tells contents apart within one run of Husk: 128 bits of XXH3 with a seed that no target knows,
/// ten times as fast as a SHA-256. Never stored: another run has another seed.
public struct ContentKey: Hashable, Sendable {
    private let low: UInt64
    private let high: UInt64

    private static let seed = UInt64.random(in: .min ... .max)

    fileprivate init(_ bytes: UnsafeRawBufferPointer) {
        let hash = XXH3_128bits_withSeed(bytes.baseAddress, bytes.count, Self.seed)
        low = hash.low64
        high = hash.high64
    }

    /// Of a content whose bytes are elsewhere: such keys are equal to each other only.
    fileprivate init(_ digest: Digest) {
        let bytes = digest.bytes
        low = bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }
        high = bytes[8..<16].reduce(0) { $0 << 8 | UInt64($1) }
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(low)  // already uniformly distributed
    }

    /// A part of it, for tables that may be wrong once in 2^64.
    var short: UInt64 { low }
}

/// Pages that lie side by side and were captured together, in one storage.
public final class PageGroup: Sendable {
    /// In bytes.
    public let pageSize: Int
    private let storage: [UInt8]
    fileprivate let keys: [ContentKey]
    private let digests = Mutex<[Digest?]>([])

    /// - Parameters:
    ///   - bytes: a multiple of `pageSize`; what is left over belongs to no page.
    ///   - pageSize: in bytes, from 1 on.
    public init(_ bytes: [UInt8], pageSize: Int) {
        self.pageSize = pageSize
        storage = bytes
        // Safe: reads within the array, for the time of the call.
        keys = bytes.withUnsafeBytes { bytes in
            (0..<bytes.count / pageSize).map { index in
                ContentKey(
                    UnsafeRawBufferPointer(
                        rebasing: bytes[index * pageSize..<(index + 1) * pageSize]))
            }
        }
    }

    /// Of pages.
    public var count: Int { keys.count }

    /// One page, from 0 on; its bytes are not copied.
    public subscript(index: Int) -> PageContent { PageContent(self, index) }

    fileprivate func bytes(at index: Int) -> ArraySlice<UInt8> {
        storage[index * pageSize..<(index + 1) * pageSize]
    }

    fileprivate func digest(at index: Int) -> Digest {
        digests.withLock { digests in
            if digests.isEmpty { digests = [Digest?](repeating: nil, count: count) }
            if let known = digests[index] { return known }
            // Memory that was filled with one pattern: its pages are hashed once.
            var digest: Digest?
            if index > 0, let before = digests[index - 1], keys[index] == keys[index - 1],
                bytes(at: index) == bytes(at: index - 1)
            {
                digest = before
            }
            let found = digest ?? Digest(of: bytes(at: index))
            digests[index] = found
            return found
        }
    }
}
