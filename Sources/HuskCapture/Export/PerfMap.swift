// SPDX-License-Identifier: MIT
internal import HuskModel

/// Code in memory as a map of symbols for perf(1): `START SIZE name`, addresses and sizes in
/// hexadecimal without a prefix (Linux, tools/perf/Documentation/jit-interface.txt).
public struct PerfMap {
    private let file: CaptureFile
    private let process: StoredProcess

    public init(_ file: CaptureFile, of process: StoredProcess) {
        self.file = file
        self.process = process
    }

    /// The regions in the order in which they were born: the map has no times, and of two that lay
    /// at the same place the later one is told last.
    public func forEachLine(_ body: ([UInt8]) throws -> Void) throws {
        var filter = CaptureFilter()
        filter.pid = process.pid
        try file.forEachRegion(filter) { region in
            let life = region.life
            guard region.process == process.id, Self.isWanted(region) else { return true }
            let line =
                "\(life.start.hexadecimal) \(String(life.length, radix: 16)) "
                + "\(Self.name(of: life))\n"
            try body(Array(line.utf8))
            return true
        }
    }

    /// perf knows by itself what is in files, and the vdso.
    private static func isWanted(_ region: StoredRegion) -> Bool {
        guard region.life.protection.contains(.execute) || region.snapshots > 0 else {
            return false
        }
        switch region.life.backing {
        case .file(let file, _): return file.linkCount == 0
        case .special: return false
        default: return region.life.label?.kind != .kernel
        }
    }

    /// Without blanks, which end a name for some readers.
    static func name(of life: RegionLife) -> String {
        let kind = life.label?.kind.rawValue ?? life.backing.kind
        let detail = life.label?.detail ?? TargetText("")
        let name = "husk_\(kind)_\(life.id)"
        return detail.isEmpty ? name : "\(name)_\(escaped(detail))"
    }

    private static func escaped(_ text: TargetText) -> String {
        var result = ""
        for byte in text.bytes.prefix(128) {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
                UInt8(ascii: "_"), UInt8(ascii: "+"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                result += "\\x" + byte.hexadecimal
            }
        }
        return result
    }
}
