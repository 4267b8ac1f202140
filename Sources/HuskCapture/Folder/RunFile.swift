// SPDX-License-Identifier: MIT
internal import Glibc
internal import HuskModel

/// The file of one run of pages, while it grows. Its name has the hash of all its bytes, so it gets
/// that at its end: short runs wait in memory for it, long ones under another name.
final class RunFile {
    private let folder: OutputFolder
    private let base: Address
    private var waiting: [UInt8] = []
    private var file: (descriptor: Int32, name: String)?

    private static let patience = 1 << 20

    init(_ folder: OutputFolder, base: Address) {
        self.folder = folder
        self.base = base
    }

    deinit {
        guard let file else { return }
        close(file.descriptor)
        folder.remove(file.name)  // half a file would be taken for a whole one
    }

    func append(_ bytes: ArraySlice<UInt8>) throws(OutputError) {
        waiting.append(contentsOf: bytes)
        if waiting.count >= Self.patience { try flush() }
    }

    private func flush() throws(OutputError) {
        if self.file == nil { self.file = try begin() }
        guard let file = self.file else { return }
        try folder.write(waiting[...], to: file.descriptor, file.name)
        waiting.removeAll(keepingCapacity: true)
    }

    private func begin() throws(OutputError) -> (descriptor: Int32, name: String) {
        let name = folder.temporaryName()
        return (try folder.create(name), name)
    }

    /// It is whole. Returns its name.
    func finish(as run: PageRun) throws(OutputError) -> String {
        let name = "\(base.hexadecimal)_\(run.digest.hexadecimal.prefix(16)).bin"
        if file != nil {
            try flush()
            guard let file = self.file else { return name }
            try folder.rename(file.name, to: name)
            close(file.descriptor)
            self.file = nil
        } else if let descriptor = try folder.createIfNew(name) {
            defer { close(descriptor) }
            do throws(OutputError) {
                try folder.write(waiting[...], to: descriptor, name)
            } catch {
                folder.remove(name)
                throw error
            }
        }
        return name
    }
}
