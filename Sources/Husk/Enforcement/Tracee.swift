// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc
internal import HuskModel

/// A thread that Husk traces with ptrace(2).
final class Tracee {
    let tid: Int32
    /// Of its process.
    let pid: Int32
    var space: EnforcedSpace
    var isStopped = false
    /// It has ended, or another thread has its number now.
    var isGone = false
    /// It is no target, but has a target's memory: until it executes a program.
    var isBorrower = false
    /// It is no target, and has memory of its own.
    var isToBeLetGo = false
    /// The last fault: to see that it makes no progress.
    private var lastFault: (address: UInt64, registers: Registers, count: Int)?

    /// The page at which it was seen to wait, and not to wait.
    var lastWoken: UInt64?
    /// It waits to write, and could not be stopped at once.
    struct Awaited {
        var fault: WriteFault
        /// CLOCK_MONOTONIC, ns: it is waited for until then.
        var until: UInt64
        /// How long it had run by then (``ProcFolder/runTime``).
        var runTime: UInt64
        /// How often it has told since that it waits.
        var timesTold = 0
    }

    var awaited: Awaited?
    /// A probe is going to stop it at the end of the call that it is in.
    var hasOwedStop = false
    /// Its number in its own PID namespace.
    lazy var numberInside = ProcFolder(process: tid).innermostNumber ?? tid

    /// As it was called when it was asked for first.
    lazy var name = ProcessFacts.name(of: tid)

    init(tid: Int32, pid: Int32, space: EnforcedSpace) {
        self.tid = tid
        self.pid = pid
        self.space = space
    }

    /// Where it would write next if it wrote one page after the other, and how many pages it is
    /// given then.
    var nextWrite: UInt64 = 0
    var writeRun: UInt64 = 1
    /// A signal that has been held back, to be delivered when it goes on; 0: none.
    var undelivered: Int32 = 0

    /// Counts faults at one address, one after the other, between which no register has changed:
    /// code that runs in rounds faults at one place as well.
    func noteFault(_ registers: user_regs_struct, _ address: UInt64) -> Int {
        let registers = Registers(registers)
        var count = 1
        if let lastFault, lastFault.address == address, lastFault.registers == registers {
            count = lastFault.count + 1
        }
        lastFault = (address, registers, count)
        return count
    }

    func forgetFault() { lastFault = nil }

    /// Nil: it has been killed meanwhile.
    var registers: user_regs_struct? {
        var registers = user_regs_struct()
        return husk_trace_registers(tid, &registers) == 0 ? registers : nil
    }

    /// An instruction of two bytes, as those that make system calls; nil: it cannot be read.
    func twoBytes(at address: UInt64) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 2)
        // Safe: two bytes into our own array.
        return husk_process_read(tid, address, &bytes, 2) == 2 ? bytes : nil
    }

    /// Its personality, if what it asks to read may be executed as well for it (personality(2)); nil:
    /// it is not so, as for nearly all.
    var widePersonality: UInt32? {
        ProcFolder(thread: tid, of: pid).personality
            .flatMap { $0 & Self.readImpliesExecution != 0 ? $0 : nil }
    }

    static let readImpliesExecution: UInt32 = 0x0400000  // READ_IMPLIES_EXEC, linux/personality.h

    /// It is not in the stop any more in which it was seen. Its number may be another thread's,
    /// who has executed a program: what was meant for this one must not be done to that one.
    var hasMovedOn: Bool { isGone || husk_trace_has_news(tid) != 0 }

    @discardableResult
    func set(_ registers: user_regs_struct) -> Bool {
        guard !hasMovedOn else { return false }
        var registers = registers
        return husk_trace_set_registers(tid, &registers) == 0
    }

    func goOn(delivering signal: Int32 = 0) {
        isStopped = false
        guard !hasMovedOn else { return }  // what it is now will be told
        _ = husk_trace_continue(tid, signal != 0 ? signal : undelivered)
        if signal == 0 { undelivered = 0 }
    }
}
