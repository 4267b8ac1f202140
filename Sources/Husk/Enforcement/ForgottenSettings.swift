// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import CLibbpf
internal import Glibc

/// What threads had set for SIGSEGV that block or ignore it: the kernel forgets it when they
/// fault (bpf/enforcer.h).
struct ForgottenSettings: Sendable {
    /// struct signal_setting (bpf/enforcer.h), of which the first four words are what
    /// rt_sigaction(2) takes.
    struct Setting {
        var action: (handler: UInt64, flags: UInt64, restorer: UInt64, mask: UInt64)
        var isBlocked: UInt64
    }

    let map: Int32

    /// Nil: the thread's last fault has made the kernel forget nothing.
    func take(_ tid: Int32) -> Setting? {
        var key = UInt32(bitPattern: tid)
        var setting = Setting(action: (0, 0, 0, 0), isBlocked: 0)
        guard bpf_map_lookup_elem(map, &key, &setting) == 0 else { return nil }
        bpf_map_delete_elem(map, &key)
        return setting
    }
}

extension Enforcer {
    private static let rtSigaction = 13  // arch/x86/entry/syscalls/syscall_64.tbl
    /// Below the red zone, and what is used of it.
    private static let scratchDistance: UInt64 = 512

    /// Puts back what the thread had set before a fault that it must not know of.
    func putBack(_ setting: ForgottenSettings.Setting, _ tracee: Tracee) {
        if setting.isBlocked != 0 {
            var mask: UInt64 = 0
            if husk_trace_mask(tracee.tid, &mask) == 0 {
                _ = husk_trace_set_mask(tracee.tid, mask | 1 << UInt64(SIGSEGV - 1))
            }
        }
        let action = setting.action
        // SIG_DFL is what the kernel has left.
        guard action.handler != 0, let registers = tracee.registers else { return }
        let words = [action.handler, action.flags, action.restorer, action.mask]
        let place = (UInt64(registers.rsp) &- Self.scratchDistance) & ~15
        // Husk itself would wait for the guard there.
        if tracee.space.view(at: place) != nil { _ = makeAllWritten(tracee) }
        var saved = [UInt64](repeating: 0, count: words.count)
        // Safe: four words into our own array.
        guard husk_process_read(tracee.tid, place, &saved, words.count * 8) == words.count * 8
        else { return }
        write(words, at: place, tracee)
        _ = call(tracee, Self.rtSigaction, UInt64(SIGSEGV), place, 0, 8)
        write(saved, at: place, tracee)
    }

    private func write(_ words: [UInt64], at place: UInt64, _ tracee: Tracee) {
        for (index, word) in words.enumerated() {
            _ = husk_trace_poke(tracee.tid, place + UInt64(index) * 8, word)
        }
    }
}
