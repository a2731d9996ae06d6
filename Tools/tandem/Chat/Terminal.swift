// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The terminal of standard input, byte by byte while a line is edited.
final class Terminal: Sendable {
    private let original: termios

    /// Nil when standard input is no terminal.
    init?() {
        var settings = termios()
        guard unsafe tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
        original = settings
    }

    /// Gives every key to the reader at once, unseen.
    func makeRaw() {
        var settings = original
        settings.c_lflag &= ~tcflag_t(ECHO | ICANON | IEXTEN | ISIG)
        settings.c_iflag &= ~tcflag_t(IXON | ICRNL | INLCR)
        unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
    }

    func restore() {
        var settings = original
        unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
    }

    /// Columns of the window; 80 when they are not known.
    static var width: Int {
        var size = winsize()
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// The next byte; nil at the end of the input, and after `milliseconds` without one.
    static func readByte(within milliseconds: Int32 = -1) -> UInt8? {
        var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        while true {
            let ready = unsafe poll(&descriptor, 1, milliseconds)
            if ready == 0 { return nil }
            if ready < 0, errno != EINTR { return nil }
            if ready < 0 { continue }
            var byte: UInt8 = 0
            let count = unsafe read(STDIN_FILENO, &byte, 1)
            if count == 1 { return byte }
            if count < 0, errno == EINTR { continue }
            return nil
        }
    }
}
