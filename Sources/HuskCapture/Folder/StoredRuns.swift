// SPDX-License-Identifier: MIT
internal import HuskModel

/// Compares runs of pages with the files that should hold them.
struct StoredRuns {
    /// What was found out about a file, so that it is read once: a run that is seen again with the
    /// same content names it again.
    private struct Known {
        var size: UInt64
        var whole: Digest
        /// The SHA-256 of the pages' SHA-256s, one after the other: pages are many.
        var pages: Digest
    }

    private let folder: StoredFolder
    private var known: [String: Known] = [:]
    /// All that a run has named.
    private(set) var named: Set<String> = []

    init(_ folder: StoredFolder) {
        self.folder = folder
    }

    /// What is wrong with a run's own description; its file is not worth reading then.
    static func flaw(of run: StoredTransition.Run) -> (message: String, address: Address?)? {
        let (size, overflow) = UInt64(run.pages.count).multipliedReportingOverflow(by: 4096)
        if run.pages.isEmpty { return ("a run without pages", run.base.address) }
        if overflow || size != run.size {
            return (
                "a run of \(run.pages.count) pages cannot have \(run.size) bytes", run.base.address
            )
        }
        for (index, page) in run.pages.enumerated() {
            let (address, overflow) = run.base.address.rawValue.addingReportingOverflow(
                UInt64(index) * 4096)
            if overflow || page.address.address.rawValue != address {
                return (
                    "the pages of the run do not lie side by side from its base on",
                    page.address.address
                )
            }
        }
        return nil
    }

    /// The name that the file of a run has. Everything else is no name of a capture's, so that
    /// nothing outside the folder can be named.
    static func name(of run: StoredTransition.Run) -> String {
        "\(run.base.address.hexadecimal)_\(run.sha256.digest.hexadecimal.prefix(16)).bin"
    }

    /// The manifest names a file that is not looked at.
    mutating func name(_ file: String) {
        named.insert(file)
    }

    enum Problem {
        case file(String)
        case content(String, Address?)
    }

    /// Compares a run without flaws; returns how many of its pages are as they should be.
    mutating func check(
        _ run: StoredTransition.Run, named name: String, _ counts: inout VerificationReport.Counts,
        progress: (VerificationReport.Counts) -> Void, problem: (Problem) -> Void
    ) -> UInt64 {
        named.insert(name)
        if let known = known[name] {
            let flaw = Self.difference(between: run, known)
            if let flaw { problem(.content(flaw, nil)) }
            return flaw == nil ? UInt64(run.pages.count) : 0
        }
        do throws(StoredFolder.Failure) {
            let file = try folder.open(name)
            guard file.size == run.size else {
                problem(.file("it has \(file.size) bytes, not \(run.size)"))
                return 0
            }
            var good: UInt64 = 0
            var next = 0
            let result = try Self.read(file, size: run.size) { size, digests in
                counts.bytesRead += UInt64(size)
                progress(counts)
                for digest in digests {
                    guard next < run.pages.count else { break }
                    let page = run.pages[next]
                    next += 1
                    if digest == page.sha256.digest {
                        good += 1
                    } else {
                        problem(
                            .content(
                                "the page is not the one that was captured", page.address.address))
                    }
                }
            }
            guard result.size == run.size else {
                problem(.file("its size has changed while it was read"))
                return good
            }
            known[name] = result
            if result.whole != run.sha256.digest {
                problem(.content(Self.wrongWhole, nil))
            } else if good == UInt64(run.pages.count) {
                counts.files += 1
                counts.bytes += run.size
            }
            return good
        } catch {
            problem(.file(error.message))
            return 0
        }
    }

    /// - Parameter portion: called with a number of bytes and the SHA-256 of each whole page in them.
    private static func read(
        _ file: borrowing StoredFile, size: UInt64, portion: (Int, [Digest]) -> Void
    ) throws(StoredFolder.Failure) -> Known {
        var whole = DigestBuilder()
        var pages = DigestBuilder()
        var total: UInt64 = 0
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while total < size {
            let count = try file.read(into: &buffer)
            let bytes = buffer[..<count]
            whole.add(bytes)
            let digests = stride(from: 0, through: count - 4096, by: 4096).map {
                Digest(of: bytes[$0..<$0 + 4096])
            }
            for digest in digests { pages.add(ArraySlice(digest.hexadecimal.utf8)) }
            total += UInt64(count)
            portion(count, digests)
            if count < buffer.count { break }
        }
        return Known(size: total, whole: whole.finish(), pages: pages.finish())
    }

    private static let wrongWhole = "its SHA-256 is not the one of the run"

    /// What is wrong with a run whose file was read before; nil: nothing. The file is not read
    /// again for that: a manifest may name it as often as it likes.
    private static func difference(between run: StoredTransition.Run, _ known: Known) -> String? {
        if known.size != run.size { return "it has \(known.size) bytes, not \(run.size)" }
        if known.whole != run.sha256.digest { return wrongWhole }
        var pages = DigestBuilder()
        for page in run.pages { pages.add(ArraySlice(page.sha256.digest.hexadecimal.utf8)) }
        return pages.finish() == known.pages
            ? nil : "a page in it is not the one that was captured"
    }
}
