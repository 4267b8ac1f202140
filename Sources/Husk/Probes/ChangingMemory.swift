// SPDX-License-Identifier: MIT
internal import CLibbpf

/// Memory of which user space knows that it can change without a call, told to the kernel side
/// (bpf/changing.h).
struct ChangingMemory: Sendable {
    /// Its map `changing_before`: what a process takes over at its next call.
    let before: Int32
    /// Its map `changing_exists`.
    let exists: Int32

    private static let limit = 8  // MAX_HULLS

    /// Of more regions than there is room for, the last ones are taken together, with what lies
    /// between them.
    ///
    /// - Parameter regions: ascending.
    func note(_ regions: [Range<UInt64>], of pid: Int32) {
        // struct changing: count, round_hull, hulls; the rest is not looked at.
        var hulls = Array(regions.prefix(Self.limit))
        if regions.count > Self.limit, let last = regions.last {
            hulls[Self.limit - 1] = hulls[Self.limit - 1].lowerBound..<last.upperBound
        }
        var value = [UInt64](repeating: 0, count: 1 + 2 * Self.limit + 2 * 2 + 5)
        value[0] = UInt64(hulls.count)
        for (index, hull) in hulls.enumerated() {
            value[1 + 2 * index] = hull.lowerBound
            value[2 + 2 * index] = hull.upperBound
        }
        var key = UInt32(bitPattern: pid)
        var index: UInt32 = 0
        var isSo: UInt64 = 1
        bpf_map_update_elem(before, &key, &value, 0)
        bpf_map_update_elem(exists, &index, &isSo, 0)
    }
}
