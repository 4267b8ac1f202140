// SPDX-License-Identifier: MIT
import HuskModel

@testable import Husk

extension FuzzEntry {
    /// What a target tells perf(1), and /proc of its files' names.
    static let maps = FuzzEntry(name: "maps", largestInput: 4096) { bytes in
        let map = PerfMap(bytes)
        let ranges: [Range<Address>] = [
            0..<0x1000, 0x1000..<0x8000_0000, 0..<Address(.max), Address(.max - 1)..<Address(.max),
        ]
        let lines = bytes.count { $0 == UInt8(ascii: "\n") } + 1
        for range in ranges {
            let count = map.symbolCount(in: range)
            try hold((0...lines).contains(count), "\(count) symbols in \(lines) lines")
        }
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            guard let region = MemoryMaps.region(from: line) else { continue }
            try hold(region.start < region.end, "\(region)")
            if let file = region.backing.file {
                try holdPlain(file.name.escaped, "a name")
                try holdPlain(file.path?.escaped ?? "", "a path")
            }
        }
    }
}
