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
        try CodeOrigins(capture).mode(
            upTo: end, abi: transition?.abi, of: scope.process, at: position)
    }

    /// Who has asked for it.
    func describe(_ site: CallSite, at time: Timestamp) throws -> String {
        try CodeOrigins(capture).describe(site, of: scope.process, at: time)
    }
}
