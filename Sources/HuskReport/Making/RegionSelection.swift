// SPDX-License-Identifier: MIT
internal import HuskCapture
internal import HuskModel

/// The regions that the page shows, with what an analysis says of them, and the way from an address
/// to a region.
struct RegionSelection {
    /// More would make the page slow; those that matter least are left out.
    static let limit = 20_000
    /// More are not even looked at.
    private static let readLimit = 400_000

    private(set) var regions: [StoredRegion] = []
    /// Regions that are not among them.
    private(set) var omitted = 0
    private(set) var layers: [Layer]
    private(set) var findings: [Int64: [Int]] = [:]
    private(set) var rules: [Int64: [String]] = [:]
    private(set) var appearances: [Int64: AnalysisRecord.Appearance] = [:]
    /// The region of each finding, of each layer.
    private(set) var regionOfFinding: [Int64?] = []
    private(set) var regionOfLayer: [Int: Int64] = [:]
    private(set) var layerOfRegion: [Int64: Int] = [:]
    private var index: [Place: [Int]] = [:]

    private struct Place: Hashable {
        var pid: Int32
        var start: Address
    }

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
        makeIndex()
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
        makeIndex()
    }

    private mutating func makeIndex() {
        index = [:]
        for (number, region) in regions.enumerated() {
            let place = Place(pid: region.life.task.pid, start: region.life.start)
            index[place, default: []].append(number)
        }
    }

    private mutating func take(_ analysis: AnalysisRecord, of file: CaptureFile) throws {
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
        for match in analysis.matches where rules[match.region]?.contains(match.rule) != true {
            rules[match.region, default: []].append(match.rule)
        }
        for appearance in analysis.appearances {
            let known = appearances[appearance.region]
            // The most telling: what is largest, and latest of equal ones.
            if known.map({ $0.length <= appearance.length }) ?? true {
                appearances[appearance.region] = appearance
            }
        }
        importances = analysis.findings.map(\.importance)
    }

    private var importances: [String] = []

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

    /// The region that an address belonged to at a time.
    func region(holding address: Address, pid: Int32?, at time: UInt64) -> Int64? {
        guard let pid else { return nil }
        func holds(_ number: Int) -> Bool {
            let life = regions[number].life
            return life.task.pid == pid && life.start <= address && address < life.end
                && (life.gone.map { time <= $0.monotonic } ?? true)
        }
        let exact = index[Place(pid: pid, start: address)] ?? []
        if let found = exact.first(where: holds) ?? exact.last { return regions[found].life.id }
        // Few places lie within a region; a list that is too long is not searched for them.
        guard regions.count <= 4096 else { return nil }
        return regions.indices.first(where: holds).map { regions[$0].life.id }
    }
}
