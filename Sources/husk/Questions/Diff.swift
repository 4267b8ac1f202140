// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk
import HuskAnalysis
import HuskCapture

struct Diff: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what changed in a region or page between two generations.",
        discussion: """
            WHAT is an address (its page is compared) or a region of `husk list`: r12. Without \
            --from and --to, the last two generations. First the ranges of bytes that changed, \
            then the instructions, by their address.

            EXAMPLES
              husk diff 7f2c0fcdd000 sample.husk
              husk diff r12 sample.husk --from 0 --to 5
            """)

    @Argument(help: ArgumentHelp("An address, or a region: r12.", valueName: "what"))
    var place: Place

    @OptionGroup var capture: CaptureArgument

    @Option(name: .long, help: "Of this process.")
    var pid: Int32?

    @Option(name: .long, help: "The older generation; else the one before --to.")
    var from: Int?

    @Option(name: .long, help: "The newer generation; else the latest.")
    var to: Int?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Take the code for 32-bit or 64-bit code.", valueName: WordSize.words))
    var bits: WordSize?

    @Flag(name: .long, help: "Print one JSON object per changed range (docs/json.md).")
    var json = false

    func run() throws {
        let file = try capture.open()
        let place = try PlaceInCapture(place, in: file, pid: pid)
        let newer = to ?? place.generations.upperBound
        guard let older = try from ?? file.generation(of: place.scope, before: newer) else {
            throw CaptureFileError(
                .notFound, "there is no generation before \(newer)",
                hint: "its content has not changed, as far as the capture has it")
        }
        let output = QuestionOutput()
        let moments = (try place.position(of: older), try place.position(of: newer))
        if !json {
            _ = output.add(output.paint("--- generation \(older)", .red))
            _ = output.add(output.paint("+++ generation \(newer)", .green))
        }
        try compare(place, moments, output)
        try output.finish()
    }

    private func compare(
        _ place: PlaceInCapture, _ moments: (old: Int64, new: Int64), _ output: QuestionOutput
    ) throws {
        // A damaged file may have a page outside of its region.
        let range = place.start.page..<max(place.start.page, place.end)
        var old = try place.contents(in: range, at: moments.old)[...]
        var new = try place.contents(in: range, at: moments.new)[...]
        while let address = [old.first?.address, new.first?.address].compactMap({ $0 }).min() {
            let before = old.first?.address == address ? old.popFirst() : nil
            let after = new.first?.address == address ? new.popFirst() : nil
            if let before, let after {
                if before.content == after.content { continue }
                guard try compare(before, after, place, output) else { return }
            } else if !json {
                let which = before == nil ? "only in the newer one" : "only in the older one"
                guard output.add("page \(address.hexadecimal): \(which)") else { return }
            }
        }
    }

    private func compare(
        _ before: PlaceInCapture.Content, _ after: PlaceInCapture.Content,
        _ place: PlaceInCapture, _ output: QuestionOutput
    ) throws -> Bool {
        let old = try place.capture.bytes(of: before.content)
        let new = try place.capture.bytes(of: after.content)
        let changes = CodeDifference.changes(from: old, to: new, at: after.address)
        if json {
            return changes.allSatisfy {
                output.add(JSONLines().change(at: $0.address, old: $0.old, new: $0.new))
            }
        }
        for change in changes {
            let size = TextLines.count(UInt64(change.old.count), "byte")
            let lines = [
                "@@ \(change.address.hexadecimal), \(size) @@",
                output.paint("-\(Self.beginning(change.old))", .red),
                output.paint("+\(Self.beginning(change.new))", .green),
            ]
            guard lines.allSatisfy({ output.add($0) }) else { return false }
        }
        let transition = try place.capture.transition(after.transition)
        let mode = try bits?.mode ?? place.mode(of: transition, at: after.position)
        return writeInstructions(
            CodeDifference.lines(
                from: LinearSweep.instructions(of: old, at: before.address, mode: mode),
                to: LinearSweep.instructions(of: new, at: after.address, mode: mode)), output)
    }

    private static func beginning(_ bytes: [UInt8]) -> String {
        CodeText.spaced(bytes.prefix(32)) + (bytes.count > 32 ? " ..." : "")
    }

    /// The lines that differ, with some around them.
    private func writeInstructions(
        _ lines: [CodeDifference.Line], _ output: QuestionOutput
    ) -> Bool {
        let context = 2
        var shownUpTo = 0
        var removed = Listing()
        var added = Listing()
        var position = 0
        while position < lines.count {
            if case .same = lines[position] {
                position += 1
                continue
            }
            var end = position
            var quiet = 0
            while end < lines.count, quiet <= 2 * context {
                if case .same = lines[end] { quiet += 1 } else { quiet = 0 }
                end += 1
            }
            let last = end - max(0, quiet - context)
            for line in lines[max(shownUpTo, position - context)..<last] {
                let text: String? =
                    switch line {
                    case .same(let instruction): " " + CodeText.line(instruction)
                    case .removed(let instruction):
                        removed.line(instruction).map { output.paint("-" + $0, .red) }
                    case .added(let instruction):
                        added.line(instruction).map { output.paint("+" + $0, .green) }
                    }
                if let text, !output.add(text) { return false }
            }
            shownUpTo = last
            position = max(end, position + 1)
        }
        return true
    }
}

extension PlaceInCapture {
    /// A page's content at one moment.
    struct Content {
        var address: Address
        var content: ContentReference
        var transition: Transition.ID
        var position: Int64
    }

    /// The pages of its scope, as they were.
    func contents(in range: Range<Address>, at position: Int64) throws -> [Content] {
        var contents: [Content] = []
        guard !range.isEmpty else { return [] }
        try capture.forEachPage(in: range, of: scope, at: position) { snapshot in
            if let content = snapshot.content {
                contents.append(
                    Content(
                        address: snapshot.page.address, content: content,
                        transition: snapshot.page.transition, position: snapshot.position))
            }
            return true
        }
        return contents
    }
}

extension Address {
    /// Of the page that it lies in.
    var page: Address { Address(rawValue & ~4095) }
}
