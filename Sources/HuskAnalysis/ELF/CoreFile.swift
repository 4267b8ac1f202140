// SPDX-License-Identifier: MIT
internal import CLibelf
public import HuskModel

/// An ELF core file (ET_CORE) of a process's memory, for gdb and its kind: core(5).
///
/// Holds what the capture has and nothing else. A page without bytes is in no program header: a
/// debugger says that it cannot be read, where a header without file contents makes gdb show zeros.
/// gdb looks into the *analyst's* file of the same path, where NT_FILE names one, and warns if it
/// does not exist.
///
/// A file has one program header per run of pages with one protection. Where that would be more
/// than ``largestCount``, runs that lie next to each other are merged.
///
/// Written as a stream: memory does not grow with the size of the core.
public struct CoreFile {
    /// What the file will hold.
    public struct Summary: Hashable, Sendable {
        public var elfClass: ELFClass
        /// Program headers with memory.
        public var segments: Int
        /// Threads whose registers are known. 0: the file has one, of zeros.
        public var threads: Int
        /// Bytes of the file.
        public var size: UInt64
        /// Bytes of memory that are in the capture and in the file.
        public var capturedBytes: UInt64
        /// Pages (of 4096 bytes) that are zero in the file although they are not known: holes that
        /// had to be filled to stay below the number of program headers. Usually 0.
        public var filledPages: UInt64
        /// Pages that are known, and in runs of which there were too many. Usually 0.
        public var droppedPages: UInt64
        /// Runs of different protection that have become one, with the rights of both.
        public var mergedRuns: Int
        /// Mapped files left out of NT_FILE, because the kernel did not tell their path.
        public var filesWithoutPath: Int
    }

    /// More program headers with memory are never written: 0xffff (PN_XNUM) would mean that the
    /// number stands elsewhere, and one is for the notes.
    public static let largestCount = Int(PN_XNUM) - 2

    public let summary: Summary
    private let head: [UInt8]
    private let segments: [CoreSegments.Segment]
    private let reader: MemoryReader

    /// Plans a core of an image. `segmentLimit` is for tests.
    ///
    /// Throws ``ELFError`` if the image has neither pages nor threads.
    public init(
        _ image: ProcessImage, contents: any ContentSource, segmentLimit: Int = largestCount
    ) throws(ELFError) {
        let reader = MemoryReader(image, contents: contents)
        let plan = CoreSegments(image, reader: reader, limit: min(segmentLimit, Self.largestCount))
        guard !plan.segments.isEmpty || !image.threads.isEmpty else {
            throw ELFError(
                .nothingToWrite, "no page of process \(image.pid) is in the capture at that time",
                hint: "choose a later time")
        }
        let elfClass = Self.elfClass(image, plan)
        let notes = CoreNotes(image, elfClass)
        let tableSize = (plan.segments.count + 1) * elfClass.programHeaderSize
        let notesOffset = elfClass.headerSize + tableSize
        var offset = UInt64(notesOffset + notes.bytes.count).roundedUp(to: 4096)
        let headSize = Int(offset)

        var encoder = ELFEncoder(elfClass)
        encoder.fileHeader(
            type: ET_CORE, machine: elfClass == .bits64 ? EM_X86_64 : EM_386,
            programHeaderOffset: UInt64(elfClass.headerSize),
            programHeaderCount: plan.segments.count + 1)
        encoder.programHeader(
            ELFSegment(
                type: UInt32(PT_NOTE), flags: 0, offset: UInt64(notesOffset), address: 0,
                fileSize: UInt64(notes.bytes.count), memorySize: 0, alignment: 4))
        for segment in plan.segments {
            let size = segment.range.byteCount
            encoder.programHeader(
                ELFSegment(
                    type: UInt32(PT_LOAD), flags: segment.protection.segmentFlags, offset: offset,
                    address: segment.range.lowerBound.rawValue, fileSize: size, memorySize: size,
                    alignment: 4096))
            offset += size.roundedUp(to: 4096)
        }
        encoder.append(notes.bytes)
        encoder.zeros(headSize - encoder.bytes.count)
        head = encoder.bytes
        segments = plan.segments
        self.reader = reader
        summary = Summary(
            elfClass: elfClass, segments: plan.segments.count, threads: notes.threadCount,
            size: offset, capturedBytes: plan.capturedBytes, filledPages: plan.filledPages,
            droppedPages: plan.droppedPages, mergedRuns: plan.mergedRuns,
            filesWithoutPath: notes.filesWithoutPath)
    }

    /// 32 bits for a 32-bit program, unless something of it does not fit in there: code that has
    /// switched to 64 bits, a file that is too long.
    private static func elfClass(_ image: ProcessImage, _ plan: CoreSegments) -> ELFClass {
        let limit: UInt64 = 1 << 32
        let fits =
            (plan.segments.last?.range.upperBound.rawValue ?? 0) <= limit
            && (image.regions.last?.mapping.end.rawValue ?? 0) <= limit
            && image.threads.allSatisfy { $0.registers.rip < limit && $0.registers.rsp < limit }
            && plan.segments.reduce(0) { $0 &+ $1.range.byteCount } < limit / 2
        return image.is32Bit && fits ? .bits32 : .bits64
    }

    /// Writes the file, in portions of 1 MiB at most, in order.
    ///
    /// Throws what the sink and the source throw, and ``ELFError`` for a damaged content.
    public func write(to sink: (ArraySlice<UInt8>) throws -> Void) throws {
        try head.forEachPortion(sink)
        for segment in segments {
            try reader.stream(segment.range, to: sink)
            let size = segment.range.byteCount
            let padding = Int(size.roundedUp(to: 4096) - size)
            if padding > 0 { try sink([UInt8](repeating: 0, count: padding)[...]) }
        }
    }
}

extension MemoryReader {
    /// Hands out a range in portions of 1 MiB at most; unknown bytes are 0.
    func stream(_ range: Range<Address>, to sink: (ArraySlice<UInt8>) throws -> Void) throws {
        var start = range.lowerBound
        while start < range.upperBound {
            let left = range.upperBound.rawValue - start.rawValue
            let end = start.advanced(by: Swift.min(left, 1 << 20))
            try sink(try read(start..<end).bytes[...])
            start = end
        }
    }
}

extension [UInt8] {
    /// Hands out the bytes in portions of 1 MiB at most.
    func forEachPortion(_ sink: (ArraySlice<UInt8>) throws -> Void) rethrows {
        for start in stride(from: 0, to: count, by: 1 << 20) {
            try sink(self[start..<Swift.min(count, start + 1 << 20)])
        }
    }
}

extension UInt64 {
    /// `alignment` is a power of two. Saturates.
    func roundedUp(to alignment: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(alignment - 1)
        return (overflow ? UInt64.max : sum) & ~(alignment - 1)
    }
}

extension Protection {
    /// The same as PF_R, PF_W and PF_X.
    var segmentFlags: UInt32 {
        (contains(.read) ? UInt32(PF_R) : 0) | (contains(.write) ? UInt32(PF_W) : 0)
            | (contains(.execute) ? UInt32(PF_X) : 0)
    }
}
