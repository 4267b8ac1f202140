// SPDX-License-Identifier: MIT
public import HuskModel

/// An ELF file made of an image in memory, to be opened in a disassembler and, often, to be run.
///
/// The contents are those of memory: what the program has changed since it was loaded is changed,
/// and .bss is in the file as it was. Section headers are made up, one or more per segment, so
/// that tools which go by them see code as code.
///
/// A position-independent program or library keeps the addresses it was linked at (ET_DYN,
/// ``Addresses/linked``): its own tables (symbols, relocations, .dynamic) name those, and it can
/// be loaded anywhere again. Relocations have been applied already in what was captured after its
/// start: pointers in its data are the captured ones then, ``bias`` higher. The other choice,
/// ``Addresses/captured``, makes an ET_EXEC with the addresses of the capture, in which these
/// pointers are right; it has no .dynamic, because the tables behind it would be wrong.
///
/// Holds no contents: ``write(to:)`` reads them as it goes.
public struct RebuiltImage {
    /// Which addresses a position-independent image gets; for others they are the same.
    public enum Addresses: Hashable, Sendable {
        case linked, captured
    }

    /// No more bytes of memory than this are written: 1 GiB.
    public static let largestContent: UInt64 = 1 << 30
    /// The file is not longer than that and this for headers, names and padding: 32 MiB.
    public static let largestOverhead: UInt64 = 32 << 20

    /// The program headers of the file.
    public let segments: [ELFSegment]
    /// The section headers of the file, without the empty one at index 0.
    public let sections: [ELFSection]
    /// As in the file. 0: not known.
    public let entry: UInt64
    /// What must be added to an address of the file to get that of the capture, modulo 2^64.
    public let bias: UInt64
    /// What is not in the capture and therefore zero, in addresses of the capture.
    public let missing: [Range<Address>]
    /// What was left out or changed and why, for people.
    public let remarks: [String]
    /// What the linker has named the original (NT_GNU_BUILD_ID). Not in the file: with it, a
    /// debugger would take the original's debug information for that of other sections.
    public let buildID: [UInt8]?
    /// Bytes of the file.
    public let size: UInt64

    private let plan: RebuildPlan
    private let reader: MemoryReader

    /// Plans the file.
    ///
    /// `entry` is where it shall start, as an address of the capture (that of an
    /// ``/HuskModel/Execution``, for example); nil: where its header says, and without a header, at
    /// its first code.
    ///
    /// Throws ``ELFError`` if nothing of it is in the capture, if it would be longer than
    /// ``largestContent``, and if the entry is not in it; and what the source throws.
    public init(
        _ found: FoundImage, in image: ProcessImage, contents: any ContentSource,
        entry: Address? = nil, addresses: Addresses = .linked
    ) throws {
        let reader = MemoryReader(image, contents: contents)
        var plan: RebuildPlan
        switch (found.form, found.headers) {
        case (.file, let headers?):
            plan = try RebuildPlan(file: found, headers, reader)
        case (.loaded, let headers?):
            plan = try RebuildPlan(loaded: found, headers, addresses, entry: entry, reader)
        case (_, nil):
            plan = try RebuildPlan(
                regions: found, is32Bit: image.is32Bit, entry: entry, reader)
        }
        plan.seal()
        segments = plan.segments
        sections = plan.sections
        self.entry = plan.entry
        bias = plan.bias
        missing = plan.missing(reader)
        remarks = plan.remarks
        buildID = plan.buildID
        size = plan.size
        self.plan = plan
        self.reader = reader
    }

    /// Writes the file, in portions of 1 MiB at most, in order.
    ///
    /// Throws what the sink and the source throw, and ``ELFError`` for a damaged content.
    public func write(to sink: (ArraySlice<UInt8>) throws -> Void) throws {
        var position: UInt64 = 0
        /// Hands out bytes that follow, with what is written over them.
        func emit(_ bytes: ArraySlice<UInt8>) throws {
            let end = position + UInt64(bytes.count)
            var patched = bytes
            for patch in plan.patches where patch.offset < end && position < patch.end {
                let from = max(patch.offset, position)
                let to = min(patch.end, end)
                let place = patched.startIndex + Int(from - position)
                patched.replaceSubrange(
                    place..<place + Int(to - from),
                    with: patch.bytes[Int(from - patch.offset)..<Int(to - patch.offset)])
            }
            position = end
            try sink(patched)
        }
        func pad(to offset: UInt64) throws {
            while position < offset {
                let count = Int(min(offset - position, 1 << 20))
                try emit([UInt8](repeating: 0, count: count)[...])
            }
        }
        for piece in plan.pieces {
            try pad(to: piece.offset)
            try reader.stream(piece.memory, to: emit)
        }
        try pad(to: plan.contentEnd)
        try plan.trailer.forEachPortion(emit)
    }

    /// The whole file: ``largestContent`` and ``largestOverhead`` at most.
    public func bytes() throws -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(clamping: size))
        try write { bytes += $0 }
        return bytes
    }
}
