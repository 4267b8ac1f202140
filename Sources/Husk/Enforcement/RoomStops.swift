// SPDX-License-Identifier: MIT
internal import CLibbpf

/// Processes that the kernel side has stopped until there is room in the ring (bpf/stopping.h).
///
/// A tracer is asked before a stop: one that took it for a stop of its own would let the process
/// write over what Husk has not read yet.
struct RoomStops: Sendable {
    let map: Int32

    func contains(_ pid: Int32) -> Bool {
        var key = ProbeObject.Stop()
        var hasKey = bpf_map_get_next_key(map, nil, &key) == 0
        while hasKey, key.pid != pid {
            var next = ProbeObject.Stop()
            hasKey = bpf_map_get_next_key(map, &key, &next) == 0
            key = next
        }
        return hasKey
    }
}
