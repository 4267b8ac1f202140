// SPDX-License-Identifier: MIT
import Husk
import HuskAnalysis
import HuskCapture

/// What `show` and `diff` are about: a region or a page, found in a capture.
struct PlaceInCapture {
    let capture: CaptureFile
    /// Of generations.
    let scope: PageScope
    /// The process's number.
    let pid: Int32
    let region: StoredRegion?
    /// Where it begins.
    let start: Address
    /// Where the region ends.
    let end: Address
    let generations: ClosedRange<Int>

    init(_ place: Place, in capture: CaptureFile, pid: Int32?) throws {
        self.capture = capture
        switch place {
        case .region(let id):
            guard let found = try capture.region(id),
                pid.map({ $0 == found.life.task.pid }) ?? true
            else { throw Self.absent("region r\(id)", pid) }
            scope = PageScope(process: found.process, region: id)
            self.pid = found.life.task.pid
            region = found
            start = found.life.start
        case .address(let address):
            guard let page = try capture.latestSnapshot(holding: address, pid: pid) else {
                throw Self.absent("page with bytes at \(address)", pid)
            }
            scope = PageScope(
                process: page.process, region: page.region, page: page.page.address)
            self.pid = page.page.task.pid
            region = try page.region.flatMap { try capture.region($0) }
            start = address
        }
        let last = region.map { $0.life.start.rawValue.addingReportingOverflow($0.life.length) }
        end =
            last.map { Address($0.overflow ? .max : $0.partialValue) }
            ?? Address((start.rawValue | 4095).addingReportingOverflow(1).partialValue)
        guard let generations = try capture.generations(of: scope) else {
            throw Self.absent("content of \(start)", pid)
        }
        self.generations = generations
    }

    private static func absent(_ what: String, _ pid: Int32?) -> CaptureFileError {
        CaptureFileError(
            .notFound,
            "the capture has no \(what)" + (pid.map { " of process \($0)" } ?? ""),
            hint: "`husk list FILE` lists regions, `husk list pages FILE` pages")
    }

    /// The position that stands for a generation: before anything went beyond it.
    func position(of generation: Int) throws -> Int64 {
        guard generations.contains(generation) else {
            throw CaptureFileError(
                .notFound,
                "there is no generation \(generation) of it: "
                    + "\(generations.lowerBound) to \(generations.upperBound)",
                hint: "`husk list generations FILE --address \(start.hexadecimal)` lists them")
        }
        return try capture.lastPosition(of: generation, in: scope)
    }

    /// The pages that lie side by side from ``start`` on, up to a size.
    func run(at position: Int64, size: UInt64) throws -> [StoredSnapshot] {
        var pages: [StoredSnapshot] = []
        var next: Address?
        let scope = PageScope(process: scope.process, region: scope.region)
        let page = Address(start.rawValue & ~4095)
        let (last, overflow) = start.rawValue.addingReportingOverflow(size)
        let limit = min(end, overflow ? end : Address(last))
        guard page < limit else { return [] }
        try capture.forEachPage(in: page..<limit, of: scope, at: position) { snapshot in
            if let next, snapshot.page.address != next { return false }
            pages.append(snapshot)
            next = snapshot.page.address.advanced(by: UInt64(clamping: snapshot.page.size))
            return true
        }
        return pages
    }

    /// Whether its code is of a 32-bit program.
    func mode(of transition: Transition?, at position: Int64) throws -> Disassembler.Mode {
        guard end.rawValue <= 1 << 32 else { return .bits64 }
        // `int 0x80` from 64-bit code looks like a 32-bit call: the program's own counts first.
        let abi = try capture.programABI(of: scope.process, at: position) ?? transition?.abi
        return abi == .compat32 ? .bits32 : .bits64
    }

    /// Who has asked for it: the address, the file and the offset, the function if it is known.
    func describe(_ site: CallSite, at time: Timestamp) throws -> String {
        var parts = [site.address.hexadecimal]
        guard let file = site.backing.file else {
            parts.append("(\(site.backing.kind))")
            return parts.joined(separator: " ")
        }
        let name = (file.path ?? file.name).escaped
        let region = try capture.region(holding: site.address, process: scope.process, at: time)
        if let region, region.life.backing.file == file, let first = region.life.backing.offset {
            let offset = first &+ (site.address.rawValue &- region.life.start.rawValue)
            parts.append("\(name)+0x\(String(offset, radix: 16))")
            // The address is that of the instruction after the call.
            if case .file = site.backing, offset > 0,
                let function = ELFSymbols(of: file)?.function(at: offset - 1)
            {
                parts.append(
                    "(\(function.name.escaped)+0x\(String(function.offset + 1, radix: 16)))")
            }
        } else {
            parts.append(name)
        }
        return parts.joined(separator: " ")
    }
}

extension Backing {
    /// Of the first byte of what it stands behind.
    fileprivate var offset: UInt64? {
        switch self {
        case .file(_, let offset), .memfd(_, let offset), .sharedMemory(_, let offset): offset
        default: nil
        }
    }
}
