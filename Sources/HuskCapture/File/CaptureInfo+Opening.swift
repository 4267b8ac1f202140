internal import GRDB
// SPDX-License-Identifier: MIT
internal import Glibc

/// What a capture file says of its run, and what it takes on the disk.
public struct CaptureOverview: Hashable, Sendable {
    public var info: CaptureInfo
    /// Of the file, in bytes.
    public var fileSize: UInt64
    /// Of the write-ahead log beside it; 0: there is none.
    public var logSize: UInt64
    /// See ``CaptureFile/ignoresLog``.
    public var ignoresLog: Bool

    /// Reads no more than a few rows, however large the file is.
    public init(path: String) throws(CaptureFileError) {
        try CaptureFileHeader.check(path)
        let (queue, ignoresLog) = try CaptureFile.open(path)
        self.ignoresLog = ignoresLog
        info = try CaptureFile.reading(queue) { db in
            try CaptureFileHeader.checkSchema(of: db)
            return try CaptureInfo(db)
        }
        fileSize = Self.size(of: path)
        logSize = Self.size(of: path + "-wal")
    }

    private static func size(of path: String) -> UInt64 {
        var status = stat()
        guard stat(path, &status) == 0 else { return 0 }
        return UInt64(clamping: status.st_size)
    }
}
