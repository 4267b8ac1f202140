// SPDX-License-Identifier: MIT
internal import HuskModel

/// Finds the paths of mapped files in /proc/PID/maps.
///
/// The kernel side tells device, inode and the last path component. The path is looked up
/// here once per process and file, after the event: it is a convenience, not evidence.
struct MappedFilePaths {
    private struct Key: Hashable {
        var pid: Int32
        var major: UInt32
        var minor: UInt32
        var inode: UInt64
    }

    private var known: [Key: TargetText?] = [:]

    mutating func path(of file: FileIdentity, in pid: Int32) -> TargetText? {
        let key = Key(
            pid: pid, major: file.deviceMajor, minor: file.deviceMinor, inode: file.inode)
        if let path = known[key] { return path }
        let path = Self.lookUp(key)
        known[key] = .some(path)
        return path
    }

    mutating func forget(process pid: Int32) {
        known = known.filter { $0.key.pid != pid }
    }

    private static func lookUp(_ key: Key) -> TargetText? {
        guard key.pid > 0, let maps = readFile("/proc/\(key.pid)/maps") else { return nil }
        let wanted = "\(twoDigits(key.major)):\(twoDigits(key.minor)) \(key.inode)"
        for line in maps.split(separator: UInt8(ascii: "\n")) {
            // address perms offset dev inode, then blanks and the path
            let fields = line.split(
                separator: UInt8(ascii: " "), maxSplits: 5, omittingEmptySubsequences: true)
            guard fields.count == 6 else { continue }
            let identity =
                String(decoding: fields[3], as: UTF8.self) + " "
                + String(decoding: fields[4], as: UTF8.self)
            if identity == wanted {
                return TargetText(bytes: fields[5].drop { $0 == UInt8(ascii: " ") })
            }
        }
        return nil
    }

    private static func twoDigits(_ number: UInt32) -> String {
        let digits = String(number, radix: 16)
        return digits.count < 2 ? "0" + digits : digits
    }
}
