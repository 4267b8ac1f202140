// SPDX-License-Identifier: MIT
import HuskPrivileges

import let Glibc.SIGXFSZ
import let Glibc.SIG_IGN
import func Glibc.signal

/// A command that reads a capture: bytes that a target has chosen, in a file that someone may have
/// changed since. Before it opens anything it gives up what it needs for nothing.
protocol ReadsCapture {
    /// Files and folders that it writes to. The capture is one of them: SQLite locks it by files
    /// beside it.
    var writtenPaths: [String] { get }
    /// It answers a browser.
    var serves: Bool { get }
}

extension ReadsCapture {
    var serves: Bool { false }

    func confine() {
        // A file that may not grow any more (`ulimit -f`) is told as a full disk is, with EFBIG.
        signal(SIGXFSZ, SIG_IGN)
        Confinement.beginReading(
            writing: WritablePlaces(forCapturesAt: writtenPaths), serves: serves)
    }
}

extension Info: ReadsCapture { var writtenPaths: [String] { [capture.path] } }
extension List: ReadsCapture { var writtenPaths: [String] { words.suffix(1) } }
extension Show: ReadsCapture { var writtenPaths: [String] { [capture.path] } }
extension Diff: ReadsCapture { var writtenPaths: [String] { [capture.path] } }
extension History: ReadsCapture { var writtenPaths: [String] { [capture.path] } }
extension Strings: ReadsCapture { var writtenPaths: [String] { [capture.path] } }
extension Verify: ReadsCapture { var writtenPaths: [String] { [capture] } }
extension Analyze: ReadsCapture { var writtenPaths: [String] { [capture] } }
extension Report: ReadsCapture { var writtenPaths: [String] { options.writtenPaths } }
extension View: ReadsCapture {
    var writtenPaths: [String] { [capture.path] }
    var serves: Bool { true }
}

extension ExportOptions {
    /// Without an output it is standard output, or a file of a known name in the current folder.
    fileprivate var writtenPaths: [String] { [capture, output ?? "./"] }
}

extension ExportCore: ReadsCapture { var writtenPaths: [String] { options.writtenPaths } }
extension ExportELF: ReadsCapture { var writtenPaths: [String] { options.writtenPaths } }
extension ExportPages: ReadsCapture { var writtenPaths: [String] { [capture, output] } }
extension ExportRegions: ReadsCapture { var writtenPaths: [String] { [capture, output] } }
extension ExportJSON: ReadsCapture { var writtenPaths: [String] { options.writtenPaths } }
extension ExportOCSF: ReadsCapture { var writtenPaths: [String] { options.writtenPaths } }
extension ExportECS: ReadsCapture { var writtenPaths: [String] { options.writtenPaths } }
extension ExportPerfMap: ReadsCapture { var writtenPaths: [String] { options.writtenPaths } }
