// SPDX-License-Identifier: MIT
public import HuskModel

/// A capture file as the folder of raw files that `-o DIR/` would have made.
public struct FolderExport {
    private let file: CaptureFile

    public init(_ file: CaptureFile) {
        self.file = file
    }

    /// Makes the folder. If that fails midway, what was written stays, with a manifest that has no
    /// summary: it was cut off, as that of an unfinished capture always is.
    ///
    /// - Parameters:
    ///   - path: of a folder that does not exist or is empty.
    ///   - onProgress: is told of the bytes of each page.
    /// - Returns: the sums.
    public func write(
        to path: String, onProgress: (Int) -> Void = { _ in }
    ) throws -> CaptureTally {
        try OutputFolder.refuseLink(path)
        let folder = try CaptureFolder(path: path)
        var assembler = TransitionAssembler()
        var tally = CaptureTally(isOfStored: true)
        try file.replay { _, event in
            tally.add(event)
            folder.add(event, through: &assembler)
            if case .page(let page) = event { onProgress(page.size) }
            if let failure = folder.failure { throw failure }
            return true
        }
        for capture in assembler.finish() { folder.add(capture) }
        for layer in try file.layers() { folder.add(layer) }
        if file.info.isFinished {
            folder.finish(
                tally, records: file.info.records, copyMethod: file.info.copyMethod,
                target: file.targetStatus)
        }
        if let failure = folder.failure { throw failure }
        return tally
    }
}
