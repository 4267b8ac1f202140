// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk
import HuskAnalysis
import HuskCapture

/// `--addresses`: of a position-independent image.
enum AddressesChoice: String, ExpressibleByArgument, CaseIterable {
    case linked
    case captured
}

struct ExportELF: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "elf",
        abstract: "An ELF file rebuilt of an image in memory: an unpacked program.",
        discussion: """
            Finds the images that are in memory and in no file: by their ELF header, by the layout \
            of their segments, or at --base. The file has section headers for readelf, objdump \
            and gdb, and the entry point that was captured. Of an unpacked static program it \
            often runs.

            With several images, the one that was entered is taken, or else the first; --list \
            shows them.

            EXAMPLES
              husk export elf --list sample.husk
              husk export elf sample.husk -o unpacked
              husk export elf --at entry --base 0x400000 sample.husk -o unpacked
            """)

    @OptionGroup var options: ExportOptions
    @OptionGroup var moment: MomentOptions

    @Option(
        name: .long,
        help: ArgumentHelp("The image that begins at this address.", valueName: "address"))
    var base: AddressArgument?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Where it is to begin; default: where it was entered, if that is known.",
            valueName: "address"))
    var entry: AddressArgument?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Of a position-independent image: as linked, or as in the capture.",
            discussion: """
                As linked, its own tables are right and it can be loaded anywhere; as captured, \
                pointers in its data are right.
                """,
            valueName: AddressesChoice.words))
    var addresses = AddressesChoice.linked

    @Flag(name: .long, help: "List the images that there are, and write nothing.")
    var list = false

    @Flag(name: .long, help: "List images that are mapped from files, too.")
    var all = false

    func run() throws {
        let file = try options.open()
        let (image, captured) = try moment.image(in: file)
        let finder = ImageFinder(image, contents: file)
        if list {
            try show(finder)
            return
        }
        let found = try choose(finder, entered: captured)
        let inside = captured.flatMap { found.range.contains($0) ? $0 : nil }
        let rebuilt = try RebuiltImage(
            found, in: image, contents: file, entry: entry?.address ?? inside,
            addresses: addresses == .linked ? .linked : .captured)
        let path = options.outputPath(or: "image-\(found.base.hexadecimal).elf")
        let output = try OutputFile(
            path: path, replaces: options.force, of: options.capture, isExecutable: true)
        var progress = WriteProgress(of: rebuilt.size)
        try rebuilt.write { portion in
            try output.write(portion)
            progress.add(portion.count)
        }
        try output.finish()
        progress.clear()
        tell(rebuilt, found, path)
    }

    private func choose(_ finder: ImageFinder, entered: Address?) throws -> FoundImage {
        if let base { return try finder.image(at: base.address) }
        let images = try finder.findings().images.filter { all || !$0.isMappedFromFile }
        if let entered, let image = images.first(where: { $0.range.contains(entered) }) {
            return image
        }
        guard let first = images.first(where: \.isExecutable) ?? images.first else {
            throw CaptureFileError(
                .notFound, "no image of a program is in memory at that moment but those of files",
                hint: "choose another moment with --at, a region with --base, or take --all")
        }
        return first
    }

    private func show(_ finder: ImageFinder) throws {
        let findings = try finder.findings()
        for image in findings.images where all || !image.isMappedFromFile {
            let evidence =
                switch image.evidence {
                case .header: "header"
                case .layout: "layout"
                case .address: "address"
                }
            let line =
                "\(image.range.lowerBound.hexadecimal)-\(image.range.upperBound.hexadecimal) "
                + "\(TextLines.size(image.range.upperBound.rawValue - image.range.lowerBound.rawValue)) "
                + "by its \(evidence), \(TextLines.count(UInt64(image.parts.count), "region"))\n"
            guard LineOutput.standardOutput.write(Array(line.utf8)) else { return }
        }
        for header in findings.rejected {
            Diagnostics.note("no image at \(header.address): \(header.reason.message)")
        }
    }

    private func tell(_ rebuilt: RebuiltImage, _ found: FoundImage, _ path: String) {
        var text =
            "\(path): \(TextLines.count(UInt64(rebuilt.segments.count), "segment")), "
            + "\(TextLines.count(UInt64(rebuilt.sections.count), "section")), "
            + "entry 0x\(String(rebuilt.entry, radix: 16))"
        if rebuilt.bias != 0 {
            text += "; add 0x\(String(rebuilt.bias, radix: 16)) for addresses of the capture"
        }
        Diagnostics.note(text)
        let missing = rebuilt.missing.reduce(UInt64(0)) {
            $0 &+ ($1.upperBound.rawValue - $1.lowerBound.rawValue)
        }
        if missing > 0 {
            Diagnostics.note(
                "\(TextLines.size(missing)) of it are not in the capture, and zeros in the file, "
                    + "from \(rebuilt.missing[0].lowerBound) on")
        }
        for remark in rebuilt.remarks { Diagnostics.note(remark) }
    }
}

/// An address as people write it: hexadecimal, with or without 0x.
struct AddressArgument: ExpressibleByArgument {
    let address: Address

    init?(argument: String) {
        let digits = argument.lowercased().hasPrefix("0x") ? argument.dropFirst(2) : argument[...]
        guard let number = UInt64(digits, radix: 16) else { return nil }
        address = Address(number)
    }
}
