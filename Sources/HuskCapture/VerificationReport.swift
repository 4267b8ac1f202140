// SPDX-License-Identifier: MIT
public import HuskModel

/// What checking a stored capture has shown (``CaptureVerifier``).
public struct VerificationReport: Sendable {
    /// Something that is not as the capture says.
    public struct Finding: Hashable, Sendable {
        /// What the capture says something false about.
        public enum Subject: String, Hashable, Sendable, CaseIterable {
            /// The database that a capture file is: its form, its rows.
            case database
            /// A line of the manifest, or where it ends.
            case manifest
            /// A file that should hold a run of pages.
            case file
            /// The bytes in such a file.
            case content
            /// The counts of a transition's pages.
            case counts
            /// The numbers of pages' records.
            case recordNumbers = "record-numbers"
            /// The sums of the summary.
            case sums
        }

        public var subject: Subject
        /// What is wrong: one line. Text that the capture holds is escaped in it.
        public var message: String
        /// Of the manifest, from 1 on; nil: it concerns no single line.
        public var line: Int?
        /// As the manifest names it, escaped.
        public var file: String?
        /// The `id` of the transition, escaped.
        public var transition: String?
        public var address: Address?
    }

    /// How much has been looked at.
    public struct Counts: Hashable, Sendable {
        /// Of the manifest.
        public var lines = 0
        /// Pages that the manifest says are stored.
        public var pages: UInt64 = 0
        /// Those of them whose bytes are what the manifest says.
        public var verifiedPages: UInt64 = 0
        /// Files, or contents, that are what the capture says, each once.
        public var files = 0
        /// That these files hold.
        public var bytes: UInt64 = 0
        /// That were read, of good files and bad ones.
        public var bytesRead: UInt64 = 0
    }

    /// What pages are stored in.
    public enum Unit: String, Hashable, Sendable {
        /// Of a folder: runs of pages.
        case files
        /// Of a capture file: pages.
        case contents
    }

    public let unit: Unit
    public internal(set) var counts = Counts()
    /// The first ones: a capture that is all wrong must not fill the memory.
    public private(set) var findings: [Finding] = []
    /// All of them.
    public private(set) var findingCount = 0
    /// The first of the files that the manifest does not name, escaped. They falsify nothing.
    public private(set) var unnamedFiles: [String] = []
    public private(set) var unnamedFileCount = 0
    /// Whether the capture says of itself that nothing is missing; nil: it does not say, it has
    /// no summary.
    public internal(set) var saysComplete: Bool?
    /// Pages that should be in the capture, as it says itself; nil: it does not say.
    public internal(set) var expectedPages: UInt64?
    /// Pages that could not be read, as it says itself.
    public internal(set) var unreadable: UInt64 = 0
    /// What was lost, as it says itself, by cause (escaped).
    public internal(set) var losses: [String: UInt64] = [:]

    /// Everything is as the capture says. It may still be incomplete: see ``saysComplete``.
    public var isVerified: Bool { findingCount == 0 }

    /// How many findings, and names of files, are kept.
    static let limit = 1000

    mutating func add(_ finding: Finding) {
        findingCount += 1
        if findings.count < Self.limit { findings.append(finding) }
    }

    /// - Parameter count: of which `first` are those that were kept.
    mutating func add(_ first: [Finding], of count: Int) {
        for finding in first { add(finding) }
        findingCount += count - first.count
    }

    mutating func add(unnamedFile name: TargetText) {
        unnamedFileCount += 1
        if unnamedFiles.count < Self.limit { unnamedFiles.append(name.escaped) }
    }
}

extension VerificationReport.Finding: CustomStringConvertible {
    /// The place, then what is wrong there.
    public var description: String {
        let place = [
            line.map { "line \($0)" }, transition.map { "transition \($0)" }, file,
            address?.description,
        ].compactMap { $0 }.joined(separator: ", ")
        return place.isEmpty ? message : "\(place): \(message)"
    }
}

/// Why a capture could not be checked at all.
public struct VerificationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One sentence: what could not be checked.
    public var message: String
    /// The errno behind it, or 0.
    public var errno: Int32
    /// What the user can do.
    public var hint: String?

    init(_ message: String, errno: Int32 = 0, hint: String? = nil) {
        self.message = message
        self.errno = errno
        self.hint = hint
    }

    public var description: String {
        errno == 0 ? message : "\(message): \(ErrorNames.text(errno))"
    }
}
