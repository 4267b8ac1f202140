// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc

/// Where the numbers of the kernel's tracepoints can be read.
struct Tracepoints: ~Copyable {
    /// A descriptor of tracefs's root folder.
    private let root: OwnedDescriptor
    let place: Place

    enum Place: String, Sendable {
        case mounted = "/sys/kernel/tracing"
        case mountedInDebugFS = "/sys/kernel/debug/tracing"
        /// Not mounted: seen through a detached mount of Husk's own.
        case detached = "a detached mount of Husk's own"
    }

    init() throws(HuskError) {
        for place in [Place.mounted, .mountedInDebugFS] {
            let number = open(place.rawValue, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard number >= 0 else { continue }
            let folder = OwnedDescriptor(number)
            // The folder exists without a mount as well; its events do not.
            if faccessat(folder.number, "events", X_OK, 0) == 0 {
                root = folder
                self.place = place
                return
            }
        }
        let mount = husk_tracefs_open()
        guard mount >= 0 else {
            throw HuskError(
                mount == -EPERM || mount == -EACCES ? .notPermitted : .unsupportedKernel,
                "the kernel's tracepoints cannot be read (tracefs)", errno: -mount,
                hint: "as root: mount -t tracefs tracefs /sys/kernel/tracing")
        }
        root = OwnedDescriptor(mount)
        place = .detached
    }

    /// The number of a tracepoint, such as `syscalls/sys_enter_mmap`.
    func number(of name: String) throws(HuskError) -> UInt64 {
        let file = openat(root.number, "events/\(name)/id", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw HuskError(
                .unsupportedKernel, "the kernel has no tracepoint \(name)", errno: errno,
                hint: "Husk needs a kernel with CONFIG_FTRACE_SYSCALLS")
        }
        let bytes = readToEnd(of: OwnedDescriptor(file), limit: 64) ?? []
        let digits = bytes.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard let number = UInt64(String(decoding: digits, as: UTF8.self)) else {
            throw HuskError(.unsupportedKernel, "the number of tracepoint \(name) is unreadable")
        }
        return number
    }
}
