// SPDX-License-Identifier: MIT

/// The lines of a manifest, read in portions.
struct ManifestLines: ~Copyable {
    enum Line {
        /// Without its newline.
        case whole(ArraySlice<UInt8>)
        /// Longer than ``limit``; it was passed over.
        case tooLong
        /// The last one, without a newline: the rest was cut off.
        case cutOff(ArraySlice<UInt8>)
    }

    private let file: StoredFile
    /// In bytes. The line of one transition has some 200 for each of its pages, so this is one of
    /// more than ten GiB.
    private let limit: Int
    /// Read, and not given out yet: from `start` on.
    private var buffer: [UInt8] = []
    private var start = 0
    private var hasEnded = false

    static let defaultLimit = 512 << 20
    private static let portion = 64 << 10

    init(_ file: consuming StoredFile, limit: Int) {
        self.file = file
        self.limit = limit
    }

    /// Nil: there are no more.
    mutating func next() throws(StoredFolder.Failure) -> Line? {
        var searched = start
        var isTooLong = false
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { start = end + 1 }
                return isTooLong || end - start > limit ? .tooLong : .whole(buffer[start..<end])
            }
            if hasEnded {
                defer { start = buffer.count }
                if isTooLong { return .tooLong }
                return start == buffer.count ? nil : .cutOff(buffer[start...])
            }
            buffer.removeFirst(start)
            start = 0
            if buffer.count > limit {
                isTooLong = true
                buffer.removeAll()
            }
            searched = buffer.count
            try readMore()
        }
    }

    private mutating func readMore() throws(StoredFolder.Failure) {
        // Long lines are read in longer portions, so that they are not gone over too often.
        var room = [UInt8](repeating: 0, count: max(Self.portion, buffer.count / 2))
        let size = try file.read(into: &room)
        if size < room.count { hasEnded = true }
        buffer += room.prefix(size)
    }
}
