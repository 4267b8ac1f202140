// SPDX-License-Identifier: MIT
internal import CLibbpf

/// What the enforcer and the probes tell each other about the stops that these raise for it
/// (bpf/enforcer.h).
struct ProbeStops: Sendable {
    let owedMap: Int32
    let raisedMap: Int32
    let wordsMap: Int32

    private enum Word: UInt32 {
        case owes = 0  // ENFORCER_OWES
        case leaves = 1  // ENFORCER_LEAVES
    }

    /// A thread is to stop at the end of the call that it is in.
    func owe(_ tid: Int32) {
        var key = UInt32(bitPattern: tid)
        var one: UInt64 = 1
        bpf_map_update_elem(owedMap, &key, &one, 0)
        say(.owes)
    }

    /// Has one been raised that has not been taken?
    func isRaised(_ tid: Int32) -> Bool {
        var key = UInt32(bitPattern: tid)
        var value: UInt64 = 0
        return bpf_map_lookup_elem(raisedMap, &key, &value) == 0
    }

    /// When one has been raised (CLOCK_MONOTONIC, ns): what it is for is to be seen to now. Nil:
    /// none has.
    func take(_ tid: Int32) -> UInt64? {
        var key = UInt32(bitPattern: tid)
        var time: UInt64 = 0
        guard bpf_map_lookup_elem(raisedMap, &key, &time) == 0 else { return nil }
        bpf_map_delete_elem(raisedMap, &key)
        return time
    }

    /// The thread has ended.
    func forget(_ tid: Int32) {
        var key = UInt32(bitPattern: tid)
        bpf_map_delete_elem(owedMap, &key)
        bpf_map_delete_elem(raisedMap, &key)
    }

    /// No further stop: no one will be there to take it back.
    func end() { say(.leaves) }

    private func say(_ word: Word) {
        var index = word.rawValue
        var one: UInt64 = 1
        bpf_map_update_elem(wordsMap, &index, &one, 0)
    }
}
