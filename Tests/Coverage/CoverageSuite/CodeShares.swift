// SPDX-License-Identifier: MIT
public import Foundation

/// What `Tools/jit-truth/run --json` has measured with one mode of `--rwx`.
public struct CodeShares: Sendable {
    public struct Runtime: Codable, Sendable {
        var name: String
        var version: String
        /// Percent of the code's bytes that the capture holds.
        var share: Double
        /// Of what was there at the end, as it was then.
        var shareAtEnd: Double?

        private enum CodingKeys: String, CodingKey {
            case name = "runtime"
            case version, share
            case shareAtEnd = "share_end"
        }
    }

    var mode: String
    var runtimes: [Runtime]

    /// - Parameter file: one object on each line; its name, without what follows the first dot,
    ///   is that of the mode.
    public init(_ file: URL) throws {
        mode = String(file.lastPathComponent.prefix { $0 != "." })
        let decoder = JSONDecoder()
        runtimes = try Data(contentsOf: file).split(separator: UInt8(ascii: "\n"))
            .map { try decoder.decode(Runtime.self, from: $0) }
    }
}
