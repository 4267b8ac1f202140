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

extension Sample {
    private static let file = FileIdentity(
        deviceMajor: 8, deviceMinor: 1, inode: .max, linkCount: 0,
        name: TargetText(bytes: [0x1B, 0xFF, 0x5C]), path: TargetText("/tmp/'; DROP TABLE --"))

    /// One event of each kind, with all that it can have.
    public static var everyEvent: [Event] {
        let site = CallSite(address: 0xFFFF_FFFF_FFFF_F000, backing: .file(file, offset: 4096))
        var full = transition(1, start: 0xFFFF_FFFF_FFFF_D000, length: 8192)
        full.abi = .compat32
        full.backing = .memfd(file, offset: 1 << 63)
        full.caller = site
        full.writer = Writer(task: task, threadName: TargetText(bytes: [0xFF]))
        full.trigger = .ownCall
        full.callNumber = 12
        full.label = RegionLabel(.jit, by: .caller, TargetText("V8"))
        full.reference = FileReference(digest: Digest(of: [1]), length: .max)
        full.isKnown = true
        full.isShared = true
        var registers = Registers()
        for (index, register) in Registers.order.enumerated() {
            registers[keyPath: register] = UInt64.max - UInt64(index)
        }
        let region = RegionReference(
            pid: 42, start: 0x7000, length: 4096, protection: [.read, .execute])
        return [
            .programExecution(
                ProgramExecution(
                    task: task, time: time(0), name: TargetText("./sample"),
                    backing: .file(file, offset: 0))),
            .transition(full), .page(page(1, 0xFFFF_FFFF_FFFF_E000, fill: 0x90)),
            .page(page(1, 0xFFFF_FFFF_FFFF_D000, fill: nil)),
            .transitionEnd(end(1, captured: 1, unreadable: 1)),
            .transition(transition(2, start: 0x1000, length: .max, result: -13, pages: false)),
            .loss(
                Loss(
                    cause: .ringFull, time: time(3), task: task,
                    transition: Transition.ID(rawValue: .max), start: 0x7000, length: .max,
                    count: 5)),
            .loss(Loss(cause: .missingRecord, time: time(4), count: 2)),
            .processStart(
                ProcessStart(
                    parent: task, time: time(5), child: 50, hostChild: 1050, sharesMemory: true)),
            .sharedView(
                SharedView(
                    time: time(6), executable: region, writable: region, backing: .anonymous)),
            .blindSpot(
                BlindSpot(
                    task: task, time: time(7), start: 0x7000, length: 4096,
                    reason: .writerRanOn)),
            .label(
                LabelledRegion(
                    task: task, time: time(8), start: 0x7000, length: 4096,
                    label: RegionLabel(.jit, by: .perfMap, TargetText("5 symbols")))),
            .execution(
                Execution(
                    task: task, time: time(9), transition: Transition.ID(rawValue: 1),
                    address: 0x7010, region: 0x7000..<0x8000, sequence: 3, registers: registers,
                    writer: site)),
            .processExit(ProcessExit(task: task, time: time(10), status: 0x8B)),
        ]
    }
}
