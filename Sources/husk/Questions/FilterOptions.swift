// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk
import HuskCapture

/// `ADDRESS` or `FIRST-END`, hexadecimal.
struct AddressRange: ExpressibleByArgument {
    let range: Range<Address>

    init?(argument: String) {
        let parts = argument.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = parts.first.flatMap({ Address(argument: $0) }) else {
            return nil
        }
        guard parts.count == 2 else {
            guard first.rawValue < .max else { return nil }
            range = first..<first.advanced(by: 1)
            return
        }
        guard let end = Address(argument: parts[1]), first < end else { return nil }
        range = first..<end
    }
}

/// `FROM-TO`, `FROM-` in seconds since the trace began.
struct TimeRange: ExpressibleByArgument {
    let range: ClosedRange<UInt64>

    init?(argument: String) {
        let parts = argument.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, argument != "-",
            let first = Self.nanoseconds(parts[0], or: 0),
            let last = Self.nanoseconds(parts[1], or: .max), first <= last
        else { return nil }
        range = first...last
    }

    private static func nanoseconds(_ text: Substring, or open: UInt64) -> UInt64? {
        if text.isEmpty { return open }
        guard let seconds = Double(text), seconds >= 0, seconds < 1e9 else { return nil }
        return UInt64((seconds * 1e9).rounded())
    }
}

/// Options that choose from a list.
struct FilterOptions: ParsableArguments {
    @Option(name: .long, help: "Of this process.")
    var pid: Int32?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "What touches this address or range, hexadecimal.", valueName: "first[-end]"))
    var address: AddressRange?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Seconds since the trace began: 0.5-1.2, or 3- for all from then on.",
            valueName: "from-to"))
    var time: TimeRange?

    @Option(
        name: .long,
        help: ArgumentHelp("Has all of these: x, wx, rwx.", valueName: "rwx"),
        transform: Self.protection)
    var protection: Protection?

    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp(
            "Only code of these kinds: file, kernel, jit, fileless.", valueName: "kind"),
        completion: .list(RegionLabel.Kind.allCases.map(\.rawValue)), transform: HiddenKinds.init)
    var label: [HiddenKinds] = []

    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp("No code of these kinds.", valueName: "kind"),
        completion: .list(RegionLabel.Kind.allCases.map(\.rawValue)), transform: HiddenKinds.init)
    var hide: [HiddenKinds] = []

    @Option(
        name: .long, help: ArgumentHelp("The region has at least this size.", valueName: "size"))
    var minSize: ByteSize?

    @Option(
        name: .long,
        help: ArgumentHelp("A page's SHA-256 begins so.", valueName: "digits"))
    var sha256: String?

    @Option(name: .long, help: "A page's generation.")
    var generation: Int?

    func validate() throws {
        if let sha256, sha256.isEmpty || sha256.utf8.count > 64 || !sha256.allSatisfy(\.isHexDigit)
        {
            throw ValidationError("--sha256 takes up to 64 hexadecimal digits.")
        }
        if let generation, generation < 0 {
            throw ValidationError("--generation takes a number from 0 on.")
        }
    }

    var filter: CaptureFilter {
        var filter = CaptureFilter()
        filter.pid = pid
        filter.addresses = address.map { Self.comparable($0.range) }
        filter.times = time?.range
        filter.protection = protection
        filter.labels = Set(label.flatMap(\.kinds))
        filter.hiddenLabels = Set(hide.flatMap(\.kinds))
        filter.minimumSize = minSize.map { UInt64($0.bytes) }
        filter.digest = sha256
        filter.generation = generation
        return filter
    }

    /// The options that were given, for saying which of them make no sense.
    var given: [String] {
        let all: [(String, Bool)] = [
            ("--pid", pid != nil), ("--address", address != nil), ("--time", time != nil),
            ("--protection", protection != nil), ("--label", !label.isEmpty),
            ("--hide", !hide.isEmpty), ("--min-size", minSize != nil), ("--sha256", sha256 != nil),
            ("--generation", generation != nil),
        ]
        return all.filter(\.1).map(\.0)
    }

    func check(_ allowed: Set<String>, for list: String) throws {
        guard let wrong = given.first(where: { !allowed.contains($0) }) else { return }
        throw ValidationError("\(wrong) does not apply to \(list).")
    }

    /// Addresses are stored as signed numbers: a range does not reach over both halves.
    private static func comparable(_ range: Range<Address>) -> Range<Address> {
        let half: UInt64 = 1 << 63
        guard range.lowerBound.rawValue < half - 1, range.upperBound.rawValue >= half else {
            return range
        }
        return range.lowerBound..<Address(half - 1)
    }

    private static func protection(_ text: String) throws -> Protection {
        var protection: Protection = []
        for letter in text where letter != "-" {
            switch letter {
            case "r": protection.insert(.read)
            case "w": protection.insert(.write)
            case "x": protection.insert(.execute)
            default: throw ValidationError("'\(text)' is no protection: x, wx, rwx.")
            }
        }
        return protection
    }
}
