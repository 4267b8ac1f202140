// SPDX-License-Identifier: MIT
internal import HuskCapture
internal import HuskModel

/// The regions that the page shows, with what an analysis says of them, and the way from an address
/// to a region.
final class RegionSelection {
    /// More would make the page slow; those that matter least are left out.
    static let limit = 20_000
    /// More are not even looked at.
    private static let readLimit = 400_000
    /// Rules that are named with a region.
    private static let ruleLimit = 32

    private(set) var regions: [StoredRegion] = []
    /// Regions that are not among them.
    private(set) var omitted = 0
    let layers: [Layer]
    private(set) var findings: [Int64: [Int]] = [:]
    private(set) var rules: [Int64: [String]] = [:]
    private(set) var appearances: [Int64: AnalysisRecord.Appearance] = [:]
    /// The region of each finding, of each layer.
    private(set) var regionOfFinding: [Int64?] = []
    private(set) var regionOfLayer: [Int: Int64] = [:]
    private(set) var layerOfRegion: [Int64: Int] = [:]
    private var importances: [String] = []
    private var index: RegionIndex

    init(_ documents: CaptureDocuments) throws {
        let file = documents.file
        var all: [StoredRegion] = []
        var unread = 0
        try file.forEachRegion { region in
            if all.count < Self.readLimit { all.append(region) } else { unread += 1 }
            return true
        }
        regions = all
        layers = try file.layers()
        index = RegionIndex(all, processes: file.processes)
        if let analysis = documents.analysis { try take(analysis, of: file) }
        for layer in layers {
            guard
                let region = region(
                    holding: layer.start, pid: layer.task.pid, at: layer.time.monotonic)
            else { continue }
            regionOfLayer[layer.id] = region
            if layerOfRegion[region] == nil { layerOfRegion[region] = layer.id }
        }
        omitted = unread
        guard regions.count > Self.limit else { return }
        omitted += regions.count - Self.limit
        // A stable order by importance; the page shows them by number.
        let chosen = regions.enumerated().sorted {
            let (left, right) = (weight(of: $0.element), weight(of: $1.element))
            return left != right ? left > right : $0.offset < $1.offset
        }.prefix(Self.limit)
        regions = chosen.map(\.element).sorted { $0.life.id < $1.life.id }
    }

    private func take(_ analysis: AnalysisRecord, of file: CaptureFile) throws {
        importances = analysis.findings.map(\.importance)
        for (number, finding) in analysis.findings.enumerated() {
            var found: Int64?
            // Of a call that changed several regions, the one that it is about.
            for transition in finding.transitions.prefix(4) where found == nil {
                let candidates = try file.regions(of: transition)
                let close = try candidates.first { candidate in
                    try file.region(candidate).map {
                        $0.life.start <= finding.start && finding.start < $0.life.end
                    } ?? false
                }
                found = close ?? candidates.first
            }
            found =
                found
                ?? region(
                    holding: finding.start, pid: finding.task.pid, at: finding.time.monotonic)
            regionOfFinding.append(found)
            if let found { findings[found, default: []].append(number) }
        }
        for match in analysis.matches {
            let known = rules[match.region] ?? []
            guard known.count < Self.ruleLimit, !known.contains(match.rule) else { continue }
            rules[match.region] = known + [match.rule]
        }
        for appearance in analysis.appearances {
            let known = appearances[appearance.region]
            // The most telling: what is largest, and latest of equal ones.
            if known.map({ $0.length <= appearance.length }) ?? true {
                appearances[appearance.region] = appearance
            }
        }
    }

    func importance(of region: Int64) -> String? {
        guard let found = findings[region] else { return nil }
        return found.contains { importances[$0] == "notable" } ? "notable" : "context"
    }

    /// How much a person wants to see it.
    func weight(of region: StoredRegion) -> Int {
        let id = region.life.id
        var weight =
            switch importance(of: id) {
            case "notable": 64
            case nil: 0
            default: 8
            }
        if rules[id] != nil { weight += 32 }
        switch region.life.label?.kind {
        case .file, .kernel: weight += region.generation > 0 ? 16 : 0
        case .jit: weight += 2
        default: weight += layerOfRegion[id] != nil ? 24 : 4
        }
        return weight
    }

    /// The region that an address belonged to at a time; nil: to none that is known.
    func region(holding address: Address, pid: Int32?, at time: UInt64) -> Int64? {
        pid.flatMap { index.region(holding: address, pid: $0, at: time) }
    }
}

/// Finds the region that an address belonged to at a time.
///
/// What it is made of may be anything (regions that overlap, lives in any order), so its work is
/// bounded: what takes too long is not found.
private struct RegionIndex {
    private struct Place: Hashable {
        var process: Int64
        var start: Address
    }

    private struct Life {
        var region: Int64
        var range: Range<Address>
        var born: UInt64
        var gone: UInt64
    }

    private struct Owner {
        var id: Int64
        var started: UInt64
        var ended: UInt64
    }

    /// Of one place, and of one process by start, ascending.
    private var places: [Place: [Life]] = [:]
    private var spaces: [Int64: [Life]] = [:]
    private var owners: [Int32: [Owner]] = [:]
    /// Lives that may be looked at in all, and for one question.
    private var patience = 4_000_000
    private static let reach = 256

    init(_ regions: [StoredRegion], processes: [StoredProcess]) {
        for process in processes {
            owners[process.pid, default: []].append(
                Owner(
                    id: process.id, started: process.started ?? 0, ended: process.ended ?? .max))
        }
        for stored in regions {
            let life = stored.life
            guard life.start < life.end else { continue }
            let entry = Life(
                region: life.id, range: life.start..<life.end, born: life.born.monotonic,
                gone: life.gone?.monotonic ?? .max)
            places[Place(process: stored.process, start: life.start), default: []].append(entry)
            spaces[stored.process, default: []].append(entry)
        }
        for (place, lives) in places { places[place] = lives.sorted { $0.born < $1.born } }
        for (process, lives) in spaces {
            spaces[process] = lives.sorted { $0.range.lowerBound < $1.range.lowerBound }
        }
    }

    mutating func region(holding address: Address, pid: Int32, at time: UInt64) -> Int64? {
        for owner in (owners[pid] ?? []).suffix(Self.reach).reversed()
        where owner.started <= time && time <= owner.ended {
            if let exact = places[Place(process: owner.id, start: address)],
                let found = latest(
                    in: exact, upTo: end(of: exact) { $0.born <= time }, address, time)
            {
                return found
            }
            if let space = spaces[owner.id] {
                let end = end(of: space) { $0.range.lowerBound <= address }
                if let found = latest(in: space, upTo: end, address, time) { return found }
            }
        }
        return nil
    }

    /// Behind the last one for which it holds; it holds for those before.
    private func end(of lives: [Life], where holds: (Life) -> Bool) -> Int {
        var (low, high) = (0, lives.count)
        while low < high {
            let middle = (low + high) / 2
            if holds(lives[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func latest(
        in lives: [Life], upTo end: Int, _ address: Address, _ time: UInt64
    ) -> Int64? {
        for life in lives[..<end].suffix(min(Self.reach, max(0, patience))).reversed() {
            patience -= 1
            if life.range.contains(address), life.born <= time, time <= life.gone {
                return life.region
            }
        }
        return nil
    }
}
