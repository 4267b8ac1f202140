// SPDX-License-Identifier: MIT
public import HuskModel

/// Events as a tracer makes them, with every field set to something of its own.
public enum Sample {
    public static let task = TaskIdentity(pid: 42, tid: 43, hostPID: 1042, hostTID: 1043)

    public static func time(_ offset: UInt64) -> Timestamp {
        Timestamp(monotonic: 1_000_000 + offset, wall: 1_700_000_000_000_000_000 + offset)
    }

    public static func transition(
        _ id: UInt64, start: Address = 0x7000, length: UInt64 = 4096, result: Int64 = 0,
        pages: Bool = true
    ) -> Transition {
        Transition(
            id: Transition.ID(rawValue: id), number: RecordNumber(cpu: 1, sequence: id),
            kind: .mprotect, call: .mprotect, time: time(id), task: task,
            threadName: TargetText("target"),
            start: start, length: length,
            arguments: Transition.Arguments(address: start, length: length, flags: 0),
            result: result, requested: [.execute], previous: [.read, .write],
            effective: result < 0 ? [] : [.execute], backing: .anonymous, isShared: false,
            isFresh: false, hasVanished: false, isUnseen: false, hasPages: pages,
            instructionPointer: 0x401000, stackPointer: 0x7FFE_0000)
    }

    public static func page(_ id: UInt64, _ address: Address, fill: UInt8?) -> Page {
        Page(
            address: address, size: 4096, time: time(id + 1), task: task,
            number: RecordNumber(cpu: 1, sequence: id + 1),
            transition: Transition.ID(rawValue: id), kind: .mprotect,
            protectionBefore: [.read, .write], protectionAfter: [.execute],
            instructionPointer: 0x401000,
            body: fill.map {
                .content(PageContent([UInt8](repeating: $0, count: 4096)), reader: .bpfNoFault)
            } ?? .unreadable(.fault, errno: 14),
            generation: 0)
    }

    public static func end(_ id: UInt64, captured: UInt64, unreadable: UInt64 = 0) -> TransitionEnd
    {
        TransitionEnd(
            transition: Transition.ID(rawValue: id), number: RecordNumber(cpu: 1, sequence: id + 9),
            task: task, time: time(id + 9), captured: captured, untouched: 0,
            unreadable: unreadable, lost: 0, stalledNanoseconds: 0)
    }
}
