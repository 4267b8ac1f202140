// SPDX-License-Identifier: MIT
internal import CZstd

/// Contents as they are stored: compressed by zstd where that makes them smaller.
final class ContentCompressor {
    /// The fast end of zstd: code is compressed while its target may wait for it.
    private static let level: Int32 = 1

    private let context: OpaquePointer?
    private var buffer: [UInt8] = []

    init() {
        context = ZSTD_createCCtx()
    }

    deinit {
        ZSTD_freeCCtx(context)
    }

    /// Nil: it would not be smaller.
    func compress(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        guard let context else { return nil }
        let bound = ZSTD_compressBound(bytes.count)
        if buffer.count < bound { buffer = [UInt8](repeating: 0, count: bound) }
        // Safe: zstd reads and writes within the two buffers, for the time of the call.
        let size = bytes.withUnsafeBytes { source in
            buffer.withUnsafeMutableBytes { target in
                ZSTD_compressCCtx(
                    context, target.baseAddress, target.count, source.baseAddress, source.count,
                    Self.level)
            }
        }
        guard ZSTD_isError(size) == 0, size < bytes.count else { return nil }
        return Array(buffer[..<size])
    }
}

/// The other way round. What is stored may say anything about its size.
enum ContentExpansion {
    /// - Parameter size: that it must have; nothing else is accepted, and no more is allocated.
    /// - Returns: nil: it is no zstd frame, or has another size.
    static func expand(_ stored: [UInt8], size: Int) -> [UInt8]? {
        // Safe: zstd reads and writes within the two buffers, for the time of the call.
        stored.withUnsafeBytes { source in
            let announced = ZSTD_getFrameContentSize(source.baseAddress, source.count)
            guard announced == UInt64(size) else { return nil }
            var bytes = [UInt8](repeating: 0, count: size)
            let written = bytes.withUnsafeMutableBytes {
                ZSTD_decompress($0.baseAddress, $0.count, source.baseAddress, source.count)
            }
            return ZSTD_isError(written) == 0 && written == size ? bytes : nil
        }
    }
}
