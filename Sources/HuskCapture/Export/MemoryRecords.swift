// SPDX-License-Identifier: MIT
internal import HuskModel

// regions.json: the memory of a process at one moment. The keys are in docs/exports.md.

struct MemoryRecord: Encodable {
    var pid: Int32
    var name: String
    var time: TimeRecord
    var bits: Int
    var entry: String?
    var regions: [MemoryRegionRecord] = []

    init(_ image: ProcessImage, entry: Address?) {
        pid = image.pid
        name = image.name.escaped
        time = TimeRecord(image.time)
        bits = image.is32Bit ? 32 : 64
        self.entry = entry?.description
    }
}

struct MemoryRegionRecord: Encodable {
    var start: String
    var size: UInt64
    var protection: String
    var shared: Bool
    var backing: BackingRecord
    var label: LabelRecord?
    /// If it was entered within the region.
    var entry: String?
    var files: [MemoryFileRecord] = []
    var missing: [MemoryRangeRecord] = []

    init(_ region: ProcessImage.Region, entry: Address?) {
        let mapping = region.mapping
        start = mapping.start.description
        size = mapping.end.rawValue &- mapping.start.rawValue
        protection = mapping.protection.description
        shared = mapping.isShared
        backing = BackingRecord(mapping.backing)
        self.entry = entry.flatMap {
            mapping.start <= $0 && $0 < mapping.end ? $0.description : nil
        }
    }
}

struct MemoryFileRecord: Encodable {
    var address: String
    var size = 0
    var sha256 = ""
    var file = ""
    /// The highest of its pages.
    var generation = 0
}

struct MemoryRangeRecord: Encodable {
    var start: String
    var size: UInt64

    init(_ range: Range<Address>) {
        start = range.lowerBound.description
        size = range.upperBound.rawValue - range.lowerBound.rawValue
    }
}
