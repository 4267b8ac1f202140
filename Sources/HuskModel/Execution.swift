// SPDX-License-Identifier: MIT

/// The general registers of a thread on x86-64, as ptrace(2) gives them.
public struct Registers: Hashable, Sendable {
    public var rax: UInt64 = 0
    public var rbx: UInt64 = 0
    public var rcx: UInt64 = 0
    public var rdx: UInt64 = 0
    public var rsi: UInt64 = 0
    public var rdi: UInt64 = 0
    public var rbp: UInt64 = 0
    public var rsp: UInt64 = 0
    public var r8: UInt64 = 0
    public var r9: UInt64 = 0
    public var r10: UInt64 = 0
    public var r11: UInt64 = 0
    public var r12: UInt64 = 0
    public var r13: UInt64 = 0
    public var r14: UInt64 = 0
    public var r15: UInt64 = 0
    public var rip: UInt64 = 0
    public var eflags: UInt64 = 0
    public var cs: UInt64 = 0
    public var ss: UInt64 = 0
    public var fsBase: UInt64 = 0
    public var gsBase: UInt64 = 0

    public init() {}

    /// In the order of ``named``.
    public static var order: [WritableKeyPath<Registers, UInt64>] {
        [
            \.rax, \.rbx, \.rcx, \.rdx, \.rsi, \.rdi, \.rbp, \.rsp, \.r8, \.r9, \.r10, \.r11, \.r12,
            \.r13, \.r14, \.r15, \.rip, \.eflags, \.cs, \.ss, \.fsBase, \.gsBase,
        ]
    }

    /// Names and values, in the order of their numbers.
    public var named: [(name: String, value: UInt64)] {
        [
            ("rax", rax), ("rbx", rbx), ("rcx", rcx), ("rdx", rdx), ("rsi", rsi), ("rdi", rdi),
            ("rbp", rbp), ("rsp", rsp), ("r8", r8), ("r9", r9), ("r10", r10), ("r11", r11),
            ("r12", r12), ("r13", r13), ("r14", r14), ("r15", r15), ("rip", rip),
            ("eflags", eflags), ("cs", cs), ("ss", ss), ("fs_base", fsBase), ("gs_base", gsBase),
        ]
    }
}

/// Code in memory that is writable too, caught before its first instruction ran: W^X is enforced
/// (``LookTrigger/execution``). Its pages were told before, with ``transition``.
public struct Execution: Hashable, Sendable {
    public var task: TaskIdentity
    public var time: Timestamp
    /// The look whose pages hold what is about to run.
    public var transition: Transition.ID
    /// The instruction that was about to run: of the first one in a region, its entry point.
    public var address: Address
    /// The region as the target asked for it.
    public var region: Range<Address>
    /// How many executions have been caught in this region before.
    public var sequence: Int
    /// Of the thread, before that instruction.
    public var registers: Registers
    /// Whose code has written to the region before, at the first write or the first one since it
    /// was executed; nil: not known.
    public var writer: CallSite?
    /// What was in memory besides; of the first execution in a region, if it could be read.
    public var memory: ExecutionMemory?

    public init(
        task: TaskIdentity, time: Timestamp, transition: Transition.ID, address: Address,
        region: Range<Address>, sequence: Int, registers: Registers,
        writer: CallSite? = nil, memory: ExecutionMemory? = nil
    ) {
        self.task = task
        self.time = time
        self.transition = transition
        self.address = address
        self.region = region
        self.sequence = sequence
        self.registers = registers
        self.writer = writer
        self.memory = memory
    }
}
