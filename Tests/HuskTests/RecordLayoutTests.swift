// SPDX-License-Identifier: MIT
import CLibbpf
import Foundation
import HuskProbes
import Testing

@testable import Husk

/// The border between the kernel and Swift: the same bytes must mean the same on both sides.
@Suite("Record layout")
struct RecordLayoutTests {
    struct Field: Hashable, CustomStringConvertible {
        var type: String
        var name: String
        var offset: Int
        var description: String { "\(type).\(name) at \(offset)" }
    }

    /// What the C compiler of this machine has laid out.
    static let inC: Set<Field> = {
        var fields: Set<Field> = []
        var next = husk_fields()
        while let field = next, let type = field.pointee.type, let name = field.pointee.name {
            fields.insert(
                Field(
                    type: String(cString: type), name: String(cString: name),
                    offset: field.pointee.offset))
            next = field + 1
        }
        return fields
    }()

    private static func inSwift<Record>(
        _ type: String, _ fields: [(String, PartialKeyPath<Record>)]
    ) -> [Field] {
        fields.map {
            Field(type: type, name: $0.0, offset: MemoryLayout<Record>.offset(of: $0.1) ?? -1)
        }
    }

    @Test("Swift reads every field where C has put it")
    func swiftAgreesWithC() {
        let swift =
            Self.inSwift(
                "husk_header",
                [
                    ("size", \husk_header.size), ("kind", \.kind), ("version", \.version),
                    ("sequence", \.sequence), ("time_ns", \.time_ns), ("cpu", \.cpu),
                    ("host_pid", \.host_pid), ("host_tid", \.host_tid), ("pid", \.pid),
                    ("tid", \.tid), ("numbers", \.numbers), ("transition", \.transition),
                ])
            + Self.inSwift(
                "husk_transition",
                [
                    ("header", \husk_transition.header), ("start", \.start),
                    ("length", \.length), ("call_address", \.call_address),
                    ("call_length", \.call_length), ("call_flags", \.call_flags),
                    ("result", \.result), ("instruction_pointer", \.instruction_pointer),
                    ("stack_pointer", \.stack_pointer), ("call", \.call), ("flags", \.flags),
                    ("requested", \.requested), ("previous", \.previous),
                    ("effective", \.effective), ("backing", \.backing),
                    ("file_offset", \.file_offset), ("abi", \.abi),
                    ("stack_words", \.stack_words), ("trigger", \.trigger),
                    ("call_number", \.call_number), ("comm", \.comm), ("file", \.file),
                    ("stack", \.stack),
                ])
            + Self.inSwift(
                "husk_file",
                [
                    ("inode", \husk_file.inode), ("device_major", \.device_major),
                    ("device_minor", \.device_minor), ("link_count", \.link_count),
                    ("path_size", \.path_size), ("path", \.path),
                ])
            + Self.inSwift(
                "husk_page",
                [
                    ("header", \husk_page.header), ("address", \.address),
                    ("content_size", \.content_size), ("reader", \.reader),
                    ("content", \.content),
                ])
            + Self.inSwift(
                "husk_page_range",
                [
                    ("header", \husk_page_range.header), ("start", \.start),
                    ("length", \.length), ("cause", \.cause), ("error", \.error),
                ])
            + Self.inSwift(
                "husk_transition_end",
                [
                    ("header", \husk_transition_end.header), ("captured", \.captured),
                    ("untouched", \.untouched), ("unchanged", \.unchanged),
                    ("unreadable", \.unreadable), ("lost", \.lost),
                    ("stalled_ns", \.stalled_ns),
                ])
            + Self.inSwift(
                "husk_process_exit",
                [
                    ("header", \husk_process_exit.header), ("status", \.status),
                    ("reserved", \.reserved),
                ])
            + Self.inSwift(
                "husk_process_fork",
                [
                    ("header", \husk_process_fork.header), ("shares_memory", \.shares_memory),
                    ("reserved", \.reserved),
                    ("child_pid", \.child_pid), ("child_host_pid", \.child_host_pid),
                    ("comm", \.comm),
                ])
            + Self.inSwift(
                "husk_process_exec",
                [
                    ("header", \husk_process_exec.header), ("backing", \.backing),
                    ("reserved", \.reserved), ("comm", \.comm), ("file_name", \.file_name),
                    ("file", \.file),
                ])
            + Self.inSwift(
                "husk_write",
                [
                    ("header", \husk_write.header), ("start", \.start), ("length", \.length),
                    ("call", \.call), ("target_pid", \.target_pid), ("inode", \.inode),
                    ("device_major", \.device_major), ("device_minor", \.device_minor),
                    ("is_held", \.is_held), ("has_siblings", \.has_siblings),
                    ("comm", \.comm),
                ])
            + Self.inSwift(
                "husk_config",
                [
                    ("pid_namespace", \husk_config.pid_namespace),
                    ("hidden_pages", \.hidden_pages),
                    ("exit_has_memory", \.exit_has_memory),
                    ("reference_files", \.reference_files),
                    ("looks_at_callers", \.looks_at_callers),
                    ("ring_size", \.ring_size),
                    ("stall_limit_ns", \.stall_limit_ns),
                    ("stall_silence_ns", \.stall_silence_ns), ("walk_limit_ns", \.walk_limit_ns),
                    ("enforcer", \.enforcer), ("watches_calls_later", \.watches_calls_later),
                    ("page_table_levels", \.page_table_levels),
                    ("physical_bits", \.physical_bits), ("back_pressure", \.back_pressure),
                    ("enforcer_mark", \.enforcer_mark),
                    ("page_budget", \.page_budget),
                ])
        #expect(Set(swift) == Self.inC)
        #expect(swift.count == Self.inC.count)
    }

    @Test(
        "the BPF compiler has laid every record out in the same way",
        arguments: [DeferredFlavor.explicitProgram, .implicitProgram])
    func probesAgreeWithC(_ flavor: DeferredFlavor) throws {
        // The object carries a description of its own types: BTF.
        let text = flavor.embeddedObject.withUTF8Buffer { Data($0) }
        let object = try #require(Data(base64Encoded: text))
        let file = NSTemporaryDirectory() + "husk-layout-\(UUID().uuidString).o"
        try object.write(to: URL(fileURLWithPath: file))
        defer { try? FileManager.default.removeItem(atPath: file) }
        let btf = try #require(btf__parse(file, nil))
        defer { btf__free(btf) }

        let records = Set(Self.inC.map(\.type))
        var fields: Set<Field> = []
        for record in records {
            let id = btf__find_by_name_kind(btf, record, 4)  // BTF_KIND_STRUCT
            try #require(id > 0, "\(record) is not in the probes")
            let type = try #require(btf__type_by_id(btf, UInt32(id)))
            // Members follow the type itself (linux/btf.h): name, type, offset in bits.
            let members = UnsafeRawPointer(type + 1).assumingMemoryBound(to: btf_member.self)
            for index in 0..<Int(type.pointee.info & 0xFFFF) {
                let name = try #require(btf__name_by_offset(btf, members[index].name_off))
                fields.insert(
                    Field(
                        type: record, name: String(cString: name),
                        offset: Int(members[index].offset & 0xFFFFFF) / 8))
            }
        }
        #expect(fields == Self.inC)
    }
}

@Suite("Record decoding")
struct RecordDecoderTests {
    private func header(_ kind: husk_record_kind, size: Int) -> husk_header {
        var header = husk_header()
        header.kind = UInt16(kind.rawValue)
        header.version = UInt16(HUSK_FORMAT_VERSION)
        header.size = UInt32(size)
        return header
    }

    private func decode<Value>(_ value: Value, prefix: Int? = nil) -> Result<
        Record, RecordDecoder.Failure
    > {
        withUnsafeBytes(of: value) { bytes in
            do throws(RecordDecoder.Failure) {
                return .success(
                    try RecordDecoder.decode(
                        UnsafeRawBufferPointer(rebasing: bytes.prefix(prefix ?? bytes.count))))
            } catch {
                return .failure(error)
            }
        }
    }

    @Test("refuses a record that is cut off at any byte")
    func truncated() {
        var record = husk_transition()
        let size = MemoryLayout<husk_transition>.size
        record.header = header(HUSK_RECORD_TRANSITION, size: size)
        for length in 0..<size {
            guard case .failure = decode(record, prefix: length) else {
                Issue.record("took \(length) of \(size) bytes")
                return
            }
        }
        guard case .success(.transition) = decode(record) else {
            Issue.record("did not take the whole record")
            return
        }
    }

    @Test("refuses another version, an unknown kind, and a size that is not the record's")
    func malformed() {
        var range = husk_page_range()
        range.header = header(HUSK_RECORD_LOSS, size: MemoryLayout<husk_page_range>.size)
        range.header.version = 99
        #expect(throws: RecordDecoder.Failure.wrongVersion(99)) { try decode(range).get() }

        range.header.version = UInt16(HUSK_FORMAT_VERSION)
        range.header.kind = 77
        #expect(throws: RecordDecoder.Failure.unknownKind(77)) { try decode(range).get() }

        range.header.kind = UInt16(HUSK_RECORD_LOSS.rawValue)
        range.header.size = .max
        #expect(throws: RecordDecoder.Failure.self) { try decode(range).get() }
    }

    @Test("refuses a region beyond the end of the address space")
    func range() {
        var refused = husk_transition()
        refused.header = header(
            HUSK_RECORD_TRANSITION, size: MemoryLayout<husk_transition>.size)
        refused.start = 0x7000
        refused.length = .max
        refused.result = -22
        // That is what the call has asked for.
        #expect(throws: Never.self) { try decode(refused).get() }
        let changes: [(inout husk_transition) -> Void] = [
            { $0.result = 0 }, { $0.effective = 4 },
            { $0.flags = UInt32(HUSK_TRANSITION_HAS_PAGES) },
            { $0.flags = UInt32(HUSK_TRANSITION_REFERENCED) },
        ]
        for change in changes {
            var record = refused
            change(&record)
            #expect(throws: RecordDecoder.Failure.wrongRange(start: 0x7000, length: .max)) {
                try decode(record).get()
            }
        }
    }

    @Test("refuses a page that claims another amount of content")
    func pageSize() {
        var page = husk_page()
        page.header = header(HUSK_RECORD_PAGE, size: MemoryLayout<husk_page>.size)
        page.content_size = 0xFFFF_FFFF
        #expect(throws: RecordDecoder.Failure.self) { try decode(page).get() }
    }
}
