// SPDX-License-Identifier: MIT
internal import Foundation

/// How this machine's page tables are built, for the probes that read them (bpf/page_tables.h).
struct PageTables: Equatable {
    /// 4, or 5 where addresses of 57 bits are in use.
    var levels: UInt8
    /// Of an entry: how many bits tell where memory is. The rest are flags, also those of encrypted
    /// memory.
    var physicalBits: UInt8

    /// Nil: not known, so they are not read.
    static func ofThisMachine() -> PageTables? {
        guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else {
            return nil
        }
        return PageTables(cpuinfo: text)
    }

    init?(cpuinfo: String) {
        var bits: UInt8?
        var isDeep = false
        for line in cpuinfo.split(separator: "\n", maxSplits: 64) {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let words = parts[1].split(separator: " ")
            if parts[0].hasPrefix("address sizes") {
                bits = words.first.flatMap { UInt8($0) }  // "48 bits physical, 48 bits virtual"
            } else if parts[0].hasPrefix("flags") {
                // The kernel takes the flag away where it does not use it.
                isDeep = words.contains("la57")
            }
        }
        guard let bits, (32...52).contains(bits) else { return nil }
        levels = isDeep ? 5 : 4
        physicalBits = bits
    }
}
