// SPDX-License-Identifier: MIT
internal import HuskModel
internal import HuskProbes

/// A record from the ring buffer, still in the kernel side's terms.
enum Record {
    case transition(husk_transition)
    /// One page, or several that lie side by side.
    case page(husk_page_header, PageGroup)
    case pageRange(husk_page_range)
    case transitionEnd(husk_transition_end)
    case processExit(husk_process_exit)
    case processFork(husk_process_fork)
    case processExec(husk_process_exec)
    case write(husk_write)

    /// The fixed part of `struct husk_page`: what stands before its content.
    struct husk_page_header {
        var header: husk_header
        var address: UInt64
        var reader: UInt32
    }

    var header: husk_header {
        switch self {
        case .transition(let record): record.header
        case .page(let record, _): record.header
        case .pageRange(let record): record.header
        case .transitionEnd(let record): record.header
        case .processExit(let record): record.header
        case .processFork(let record): record.header
        case .processExec(let record): record.header
        case .write(let record): record.header
        }
    }
}

/// Turns the bytes of one record into a ``Record``. Sizes are checked before anything is
/// read: the kernel side is trusted to be ours, not to be free of mistakes.
enum RecordDecoder {
    enum Failure: Error, Equatable {
        case tooShort(Int)
        case wrongVersion(UInt16)
        case unknownKind(UInt16)
        case wrongSize(kind: UInt16, said: UInt32, got: Int)
        /// A region that lies on both sides of the address space's end.
        case wrongRange(start: UInt64, length: UInt64)
    }

    private static let contentOffset = MemoryLayout<husk_page>.offset(of: \.content) ?? 72

    /// When a record was made, whatever it says; 0 if it is none.
    static func time(of bytes: UnsafeRawBufferPointer) -> UInt64 {
        guard bytes.count >= MemoryLayout<husk_header>.size else { return 0 }
        return bytes.loadUnaligned(as: husk_header.self).time_ns
    }

    /// What a record of one page, or of a group of them, must have as its size.
    private static func size(
        ofPages header: husk_header, _ bytes: UnsafeRawBufferPointer
    ) throws(Failure) -> Int {
        guard bytes.count >= contentOffset else { throw .tooShort(bytes.count) }
        let size = bytes.loadUnaligned(
            fromByteOffset: MemoryLayout<husk_page>.offset(of: \.content_size) ?? 64,
            as: UInt32.self)
        let pages = Int32(clamping: size) / HUSK_PAGE_SIZE
        guard size % UInt32(HUSK_PAGE_SIZE) == 0,
            [1, HUSK_GROUP_PAGES, HUSK_LARGE_GROUP_PAGES].contains(pages)
        else {
            throw .wrongSize(kind: header.kind, said: size, got: bytes.count)
        }
        return contentOffset + Int(size)
    }

    static func decode(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> Record {
        guard bytes.count >= MemoryLayout<husk_header>.size else {
            throw .tooShort(bytes.count)
        }
        let header = bytes.loadUnaligned(as: husk_header.self)
        guard header.version == HUSK_FORMAT_VERSION else { throw .wrongVersion(header.version) }
        let expected =
            switch UInt32(header.kind) {
            case HUSK_RECORD_TRANSITION.rawValue: MemoryLayout<husk_transition>.size
            case HUSK_RECORD_PAGE.rawValue: try size(ofPages: header, bytes)
            case HUSK_RECORD_UNREADABLE.rawValue, HUSK_RECORD_LOSS.rawValue:
                MemoryLayout<husk_page_range>.size
            case HUSK_RECORD_TRANSITION_END.rawValue: MemoryLayout<husk_transition_end>.size
            case HUSK_RECORD_PROCESS_EXIT.rawValue: MemoryLayout<husk_process_exit>.size
            case HUSK_RECORD_PROCESS_FORK.rawValue: MemoryLayout<husk_process_fork>.size
            case HUSK_RECORD_PROCESS_EXEC.rawValue: MemoryLayout<husk_process_exec>.size
            case HUSK_RECORD_WRITE.rawValue: MemoryLayout<husk_write>.size
            default: throw .unknownKind(header.kind)
            }
        guard bytes.count >= expected, header.size == expected else {
            throw .wrongSize(kind: header.kind, said: header.size, got: bytes.count)
        }
        switch UInt32(header.kind) {
        case HUSK_RECORD_TRANSITION.rawValue:
            let record = bytes.loadUnaligned(as: husk_transition.self)
            // What a call was refused may be anything; what has changed is somewhere.
            let flags = UInt32(HUSK_TRANSITION_HAS_PAGES | HUSK_TRANSITION_REFERENCED)
            let isRefused =
                record.result < 0 && record.effective == 0 && record.flags & flags == 0
            guard isRefused || !record.start.addingReportingOverflow(record.length).overflow
            else { throw .wrongRange(start: record.start, length: record.length) }
            return .transition(record)
        case HUSK_RECORD_PAGE.rawValue:
            return .page(
                Record.husk_page_header(
                    header: header,
                    address: bytes.loadUnaligned(
                        fromByteOffset: MemoryLayout<husk_page>.offset(of: \.address) ?? 56,
                        as: UInt64.self),
                    reader: bytes.loadUnaligned(
                        fromByteOffset: MemoryLayout<husk_page>.offset(of: \.reader) ?? 68,
                        as: UInt32.self)),
                PageGroup(
                    [UInt8](bytes[contentOffset..<expected]), pageSize: Int(HUSK_PAGE_SIZE)))
        case HUSK_RECORD_TRANSITION_END.rawValue:
            return .transitionEnd(bytes.loadUnaligned(as: husk_transition_end.self))
        case HUSK_RECORD_PROCESS_EXIT.rawValue:
            return .processExit(bytes.loadUnaligned(as: husk_process_exit.self))
        case HUSK_RECORD_PROCESS_FORK.rawValue:
            return .processFork(bytes.loadUnaligned(as: husk_process_fork.self))
        case HUSK_RECORD_PROCESS_EXEC.rawValue:
            return .processExec(bytes.loadUnaligned(as: husk_process_exec.self))
        case HUSK_RECORD_WRITE.rawValue:
            return .write(bytes.loadUnaligned(as: husk_write.self))
        default:
            return .pageRange(bytes.loadUnaligned(as: husk_page_range.self))
        }
    }
}

/// The bytes of a C `char[]` up to its first zero.
func targetText<Characters>(_ characters: Characters) -> TargetText {
    // Safe: reads the value's own bytes, within its size.
    withUnsafeBytes(of: characters) { TargetText(bytes: $0.prefix { $0 != 0 }) }
}
