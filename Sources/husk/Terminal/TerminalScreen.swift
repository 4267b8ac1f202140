// SPDX-License-Identifier: MIT
import Glibc

/// The terminal that Husk draws on beside its lines: that of standard error.
///
/// Opened anew, because what is drawn must never wait for a terminal that does not take it
/// (Ctrl-S, a connection that hangs), and O_NONBLOCK on standard error would be the target's, too.
final class TerminalScreen {
    private let descriptor: Int32
    /// What the terminal has not taken yet of the last picture: half a control sequence would take
    /// the target's next words with it.
    private var rest: ArraySlice<UInt8> = []

    /// Whether standard error is a terminal on which a cursor can be moved.
    static var isAddressable: Bool {
        guard LineOutput.standardError.isTerminal else { return false }
        return getenv("TERM").map { !["", "dumb"].contains(String(cString: $0)) } ?? false
    }

    /// Nil: standard error is no such terminal, or not the one that job control is about.
    init?() {
        guard Self.isAddressable, tcgetpgrp(STDERR_FILENO) >= 0 else { return nil }
        descriptor = open("/dev/tty", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
    }

    deinit { close(descriptor) }

    var size: TerminalSize? { .current(of: descriptor) }

    /// Not in the background.
    var isForeground: Bool { tcgetpgrp(descriptor) == getpgrp() }

    /// Who has taken the terminal out of its line mode reads keys, and draws on all of it: an
    /// editor, a pager.
    var isInLineMode: Bool {
        var settings = termios()
        return tcgetattr(descriptor, &settings) == 0 && settings.c_lflag & tcflag_t(ICANON) != 0
    }

    /// One write(2), which waits for no one. False: nothing of it has been written.
    func draw(_ picture: String) -> Bool {
        // Between the two halves of a long line of Husk's own it would be in the wrong place.
        LineOutput.standardOutput.betweenLines {
            LineOutput.standardError.betweenLines {
                guard writeRest() else { return false }
                let bytes = Array(picture.utf8)
                rest = bytes[...]
                if writeRest() || rest.count < bytes.count { return true }
                rest = []
                return false
            } ?? false
        } ?? false
    }

    /// The same; tries for a while.
    @discardableResult
    func draw(_ picture: String, within patience: Duration) -> Bool {
        let limit = Deadline(after: patience)
        while !draw(picture) || !writeRest() {
            if limit.hasPassed { return false }
            usleep(10_000)
        }
        return true
    }

    /// True: there is none left.
    private func writeRest() -> Bool {
        // With `stty tostop`, what a background process writes would stop it. The last thing it
        // writes takes back what it has drawn.
        var stop = sigset_t()
        var previous = sigset_t()
        sigemptyset(&stop)
        sigaddset(&stop, SIGTTOU)
        pthread_sigmask(SIG_BLOCK, &stop, &previous)
        defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
        while !rest.isEmpty {
            let size = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if size > 0 {
                rest = rest.dropFirst(size)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}
