// SPDX-License-Identifier: MIT
internal import CLibelf
internal import HuskModel

/// The notes of a core file, laid out as the kernel does (fs/binfmt_elf.c, linux/elfcore.h).
struct CoreNotes {
    private(set) var bytes: [UInt8]
    let threadCount: Int
    private(set) var filesWithoutPath = 0

    init(_ image: ProcessImage, _ elfClass: ELFClass) {
        var encoder = ELFEncoder(elfClass)
        // Without a thread gdb 13 shows memory, but warns that it finds no registers. One of zeros
        // keeps it quiet; the summary tells how many are real.
        let threads: [ProcessImage.Thread?] = image.threads.isEmpty ? [nil] : image.threads
        threadCount = image.threads.count
        for (index, thread) in threads.enumerated() {
            encoder.note(
                type: UInt32(NT_PRSTATUS), owner: "CORE",
                Self.status(of: thread, at: index, in: image, elfClass))
            // After the first thread's status come the notes that are the process's own.
            if index == 0 {
                encoder.note(
                    type: UInt32(NT_PRPSINFO), owner: "CORE", Self.processInfo(image, elfClass))
                let files = Self.files(image, elfClass)
                filesWithoutPath = files.withoutPath
                if let note = files.note {
                    encoder.note(type: 0x4649_4C45, owner: "CORE", note)  // NT_FILE
                }
            }
        }
        bytes = encoder.bytes
    }

    /// struct elf_prstatus.
    private static func status(
        of thread: ProcessImage.Thread?, at index: Int, in image: ProcessImage,
        _ elfClass: ELFClass
    ) -> [UInt8] {
        var encoder = ELFEncoder(elfClass)
        encoder.zeros(12)  // pr_info: no signal
        encoder.integer(UInt16(0))  // pr_cursig
        encoder.align(elfClass == .bits64 ? 8 : 4)
        encoder.word(0)  // pr_sigpend
        encoder.word(0)  // pr_sighold
        // gdb tells threads apart by these numbers: 0 and duplicates would confuse it.
        let known = [thread?.task.tid, thread?.task.hostTID].compactMap { $0 }.first { $0 > 0 }
        encoder.integer(known ?? (image.pid &+ Int32(clamping: index)))
        encoder.integer(image.parentPID)
        encoder.integer(Int32(0))  // pr_pgrp
        encoder.integer(Int32(0))  // pr_sid
        for _ in 0..<8 { encoder.word(0) }  // four times
        registers(thread?.registers ?? Registers(), into: &encoder)
        encoder.integer(Int32(0))  // pr_fpvalid
        encoder.align(elfClass == .bits64 ? 8 : 4)
        return encoder.bytes
    }

    /// struct user_regs_struct. What a capture does not have is 0: ds, es, fs and gs.
    private static func registers(_ of: Registers, into encoder: inout ELFEncoder) {
        let noSystemCall = UInt64.max  // orig_rax: nothing is to be restarted
        let values: [UInt64] =
            encoder.elfClass == .bits64
            ? [
                of.r15, of.r14, of.r13, of.r12, of.rbp, of.rbx, of.r11, of.r10, of.r9, of.r8,
                of.rax, of.rcx, of.rdx, of.rsi, of.rdi, noSystemCall, of.rip, of.cs, of.eflags,
                of.rsp, of.ss, of.fsBase, of.gsBase, 0, 0, 0, 0,
            ]
            : [
                of.rbx, of.rcx, of.rdx, of.rsi, of.rdi, of.rbp, of.rax, 0, 0, 0, 0, noSystemCall,
                of.rip, of.cs, of.eflags, of.rsp, of.ss,
            ]
        for value in values { encoder.word(value) }
    }

    /// struct elf_prpsinfo.
    private static func processInfo(_ image: ProcessImage, _ elfClass: ELFClass) -> [UInt8] {
        var encoder = ELFEncoder(elfClass)
        encoder.integer(UInt8(0))  // pr_state: running
        encoder.integer(UInt8(ascii: "R"))
        encoder.integer(UInt8(0))
        encoder.integer(UInt8(0))
        encoder.align(elfClass == .bits64 ? 8 : 4)
        encoder.word(0)  // pr_flag
        // User and group are not in a capture.
        if elfClass == .bits64 { encoder.zeros(8) } else { encoder.zeros(4) }
        encoder.integer(image.pid)
        encoder.integer(image.parentPID)
        encoder.integer(Int32(0))
        encoder.integer(Int32(0))
        // A NUL must end both.
        encoder.field(image.name.bytes.prefix(15), length: 16)
        encoder.field(image.name.bytes.prefix(79), length: 80)
        return encoder.bytes
    }

    /// NT_FILE (fs/binfmt_elf.c, fill_files_note): the mapped files, in pages of 4096 bytes.
    ///
    /// Only files with a path in a folder: a debugger looks for them.
    private static func files(
        _ image: ProcessImage, _ elfClass: ELFClass
    ) -> (note: [UInt8]?, withoutPath: Int) {
        var ranges = ELFEncoder(elfClass)
        var paths: [UInt8] = []
        var count: UInt64 = 0
        var withoutPath = 0
        for region in image.regions {
            guard case .file(let file, let offset) = region.mapping.backing,
                region.mapping.start < region.mapping.end
            else { continue }
            // A NUL or a relative path: not what the kernel tells.
            guard let path = file.path?.bytes, path.first == UInt8(ascii: "/"), !path.contains(0)
            else {
                withoutPath += 1
                continue
            }
            count += 1
            ranges.word(region.mapping.start.rawValue)
            ranges.word(region.mapping.end.rawValue)
            ranges.word(offset / 4096)
            paths += path + [0]
        }
        guard count > 0 else { return (nil, withoutPath) }
        var note = ELFEncoder(elfClass)
        note.word(count)
        note.word(4096)
        note.append(ranges.bytes)
        note.append(paths)
        return (note.bytes, withoutPath)
    }
}
