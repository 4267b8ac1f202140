// SPDX-License-Identifier: MIT
internal import Glibc

/// The files of rules behind a path.
enum RuleFiles {
    struct Source {
        /// As it is named in errors.
        var path: String
        /// The path below the folder, or the file's name, without the extension.
        var namespace: String
        /// Ends with a zero.
        var text: [CChar]
    }

    /// A larger file is no text that people have written.
    static let sizeLimit = 64 << 20
    static let countLimit = 20_000
    private static let depthLimit = 32
    private static let extensions = [".yar", ".yara"]

    /// The file, or all `*.yar` and `*.yara` below the folder, sorted by path. In a folder,
    /// symbolic links are not followed: rules come from where the user has pointed to.
    static func sources(at path: String) throws(YaraError) -> [Source] {
        var status = stat()
        guard stat(path, &status) == 0 else { throw unreadable(path, errno) }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            let name = path.split(separator: "/").last.map(String.init) ?? path
            return [try source(path, namespace: stem(name), followingLinks: true)]
        }
        var names: [String] = []
        try list(path, below: "", depth: 0, &names)
        var sources: [Source] = []
        for name in names.sorted() {
            sources.append(
                try source("\(path)/\(name)", namespace: stem(name), followingLinks: false))
        }
        return sources
    }

    private static func list(
        _ root: String, below: String, depth: Int, _ names: inout [String]
    ) throws(YaraError) {
        let folder = below.isEmpty ? root : "\(root)/\(below)"
        guard let stream = opendir(folder) else { throw unreadable(folder, errno) }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            // Safe: the name ends with a zero within the entry, which lives until the next call.
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(".") { continue }
            let inner = below.isEmpty ? name : "\(below)/\(name)"
            var status = stat()
            guard lstat("\(root)/\(inner)", &status) == 0 else { continue }
            switch status.st_mode & S_IFMT {
            case S_IFDIR where depth < depthLimit:
                try list(root, below: inner, depth: depth + 1, &names)
            case S_IFREG where extensions.contains(where: name.hasSuffix):
                guard names.count < countLimit else {
                    throw YaraError(
                        .unreadable, "more than \(countLimit) files of rules in \(root)",
                        hint: "Point to a folder that holds rules only", file: root)
                }
                names.append(inner)
            default: break
            }
        }
    }

    private static func source(
        _ path: String, namespace: String, followingLinks: Bool
    ) throws(YaraError) -> Source {
        // Not to wait for ever at a pipe.
        let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (followingLinks ? 0 : O_NOFOLLOW)
        let descriptor = open(path, flags)
        guard descriptor >= 0 else { throw unreadable(path, errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw unreadable(path, errno) }
        guard status.st_mode & S_IFMT == S_IFREG, Int(status.st_size) <= sizeLimit else {
            throw YaraError(
                .unreadable, "\(path) is no file of rules (not regular, or over 64 MiB)",
                hint: "Give a text file with YARA rules", file: path)
        }
        var text = [CChar](repeating: 0, count: Int(status.st_size) + 1)
        var filled = 0
        while filled < text.count - 1 {
            // Safe: the buffer has one byte more than what is left.
            let count = text.withUnsafeMutableBytes { buffer in
                read(descriptor, buffer.baseAddress.map { $0 + filled }, buffer.count - 1 - filled)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unreadable(path, errno) }
            if count == 0 { break }
            filled += count
        }
        guard !text[..<filled].contains(0) else {
            throw YaraError(
                .unreadable, "\(path) has zero bytes in it",
                hint: "Compiled rules cannot be used: give their source", file: path)
        }
        return Source(path: path, namespace: namespace, text: text)
    }

    private static func stem(_ name: String) -> String {
        extensions.first(where: name.hasSuffix).map { String(name.dropLast($0.count)) } ?? name
    }

    private static func unreadable(_ path: String, _ error: Int32) -> YaraError {
        YaraError(
            .unreadable, "cannot read rules from \(path): \(String(cString: strerror(error)))",
            hint: "Check the path and its permissions", file: path)
    }
}
