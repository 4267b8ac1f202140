// SPDX-License-Identifier: MIT
import ArgumentParser
import Glibc
import Husk

/// What keeps a command from the rest of the machine: util-linux's setpriv(1) and unshare(1), which
/// execute it. It keeps a sample from doing harm by accident; it is not what keeps an attacker in.
struct ContainmentOptions: ParsableArguments {
    @Option(
        name: .customLong("user"),
        help: ArgumentHelp(
            "Run the command as this user, who cannot become another one.",
            discussion: """
                By setpriv(1): with the user's groups, no capabilities and no_new_privs; HOME, \
                USER and LOGNAME are the user's. Needs root.
                """, valueName: "name"))
    var user: String?

    @Flag(
        name: .customLong("no-network"),
        help: ArgumentHelp(
            "Run the command without a network, loopback included.",
            discussion: "By unshare(1), in a network namespace of its own."))
    var withoutNetwork = false

    @Flag(
        name: .customLong("private-mounts"),
        help: ArgumentHelp(
            "What the command mounts is not seen outside.",
            discussion: "By unshare(1), in a mount namespace of its own."))
    var privateMounts = false

    /// The command with those that execute it.
    func contain(_ command: [[UInt8]]) throws -> [[UInt8]] {
        (try namespaces() + identity()).map { Array($0.utf8) } + command
    }

    private func namespaces() throws -> [String] {
        guard withoutNetwork || privateMounts else { return [] }
        return [try Self.tool("unshare")] + (withoutNetwork ? ["--net"] : [])
            + (privateMounts ? ["--mount"] : [])
            // Who is not root needs a user namespace for that, and stays who they are in it.
            + (geteuid() == 0 ? [] : ["--map-current-user"]) + ["--"]
    }

    private func identity() throws -> [String] {
        guard let user else { return [] }
        guard geteuid() == 0 else {
            throw HuskError(
                .notPermitted, "only root can run a command as another user",
                hint: "leave out --user, or call Husk through sudo")
        }
        guard let entry = getpwnam(user)?.pointee else {
            throw HuskError(
                .invalidConfiguration,
                "there is no user \(TargetText(user).escaped)",
                hint: "`getent passwd` lists them; a name of your own: sudo useradd --system NAME")
        }
        // Husk itself has no use for these.
        setenv("HOME", entry.pw_dir, 1)
        setenv("USER", user, 1)
        setenv("LOGNAME", user, 1)
        return [
            try Self.tool("setpriv"), "--reuid=\(entry.pw_uid)", "--regid=\(entry.pw_gid)",
            "--init-groups", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all",
            "--no-new-privs", "--",
        ]
    }

    private static func tool(_ name: String) throws -> String {
        let path = "/usr/bin/" + name
        guard access(path, X_OK) == 0 else {
            throw HuskError(
                .commandNotFound, "there is no \(path)", hint: "apt-get install util-linux")
        }
        return path
    }
}
