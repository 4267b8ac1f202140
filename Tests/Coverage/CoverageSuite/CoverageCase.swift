// SPDX-License-Identifier: MIT
import Foundation

/// One program of Tests/Fixtures/cases: a way in which memory becomes executable, with its own
/// ground truth.
public struct CoverageCase: Hashable, Sendable, CustomStringConvertible {
    /// `e01-rw-rx`: the case of CASES.md and what it does.
    public var name: String
    public var path: String

    public var description: String { name }

    /// `E01`; benign programs are `B`, hostile ones `H`.
    public var group: String { String(name.prefix(3)).uppercased() }

    /// What a suite with less time or memory asks of the large ones.
    public func arguments(scaledDown: Bool) -> [String] {
        guard scaledDown else { return [] }
        switch name {
        case "e29-microseconds": return ["2000"]
        case "e32-four-threads": return ["20"]
        case "h02-many-mappings": return ["4000"]
        case "r23-continued": return ["4"]
        default: return []
        }
    }

    /// The programs in a folder that Tools/build-cases has filled, by name.
    public static func all(in folder: String) throws -> [CoverageCase] {
        try FileManager.default.contentsOfDirectory(atPath: folder)
            .filter { $0.wholeMatch(of: /[ebhr]\d\d-[a-z0-9-]+/) != nil }
            .sorted()
            .map { CoverageCase(name: $0, path: folder + "/" + $0) }
    }

    /// Cases whose bytes cannot all be had, with the fact that is behind it. What is missing
    /// must be said by the capture itself; anything else is `missed`.
    public static let knownLimits: [String: String] = [
        "e04-rwx": Reason.noCall,
        "e08-two-views": Reason.noCall,
        "e13-exec-stack": Reason.noCall,
        "e24-clone-vm-write": Reason.noCall,
        "e33-fork-rwx": Reason.noCall,
        "e31-write-during-call": Reason.noCall,
        "h07-huge-reservation": Reason.tooLarge,
        "r01-decrypt-loop": Reason.noCall,
        "r04-polymorph": Reason.noCall,
        "r05-write-beside-run": Reason.noCall,
        "r06-own-faults": Reason.noCall,
        "r07-kernel-writes": Reason.noCall,
        "r08-threads": Reason.noCall,
        "r09-fork-rwx": Reason.noCall,
        "r13-exec-stack-rounds": Reason.noCall,
        "r14-two-views-rounds": Reason.noCall,
        "r32-code-before-writer": Reason.noCall,
        "r34-first-thread-gone": Reason.noCall,
        "r15-mremap-munmap": Reason.noCall,
        "r16-signal-blocked": Reason.noCall,
        "r17-calls-and-threads": Reason.noCall,
        "r18-seccomp": Reason.noCall,
        "r19-elf32-rounds": Reason.noCall,
        "r20-read-and-signals": Reason.noCall,
        "r23-continued": Reason.noCall,
        "r24-without-read": Reason.noCall,
        "r25-written-by-child": Reason.noCall,
        "r26-other-views": Reason.noCall,
        "r27-old-mmap": Reason.noCall,
        "r28-more-than-asked": Reason.noCall,
        "r29-huge-pages": Reason.noCall,
        "r30-unchangeable": Reason.noCall,
        "r31-written-meanwhile": Reason.noCall,
    ]

    /// Cases that are exact when W^X is enforced: those of memory that is writable and executable.
    public var isForTrapping: Bool {
        ["e04", "e05", "e08", "e13", "e30", "e32", "e33-fork", "e36", "r"]
            .contains { name.hasPrefix($0) } && !seesTracers
    }

    /// It is there to find out whether it is traced.
    public var seesTracers: Bool {
        ["r10-self-traced", "r11-tracer-pid"].contains(name)
    }

    private enum Reason {
        static let noCall = """
            the memory is writable and executable at once (or writable through another view), \
            and its content changes with no system call: what it held between two looks is not \
            seen. The region is told as a blind spot
            """
        static let tooLarge = """
            64 TiB writable and executable, of which one page is used: a look at the end of the \
            process goes page by page, and stops after 2^20 steps
            """
    }
}
