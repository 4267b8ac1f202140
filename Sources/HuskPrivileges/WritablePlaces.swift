// SPDX-License-Identifier: MIT
internal import CHuskSystem
internal import Glibc

/// Folders beneath which files may still be made, changed and removed (landlock(7)).
package struct WritablePlaces: Sendable {
    private var folders: Set<String> = []

    /// Where SQLite puts what it sorts, in files that have no name.
    private static var temporary: [String] {
        let variables: [String] = ["SQLITE_TMPDIR", "TMPDIR"]
        let named: [String] = variables.compactMap { name in
            getenv(name).map { String(cString: $0) }
        }
        return named + ["/var/tmp", "/tmp"]
    }

    package init() {}

    /// What work with captures at these paths takes.
    package init(forCapturesAt paths: [String]) {
        folders = Set(Self.temporary)
        paths.forEach { add($0) }
    }

    /// A file or folder, which may not exist yet, and what lies beside it: things are made under
    /// another name first.
    package mutating func add(_ path: String) {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { folders.insert(path) }
        var end = path[...]
        while end.last == "/" { end.removeLast() }
        guard let slash = end.lastIndex(of: "/") else {
            folders.insert(".")
            return
        }
        folders.insert(slash == end.startIndex ? "/" : String(end[..<slash]))
    }

    /// Begins to hold for the calling thread and those that it starts; what is open stays open.
    /// Nothing is executed any more, without `network` no TCP is spoken, without `signals` no other
    /// process is signalled.
    ///
    /// Returns false, and changes nothing, where the kernel has no Landlock.
    @discardableResult
    package func begin(network: Bool = false, signals: Bool = false) -> Bool {
        // Without it Landlock takes CAP_SYS_ADMIN.
        guard husk_no_new_privileges() == 0 else { return false }
        var descriptors: [Int32] = []
        defer { descriptors.forEach { close($0) } }
        for folder in folders {
            let descriptor = husk_landlock_folder(folder)
            // One that does not exist needs no right.
            if descriptor >= 0 { descriptors.append(descriptor) }
        }
        return husk_landlock_confine(
            descriptors, descriptors.count, network ? 1 : 0, signals ? 1 : 0) == 0
    }
}
