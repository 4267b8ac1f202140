// SPDX-License-Identifier: MIT
internal import HuskCapture
internal import HuskModel

extension CaptureDocuments {
    /// More moments are joined into spans of time.
    private static let momentLimit: UInt64 = 120_000

    func timeline() throws -> TimelineDocument {
        let shown = Set(try regions.get().regions.map(\.life.id))
        var document = TimelineDocument()
        var kinds = WordList()
        var protections = WordList()
        document.binned = try file.forEachChartMoment(limit: Self.momentLimit) { moment in
            guard shown.contains(moment.region) else { return }
            document.time.append(time(moment.time))
            document.region.append(moment.region)
            document.kind.append(kinds.number(of: moment.kind.rawValue))
            let isGone =
                moment.effective.isEmpty
                && [.munmap, .mremap, .shmdt, .brk].contains(moment.kind)
            document.effective.append(
                protections.number(of: isGone ? nil : moment.effective.description))
            document.previous.append(protections.number(of: moment.previous?.description))
            document.count.append(size(moment.count))
            document.pages.append(size(moment.pages))
            document.generation.append(moment.generation ?? -1)
            document.lost.append(size(moment.lost))
        }
        document.kinds = kinds.words
        document.protections = protections.words
        return document
    }
}
