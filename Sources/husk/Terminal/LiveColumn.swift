// SPDX-License-Identifier: MIT
import Husk

/// A column of the live table.
enum LiveColumn {
    case pid, process, range, start, size, protection, transitions, pages, generation, age, what

    /// What is shown, from wide terminals to narrow ones: the first that fits is taken. A region's
    /// start and size say as much as its range.
    static let choices: [[LiveColumn]] = [
        [
            .pid, .process, .range, .size, .protection, .transitions, .pages, .generation, .age,
            .what,
        ],
        [
            .pid, .process, .start, .size, .protection, .transitions, .pages, .generation, .age,
            .what,
        ],
        [.pid, .process, .start, .size, .protection, .pages, .generation, .age, .what],
        [.pid, .process, .start, .size, .protection, .pages, .age, .what],
        [.pid, .start, .size, .protection, .pages, .age, .what],
        [.pid, .start, .protection, .age, .what],
        [.pid, .start, .protection, .what],
        [.pid, .start, .protection],
        [.start, .protection],
    ]

    var title: String {
        switch self {
        case .pid: "PID"
        case .process: "PROCESS"
        case .range: "RANGE"
        case .start: "START"
        case .size: "SIZE"
        case .protection: "PROT"
        case .transitions: "TRANS"
        case .pages: "PAGES"
        case .generation: "GEN"
        case .age: "AGE"
        case .what: "WHAT"
        }
    }

    var isRight: Bool {
        switch self {
        case .process, .protection, .what: false
        default: true
        }
    }

    /// To how many cells it may be cut; nil: it is shown whole.
    var least: Int? {
        switch self {
        case .process: 8
        case .what: 10
        default: nil
        }
    }

    /// - Parameter now: CLOCK_MONOTONIC, nanoseconds.
    func text(_ region: LiveRegion, _ now: UInt64) -> String {
        switch self {
        case .pid: String(region.pid)
        case .process: region.process.escaped
        case .range: "\(region.start.hexadecimal)-\(region.end.hexadecimal)"
        case .start: region.start.hexadecimal
        case .size: Self.size(region.length)
        case .protection: Self.protection(region)
        case .transitions: Self.count(UInt64(region.transitions))
        case .pages: Self.count(region.pages)
        case .generation: Self.count(UInt64(region.generation))
        case .age: Self.age(now > region.changed ? now - region.changed : 0)
        case .what: Self.what(region)
        }
    }

    /// The fourth letter marks what is writable and executable at once.
    private static func protection(_ region: LiveRegion) -> String {
        if region.isGone { return "gone" }
        let both = region.protection.isSuperset(of: [.write, .execute])
        return region.protection.description + (both ? "!" : " ")
    }

    /// `4K`, `1.3M`: TextLines.size without what is the same in all.
    private static func size(_ bytes: UInt64) -> String {
        TextLines.size(bytes).filter { !" i".contains($0) }.replacing("B", with: "")
    }

    /// Five digits at most.
    private static func count(_ number: UInt64) -> String {
        switch number {
        case ..<100_000: String(number)
        case ..<10_000_000: "\(number / 1000)k"
        case ..<10_000_000_000: "\(number / 1_000_000)M"
        default: "many"
        }
    }

    private static func age(_ nanoseconds: UInt64) -> String {
        let seconds = nanoseconds / 1_000_000_000
        switch seconds {
        case ..<100: return "\(seconds)s"
        case ..<6000: return "\(seconds / 60)m"
        case ..<360_000: return "\(seconds / 3600)h"
        default: return "\(min(seconds / 86400, 999))d"
        }
    }

    private static func what(_ region: LiveRegion) -> String {
        let backing = TextLines.backing(region.backing)
        switch region.label?.kind {
        case .jit:
            let engine = "jit \(region.label?.detail.escaped ?? "")"
            return region.backing.file == nil ? engine : "\(engine) \(backing)"
        case .fileless: return "fileless \(backing)"
        case .kernel: return "kernel (vdso)"
        case .file, nil: return backing
        }
    }
}
