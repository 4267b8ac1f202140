// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk
import HuskAnalysis
import HuskCapture

struct Strings: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Find strings in captured memory: ASCII and UTF-16.",
        discussion: """
            Each region is gone through in the order of its changes; a string is told when it is \
            there first, with --all-generations each time that one of its pages has changed.

            EXAMPLES
              husk strings sample.husk --hide file,kernel
              husk strings -n 8 sample.husk --json | jq -r .text
            """)

    @OptionGroup var capture: CaptureArgument

    @Option(
        name: [.customShort("n"), .long],
        help: ArgumentHelp("So many characters at least.", valueName: "count"))
    var minLength = 4

    @Flag(name: .long, help: "Tell a string again in each generation of its page.")
    var allGenerations = false

    @OptionGroup(title: "Filters") var options: FilterOptions

    @Flag(name: .long, help: "Print one JSON object per line (docs/json.md).")
    var json = false

    func validate() throws {
        guard minLength > 0 else { throw ValidationError("--min-length takes a number from 1 on.") }
        try options.check(
            ["--pid", "--address", "--label", "--hide", "--min-size", "--generation"],
            for: "strings")
    }

    func run() throws {
        let file = try capture.open()
        let output = QuestionOutput()
        var regionFilter = options.filter
        regionFilter.generation = nil
        var regions: [Int64] = []
        try file.forEachRegion(regionFilter) { region in
            regions.append(region.life.id)
            return true
        }
        let columns = Columns(
            ("PID", -7), ("REGION", -6), ("ADDRESS", 16), ("GEN", -5), ("ENCODING", 8),
            ("TEXT", 1))
        if !json { output.addHeader(columns.header) }
        for region in regions {
            var scan = RegionStrings(
                file, minimum: minLength, isRepeating: allGenerations, filter: options.filter)
            let goesOn = try scan.forEach(in: region) { found, page in
                json
                    ? output.add(
                        JSONLines().string(
                            found.text, at: found.address, length: found.length,
                            encoding: found.encoding.rawValue, isCut: found.isCut, in: page))
                    : output.add(
                        columns.line([
                            "\(page.page.task.pid)", "r\(region)", found.address.hexadecimal,
                            "\(page.page.generation)", found.encoding.rawValue,
                            found.text.escaped,
                        ]))
            }
            guard goesOn else { break }
        }
        try output.finish()
    }
}

/// The strings of one region, over its changes.
struct RegionStrings {
    private struct Place: Hashable {
        var address: Address
        var text: TargetText
        var encoding: FoundString.Encoding
    }

    /// What is told once is remembered up to here.
    private static let memory = 1_000_000

    private let capture: CaptureFile
    private let minimum: Int
    private let isRepeating: Bool
    private let filter: CaptureFilter
    private var current: [Address: StoredSnapshot] = [:]
    private var told: Set<Place> = []

    init(_ capture: CaptureFile, minimum: Int, isRepeating: Bool, filter: CaptureFilter) {
        self.capture = capture
        self.minimum = minimum
        self.isRepeating = isRepeating
        self.filter = filter
    }

    /// False: the body has ended it.
    mutating func forEach(
        in region: Int64, _ body: (FoundString, StoredSnapshot) throws -> Bool
    ) throws -> Bool {
        var changed: [Address] = []
        var transition: Transition.ID?
        var goesOn = true
        try capture.forEachSnapshot(region: region) { snapshot in
            guard snapshot.content != nil else { return true }
            if transition != snapshot.page.transition {
                goesOn = try scan(changed, body)
                changed = []
                transition = snapshot.page.transition
            }
            let address = snapshot.page.address
            if current[address]?.content != snapshot.content { changed.append(address) }
            current[address] = snapshot
            return goesOn
        }
        return try goesOn && scan(changed, body)
    }

    /// Pages that have changed, with the ones beside them: strings go over borders.
    private mutating func scan(
        _ changed: [Address], _ body: (FoundString, StoredSnapshot) throws -> Bool
    ) throws -> Bool {
        guard !changed.isEmpty else { return true }
        let isNew = Set(changed)
        var wanted = isNew
        for address in changed {
            wanted.insert(Address(address.rawValue &- 4096))
            wanted.insert(address.advanced(by: 4096))
        }
        var scan = StringScan(minimum: minimum)
        for address in wanted.sorted() {
            guard let content = current[address]?.content else { continue }
            let bytes = try capture.bytes(of: content)
            guard try tell(scan.take(bytes[...], at: address), isNew, body) else { return false }
        }
        return try tell(scan.finish(), isNew, body)
    }

    private mutating func tell(
        _ strings: [FoundString], _ isNew: Set<Address>,
        _ body: (FoundString, StoredSnapshot) throws -> Bool
    ) throws -> Bool {
        for found in strings {
            let last = Address(found.address.rawValue &+ (found.length &- 1)).page
            guard isNew.contains(found.address.page) || isNew.contains(last),
                let page = current[found.address.page],
                filter.generation.map({ $0 == page.page.generation }) ?? true,
                filter.addresses.map({
                    $0.lowerBound <= found.address.advanced(by: found.length)
                        && found.address < $0.upperBound
                }) ?? true
            else { continue }
            if !isRepeating {
                if told.count >= Self.memory { told = [] }
                let place = Place(
                    address: found.address, text: found.text, encoding: found.encoding)
                guard told.insert(place).inserted else { continue }
            }
            guard try body(found, page) else { return false }
        }
        return true
    }
}
