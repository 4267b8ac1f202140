// SPDX-License-Identifier: MIT
internal import Glibc
public import HuskModel

/// The memory of a process at one moment as a folder: a file for each run of pages that is known,
/// `regions.json`, and scripts that put them where they were.
///
/// No name in the folder, and no word in its scripts, comes from a target.
public struct RegionFolder {
    private let image: ProcessImage
    private let entry: Address?
    private let file: CaptureFile

    public init(_ image: ProcessImage, entry: Address?, contents file: CaptureFile) {
        self.image = image
        self.entry = entry
        self.file = file
    }

    /// What has been written.
    public struct Summary: Hashable, Sendable {
        /// With bytes; the list and the scripts are not counted.
        public var files = 0
        /// In these files.
        public var bytes: UInt64 = 0
        public var regions = 0
    }

    /// Bytes of all known pages.
    public var size: UInt64 {
        image.regions.reduce(0) { $0 + $1.pages.reduce(0) { $0 + UInt64($1.size) } }
    }

    /// Writes a file for each run of known pages, a list of them, and the scripts that load them.
    ///
    /// - Parameters:
    ///   - path: of a folder that does not exist or is empty.
    ///   - onProgress: is told of bytes as they are written.
    /// - Throws: ``OutputError``; ``CaptureFileError`` for a damaged capture.
    public func write(
        to path: String, onProgress: (Int) -> Void = { _ in }
    ) throws -> Summary {
        try OutputFolder.refuseLink(path)
        let isNew = mkdir(path, 0o700) == 0
        guard isNew || errno == EEXIST else {
            throw OutputError(
                "cannot make the folder \(path)", errno: errno,
                hint: errno == ENOENT ? "its parent folder does not exist" : nil)
        }
        let folder = try OutputFolder(path, isNew: isNew)
        let labels = try regionLabels()
        var summary = Summary()
        var record = MemoryRecord(image, entry: entry)
        for region in image.regions {
            var told = MemoryRegionRecord(region, entry: entry)
            told.label = labels.last { $0.range.contains(region.mapping.start) }?.label
            try writeRuns(of: region, into: folder, &told) {
                summary.files += 1
                summary.bytes += UInt64($0)
                onProgress($0)
            }
            record.regions.append(told)
            summary.regions += 1
        }
        try write(JSONLines().encode(record), as: "regions.json", into: folder)
        try write(Array(RadareScript.text(record).utf8), as: "load.r2", into: folder)
        try write(Array(GhidraScript.text.utf8), as: "ghidra_import.py", into: folder)
        return summary
    }

    private func write(
        _ bytes: [UInt8], as name: String, into folder: OutputFolder
    ) throws(OutputError) {
        let descriptor = try folder.create(name)
        defer { close(descriptor) }
        try folder.write(bytes[...], to: descriptor, name)
    }

    /// Of what lived at that moment, in the order in which it was born.
    private func regionLabels() throws -> [(range: Range<Address>, label: LabelRecord)] {
        var labels: [(range: Range<Address>, label: LabelRecord)] = []
        var filter = CaptureFilter()
        filter.pid = image.pid
        try file.forEachRegion(filter) { region in
            let life = region.life
            let end = life.start.advanced(by: life.length)
            if let label = life.label, life.start < end, life.born <= image.time,
                life.gone.map({ image.time <= $0 }) ?? true
            {
                labels.append((life.start..<end, LabelRecord(label)))
            }
            return true
        }
        return labels
    }

    private func writeRuns(
        of region: ProcessImage.Region, into folder: OutputFolder,
        _ record: inout MemoryRegionRecord, onRun: (Int) -> Void
    ) throws {
        var rest = region.pages[...]
        var known = region.mapping.start
        while let first = rest.first {
            let temporary = folder.temporaryName()
            let descriptor = try folder.create(temporary)
            defer { close(descriptor) }
            var hash = DigestBuilder()
            var run = MemoryFileRecord(address: first.address.description)
            var next = first.address
            while let page = rest.first, page.address == next {
                rest.removeFirst()
                // No more than its place: what comes next would be written over.
                let bytes = try file.bytes(of: page.content).prefix(page.size)
                hash.add(bytes)
                try folder.write(bytes, to: descriptor, temporary)
                run.size += bytes.count
                run.generation = max(run.generation, page.generation)
                next = next.advanced(by: UInt64(bytes.count))
            }
            let digest = hash.current.hexadecimal
            run.sha256 = digest
            run.file =
                "\(first.address.hexadecimal)_\(region.mapping.protection)_\(digest.prefix(16)).bin"
            try folder.rename(temporary, to: run.file)
            if known < first.address {
                record.missing.append(MemoryRangeRecord(known..<first.address))
            }
            known = next
            record.files.append(run)
            onRun(run.size)
        }
        if known < region.mapping.end {
            record.missing.append(MemoryRangeRecord(known..<region.mapping.end))
        }
    }
}
