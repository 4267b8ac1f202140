// SPDX-License-Identifier: MIT
import Foundation
import HuskCapture
import HuskModel

extension FuzzEntry {
    /// The manifest of a folder, beside the file of one page that it may name.
    static let manifest = FuzzEntry(name: "manifest", largestInput: 16_384) { bytes in
        let folder = try ScratchFolder.shared.get()
        let path = folder.path + "/folder"
        let page = [UInt8](repeating: 0x90, count: 4096)
        if !FileManager.default.fileExists(atPath: path) {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
            let name = "7000_\(Digest(of: page).hexadecimal.prefix(16)).bin"
            try Data(page).write(to: URL(fileURLWithPath: path + "/" + name))
        }
        try Data(bytes).write(to: URL(fileURLWithPath: path + "/manifest.jsonl"))
        let report = try CaptureVerifier(path: path).verify()
        try check(report)
        // A capture that ends with a summary, or has a finding.
        try hold(
            report.saysComplete != nil || !report.isVerified, "cut off, and verified all the same")
    }

    static func check(_ report: VerificationReport) throws {
        try hold(report.findings.count <= 1000, "\(report.findings.count) findings are kept")
        try hold(
            report.findings.count <= report.findingCount,
            "\(report.findings.count) of \(report.findingCount) findings")
        for finding in report.findings {
            try holdPlain(finding.description, "a finding")
            try holdPlain(finding.transition ?? "", "a transition's number")
        }
        for (cause, _) in report.losses { try holdPlain(cause, "a cause") }
        for name in report.unnamedFiles { try holdPlain(name, "a file's name") }
    }
}

/// A folder of this process's own, until it ends.
final class ScratchFolder: Sendable {
    static let shared = Result { try ScratchFolder() }

    let path: String

    private init() throws {
        path = NSTemporaryDirectory() + "husk-fuzz-\(ProcessInfo.processInfo.processIdentifier)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        atexit { ScratchFolder.remove() }
    }

    private static func remove() {
        guard let folder = try? shared.get() else { return }
        try? FileManager.default.removeItem(atPath: folder.path)
    }
}
