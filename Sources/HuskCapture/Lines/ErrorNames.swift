// SPDX-License-Identifier: MIT
internal import Glibc

/// The symbols of the errno values that mmap, mprotect and reading memory can give.
public enum ErrorNames {
    /// `EACCES` for 13; `errno 99` for one that is not among them.
    public static func symbol(_ errno: Int32) -> String {
        switch errno {
        case EPERM: "EPERM"
        case ENOENT: "ENOENT"
        case ESRCH: "ESRCH"
        case EINTR: "EINTR"
        case EIO: "EIO"
        case EBADF: "EBADF"
        case EAGAIN: "EAGAIN"
        case ENOMEM: "ENOMEM"
        case EACCES: "EACCES"
        case EFAULT: "EFAULT"
        case EBUSY: "EBUSY"
        case EEXIST: "EEXIST"
        case ENODEV: "ENODEV"
        case EINVAL: "EINVAL"
        case ENFILE: "ENFILE"
        case EOVERFLOW: "EOVERFLOW"
        case EOPNOTSUPP: "EOPNOTSUPP"
        case ETXTBSY: "ETXTBSY"
        default: "errno \(errno)"
        }
    }

    /// In words, as strerror(3) gives them.
    static func text(_ errno: Int32) -> String {
        String(cString: strerror(errno))
    }
}
