// SPDX-License-Identifier: MIT
internal import Glibc

/// Who has called Husk through sudo(8): what it makes belongs to them, not to root.
enum InvokingUser {
    private static let owner: (user: uid_t, group: gid_t)? = {
        // Only root can give files away, and sudo sets both.
        guard geteuid() == 0, let user = number("SUDO_UID"), let group = number("SUDO_GID"),
            user != 0
        else { return nil }
        return (user, group)
    }()

    private static func number(_ name: String) -> UInt32? {
        getenv(name).flatMap { UInt32(String(cString: $0)) }
    }

    /// Gives them a file or folder that Husk has just made. By its descriptor: its name may be
    /// another file's by now.
    static func own(_ descriptor: Int32) {
        guard let owner else { return }
        // Some file systems know no owners: then it is as it is.
        _ = fchown(descriptor, owner.user, owner.group)
    }
}
