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

func isFile(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
}
