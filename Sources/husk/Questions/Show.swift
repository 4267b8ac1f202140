// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk
import HuskAnalysis
import HuskCapture

/// `--bits 32`.
enum WordSize: String, ExpressibleByArgument, CaseIterable {
    case bits32 = "32"
    case bits64 = "64"

    var mode: Disassembler.Mode { self == .bits32 ? .bits32 : .bits64 }
}

struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the bytes of a region or at an address, and where they come from.",
        discussion: """
            WHAT is an address, hexadecimal with 0x or without, or a region of `husk list`: r12. \
            Shown are instructions (Intel syntax; 32-bit ones of 32-bit programs), or with --hex \
            bytes; up to --length, and no further than pages lie side by side. `*` stands for more \
            of the same.

            --generation G shows what was there when G was the latest: of an address, of its page; \
            of a region, of any of its pages.

            EXAMPLES
              husk show 7f2c0fcdd000 sample.husk
              husk show r12 sample.husk --generation 0 --hex
              husk show r12 sample.husk --raw > code.bin
            """)

    @Argument(help: ArgumentHelp("An address, or a region: r12.", valueName: "what"))
    var place: Place

    @OptionGroup var capture: CaptureArgument

    @Option(name: .long, help: "Of this process.")
    var pid: Int32?

    @Option(name: [.short, .long], help: "What was there at this generation; else the latest.")
    var generation: Int?

    @Option(
        name: [.customShort("n"), .long],
        help: ArgumentHelp(
            "So many bytes at most: 256, 64K. Else 4K, with --raw all.", valueName: "size"))
    var length: ByteSize?

    @Flag(name: [.customShort("x"), .long], help: "Show bytes, as hexdump -C does.")
    var hex = false

    @Flag(name: .shortAndLong, help: "Show instructions (with --hex: too).")
    var disassemble = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Take the code for 32-bit or 64-bit code.", valueName: WordSize.words))
    var bits: WordSize?

    @Flag(name: .long, help: "Write the bytes themselves to standard output, and nothing else.")
    var raw = false

    func run() throws {
        let output = QuestionOutput()
        if raw, output.isTerminal {
            throw ValidationError("--raw writes bytes: not to a terminal. Redirect it.")
        }
        let file = try capture.open()
        let place = try PlaceInCapture(place, in: file, pid: pid)
        let moment = try generation.map(place.position) ?? .max
        let size = length.map { UInt64($0.bytes) } ?? (raw ? .max : 4096)
        let pages = try place.run(at: moment, size: size)
        guard let first = pages.first else {
            throw CaptureFileError(
                .notFound, "the capture has no bytes at \(place.start) at that generation")
        }
        if raw {
            try forEachPart(of: pages, place, size) { output.add(Array($0)) }
        } else {
            let transition = try file.transition(first.page.transition)
            for line in try facts(first, transition, pages, place) where !output.add(line) { break }
            let mode =
                try bits?.mode ?? place.mode(of: transition, at: first.position)
            try write(pages, place, size, mode, to: output)
        }
        try output.finish()
    }

    /// Gives the bytes page by page, without what lies before the start and behind the size.
    private func forEachPart(
        of pages: [StoredSnapshot], _ place: PlaceInCapture, _ size: UInt64,
        _ body: (ArraySlice<UInt8>) -> Bool
    ) throws {
        var left = size
        for page in pages {
            guard let content = page.content, left > 0 else { return }
            var bytes = try place.capture.bytes(of: content)[...]
            if page.page.address < place.start {
                bytes = bytes.dropFirst(
                    Int(clamping: place.start.rawValue - page.page.address.rawValue))
            }
            bytes = bytes.prefix(Int(clamping: left))
            left -= UInt64(bytes.count)
            guard body(bytes) else { return }
        }
    }

    private func write(
        _ pages: [StoredSnapshot], _ place: PlaceInCapture, _ size: UInt64,
        _ mode: Disassembler.Mode, to output: QuestionOutput
    ) throws {
        guard let first = pages.first else { return }
        let start = max(place.start, first.page.address)
        if hex {
            var dump = HexDump(at: start)
            try forEachPart(of: pages, place, size) { bytes in
                dump.take(bytes).allSatisfy { output.add($0) }
            }
            _ = dump.finish().allSatisfy { output.add($0) }
        }
        guard disassemble || !hex else { return }
        var sweep = LinearSweep(at: start, mode: mode)
        var listing = Listing()
        func add(_ instructions: [Instruction]) -> Bool {
            instructions.allSatisfy { instruction in
                listing.line(instruction).map { output.add($0) } ?? true
            }
        }
        try forEachPart(of: pages, place, size) { add(sweep.take($0)) }
        _ = add(sweep.finish())
    }

    // MARK: Facts

    private func facts(
        _ first: StoredSnapshot, _ transition: Transition?, _ pages: [StoredSnapshot],
        _ place: PlaceInCapture
    ) throws -> [String] {
        let page = first.page
        let info = place.capture.info
        var facts: [(String, String)] = []
        let name = place.capture.process(first.process)?.name?.escaped
        facts.append(("process", "\(page.task.pid)" + (name.map { " (\($0))" } ?? "")))
        if let region = place.region {
            let life = region.life
            facts.append(
                (
                    "region",
                    "r\(life.id) \(life.start.hexadecimal)-\(life.end.hexadecimal), "
                        + "\(TextLines.size(life.length)), \(TextLines.backing(life.backing))"
                        + (life.label.map { " [\($0.kind.rawValue)]" } ?? "")
                ))
        }
        let before = page.protectionBefore?.description ?? "???"
        facts.append(
            ("protection", "\(before) -> \(page.protectionAfter) by \(page.kind.rawValue)"))
        facts.append(("time", info.clock(page.time)))
        facts.append(
            (
                "generation",
                "\(page.generation) (of \(place.generations.lowerBound) to "
                    + "\(place.generations.upperBound))"
            ))
        if case .content(let content, let reader) = page.body {
            facts.append(("reader", reader.rawValue))
            facts.append(
                ("sha256", "\(content.digest.hexadecimal) (page \(page.address.hexadecimal))"))
        }
        if let site = transition?.caller, let time = transition?.time {
            facts.append(("asked for by", try place.describe(site, at: time)))
        }
        if let writer = transition?.writer {
            facts.append(
                ("written by", "process \(writer.task.pid) (\(writer.threadName.escaped))"))
        }
        return facts.map { CodeText.padded($0, 14) + $1 } + [""]
    }
}
