// SPDX-License-Identifier: MIT
import Glibc

enum StandardDescriptors {
    /// Opens /dev/null for each of the descriptors 0, 1 and 2 that is closed. Otherwise the
    /// next file that is opened would get its number, and Husk's lines would go into it.
    static func makeSureOfThem() {
        for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) < 0 {
            _ = open("/dev/null", O_RDWR)  // takes the lowest free number
        }
    }
}

func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// In bytes, of the files in it.
func folderSize(_ path: String) -> UInt64 {
    guard let folder = opendir(path) else { return 0 }
    defer { closedir(folder) }
    var size: UInt64 = 0
    var status = stat()
    while let entry = readdir(folder) {
        // Unsafe: the name is in the entry, which is valid until the next one is read.
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if fstatat(dirfd(folder), name, &status, 0) == 0, status.st_mode & S_IFMT == S_IFREG {
            size += UInt64(max(0, status.st_size))
        }
    }
    return size
}

func isFile(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
}
