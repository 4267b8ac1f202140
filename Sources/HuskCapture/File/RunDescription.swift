// SPDX-License-Identifier: MIT
internal import Glibc

/// What is known of a run before it begins: kept in the capture file.
public struct RunDescription: Hashable, Sendable {
    public var huskVersion: String
    /// The command and its arguments, as they were given, escaped; nil: processes that ran already.
    public var command: [String]?
    public var host: String
    /// As uname(2) has it.
    public var kernel: String
    public var machine: String
    public var cpus: Int
    /// Options that were given or matter, by name.
    public var options: [String: String]

    /// Of this machine.
    public init(huskVersion: String, command: [String]?, options: [String: String]) {
        var name = utsname()
        uname(&name)
        self.huskVersion = huskVersion
        self.command = command
        host = Self.text(name.nodename)
        kernel = Self.text(name.release)
        machine = Self.text(name.machine)
        cpus = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        self.options = options
    }

    private static func text<Characters>(_ characters: Characters) -> String {
        // Safe: reads within the value.
        withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
