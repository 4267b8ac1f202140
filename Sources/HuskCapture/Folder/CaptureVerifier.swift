// SPDX-License-Identifier: MIT

/// Checks a stored capture (``CaptureFolder``) again, from what was stored: whether each file holds
/// what the manifest says, and whether the manifest agrees with itself.
///
/// It finds what was damaged or cut off. It is no proof of who has made the capture: someone who
/// changes the bytes may change their hashes, too.
///
/// The folder may hold anything: nothing is followed out of it, and what cannot be is a finding.
public struct CaptureVerifier {
    public var path: String
    /// Called again and again with what has been looked at so far.
    public var onProgress: ((VerificationReport.Counts) -> Void)?
    /// Longer lines are findings.
    var lineLimit = ManifestLines.defaultLimit

    public init(path: String) {
        self.path = path
    }

    /// Throws if it is no capture, or cannot be read at all.
    public func verify() throws(VerificationError) -> VerificationReport {
        let folder = try StoredFolder(path: path)
        var check = ManifestCheck(folder, progress: onProgress ?? { _ in })
        do throws(StoredFolder.Failure) {
            var lines = ManifestLines(try folder.open("manifest.jsonl"), limit: lineLimit)
            while let line = try lines.next() { check.take(line) }
        } catch .missing {
            throw VerificationError(
                "\(path) is no capture: it has no manifest.jsonl",
                hint: "name the folder that `husk run -o DIR/` has made")
        } catch {
            check.add(.manifest, error.message, file: "manifest.jsonl")
        }
        return check.finish()
    }
}
