// SPDX-License-Identifier: MIT

/// Values in words, as all of Husk's texts for people have them.
public enum Wording {
    /// `1 page`, `2 pages`.
    public static func count(
        _ number: UInt64, _ noun: String, _ plural: String? = nil
    ) -> String {
        "\(number) \(number == 1 ? noun : plural ?? noun + "s")"
    }

    /// Bytes with a binary unit: `4 KiB`, `1.4 MiB`.
    public static func size(_ bytes: UInt64) -> String {
        var value = bytes
        var rest: UInt64 = 0
        for unit in ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] {
            if value < 1024 {
                let tenth = rest * 10 / 1024
                return tenth == 0 ? "\(value) \(unit)" : "\(value).\(tenth) \(unit)"
            }
            rest = value % 1024
            value /= 1024
        }
        return "\(value) EiB"
    }

    /// `1.000042`: a span of time in seconds, to the microsecond.
    public static func seconds(_ nanoseconds: UInt64) -> String {
        let fraction = String(nanoseconds / 1000 % 1_000_000)
        return "\(nanoseconds / 1_000_000_000)."
            + String(repeating: "0", count: 6 - fraction.count) + fraction
    }

    /// What stands behind memory: a file's path, or the kind of memory.
    public static func backing(_ backing: Backing) -> String {
        guard let file = backing.file else { return backing.kind }
        let name = (file.path ?? file.name).escaped
        return switch backing {
        case .file where file.linkCount == 0: "deleted:\(name)"
        case .file: name
        default: "\(backing.kind):\(name)"
        }
    }

    /// A place in code, shortly: the address and the file's name.
    public static func site(_ site: CallSite) -> String {
        let name = site.backing.file?.name.escaped
        return name.map { "\(site.address.hexadecimal) (\($0))" } ?? site.address.hexadecimal
    }
}
