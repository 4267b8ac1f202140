// SPDX-License-Identifier: MIT
import Foundation
import HuskAnalysis
import HuskCapture
import HuskModel
import HuskProbes

@testable import Husk

extension FuzzEntry {
    /// What comes from the ring, and the events made of it.
    ///
    /// First the bytes as they are; then as records whose sizes are put right, so that what they
    /// say is looked at: a byte for the kind, then the record.
    static let records = FuzzEntry(name: "records", largestInput: 16_384) { bytes in
        try bytes.withUnsafeBytes { buffer in
            _ = RecordDecoder.time(of: buffer)
            if let record = try? RecordDecoder.decode(buffer) { try check(record, buffer.count) }
        }
        var input = InputBytes(bytes)
        var judge = Judge()
        var events: [Event] = []
        var records = 0
        var builder = EventBuilder(emit: { events.append($0) })
        while !input.isEmpty {
            let record = FuzzedRecord(&input)
            let before = events.count
            try record.bytes.withUnsafeBytes { buffer in
                if let record = try? RecordDecoder.decode(buffer) {
                    try check(record, buffer.count)
                }
                builder.take(buffer)
            }
            records += 1
            // A write is told of each region that shows it.
            try hold(
                events.count - before <= (records + 1) * (FuzzedRecord.largestRange + 8),
                "\(events.count - before) events of one record")
        }
        for event in events.prefix(512) {
            judge.take(event)
            guard let line = JSONLines().line(event) else { continue }
            try hold(line.last == UInt8(ascii: "\n"), "a line without an end")
            try hold(
                !line.dropLast().contains { $0 < 0x20 || $0 == 0x7F }, "a line has control bytes")
            _ = try JSONSerialization.jsonObject(with: Data(line))
        }
        let judgement = judge.judgement()
        try hold(
            judgement.findings.count <= Judge.findingLimit,
            "\(judgement.findings.count) findings")
        for finding in judgement.findings { try holdPlain(finding.reason, "a reason") }
    }

    private static func check(_ record: Record, _ size: Int) throws {
        try hold(Int(record.header.size) <= size, "a record of \(record.header.size) bytes")
        guard case .page(_, let group) = record else { return }
        try hold(
            group.count * Int(HUSK_PAGE_SIZE) <= size, "\(group.count) pages in \(size) bytes")
        for index in 0..<group.count {
            try hold(group[index].bytes.count == Int(HUSK_PAGE_SIZE), "a page that is none")
        }
    }
}

/// A record of a size that fits its kind, about processes that there cannot be.
private struct FuzzedRecord {
    /// Pages of a range; each is an event.
    static let largestRange = 64

    private static let sizes: [(husk_record_kind, Int)] = [
        (HUSK_RECORD_TRANSITION, MemoryLayout<husk_transition>.size),
        (HUSK_RECORD_PAGE, MemoryLayout<husk_page>.size),
        (HUSK_RECORD_UNREADABLE, MemoryLayout<husk_page_range>.size),
        (HUSK_RECORD_LOSS, MemoryLayout<husk_page_range>.size),
        (HUSK_RECORD_TRANSITION_END, MemoryLayout<husk_transition_end>.size),
        (HUSK_RECORD_PROCESS_EXIT, MemoryLayout<husk_process_exit>.size),
        (HUSK_RECORD_PROCESS_FORK, MemoryLayout<husk_process_fork>.size),
        (HUSK_RECORD_PROCESS_EXEC, MemoryLayout<husk_process_exec>.size),
        (HUSK_RECORD_WRITE, MemoryLayout<husk_write>.size),
    ]

    var bytes: [UInt8]

    init(_ input: inout InputBytes) {
        let choice = Int(input.byte())
        let (kind, size) = Self.sizes[choice % Self.sizes.count]
        // What holds no more than a few bytes of text or code is mostly left at zero.
        bytes = input.bytes(min(size, kind == HUSK_RECORD_PAGE && choice & 0x80 == 0 ? 88 : size))
        bytes += [UInt8](repeating: 0, count: size - bytes.count)
        put(UInt32(size), at: MemoryLayout<husk_header>.offset(of: \.size))
        put(UInt16(kind.rawValue), at: MemoryLayout<husk_header>.offset(of: \.kind))
        put(UInt16(HUSK_FORMAT_VERSION), at: MemoryLayout<husk_header>.offset(of: \.version))
        for field in [
            MemoryLayout<husk_header>.offset(of: \.pid),
            MemoryLayout<husk_header>.offset(of: \.tid),
            MemoryLayout<husk_header>.offset(of: \.host_pid),
            MemoryLayout<husk_header>.offset(of: \.host_tid),
        ] {
            putProcess(at: field)
        }
        switch kind {
        case HUSK_RECORD_PAGE:
            put(UInt32(HUSK_PAGE_SIZE), at: MemoryLayout<husk_page>.offset(of: \.content_size))
        case HUSK_RECORD_UNREADABLE:
            limitPages(at: MemoryLayout<husk_page_range>.offset(of: \.length))
        case HUSK_RECORD_PROCESS_FORK:
            putProcess(at: MemoryLayout<husk_process_fork>.offset(of: \.child_pid))
            putProcess(at: MemoryLayout<husk_process_fork>.offset(of: \.child_host_pid))
        case HUSK_RECORD_WRITE:
            limitPages(at: MemoryLayout<husk_write>.offset(of: \.length))
            putProcess(at: MemoryLayout<husk_write>.offset(of: \.target_pid))
        case HUSK_RECORD_TRANSITION:
            // Longer ones are not taken apart.
            limitPages(at: MemoryLayout<husk_transition>.offset(of: \.length), upTo: 1 << 33)
            putFolder(at: MemoryLayout<husk_transition>.offset(of: \.file))
        case HUSK_RECORD_PROCESS_EXEC:
            putFolder(at: MemoryLayout<husk_process_exec>.offset(of: \.file))
        default: break
        }
    }

    private mutating func put<Number: FixedWidthInteger>(_ value: Number, at offset: Int?) {
        guard let offset else { return }
        bytes.withUnsafeMutableBytes {
            $0.storeBytes(of: value, toByteOffset: offset, as: Number.self)
        }
    }

    /// Up to 2^20 pages become an event each: that takes long, and tells nothing new.
    private mutating func limitPages(at offset: Int?, upTo limit: UInt64 = .max) {
        guard let offset else { return }
        let length = bytes.withUnsafeBytes {
            $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        }
        if length <= limit { put(length % UInt64(Self.largestRange * 4096), at: offset) }
    }

    /// Above every limit of pid_max: the builder looks at processes, and must meet no one.
    private mutating func putProcess(at offset: Int?) {
        guard let offset else { return }
        put(UInt32(0x4000_0000) | UInt32(bytes[offset] & 7), at: offset)
    }

    /// A folder that is not there comes first in its path: nothing of this machine is opened.
    private mutating func putFolder(at offset: Int?) {
        guard let offset, let size = MemoryLayout<husk_file>.offset(of: \.path_size),
            let path = MemoryLayout<husk_file>.offset(of: \.path)
        else { return }
        let folder = Array("\0husk-nowhere\0".utf8)
        let used = min(Int(bytes[offset + size]), Int(HUSK_PATH_SIZE) - folder.count)
        bytes.replaceSubrange(
            (offset + path + used)..<(offset + path + used + folder.count), with: folder)
        put(UInt32(used + folder.count), at: offset + size)
    }
}
