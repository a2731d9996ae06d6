# SPDX-License-Identifier: Apache-2.0
"""Types into `tandem chat` on a pseudo-terminal and checks what the conversation holds afterwards.

Usage: chat_keys.py TANDEM MODEL TEMPLATE
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

LEFT, RIGHT, UP, DOWN, HOME, END, DELETE = (b"\x1b[" + k for k in (b"D", b"C", b"A", b"B", b"H", b"F", b"3~"))


def control(letter: str) -> bytes:
    return bytes([ord(letter) & 0x1F])


class Chat:
    """A running `tandem chat` with a window of 24 columns, so that lines wrap."""

    def __init__(self, *arguments: str):
        self.output = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execv(arguments[0], arguments)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 24, 0, 0))
        self.wait(b"\x1b[J> ")

    def wait(self, wanted: bytes, seconds: float = 60) -> bytes:
        """Reads until `wanted` was written since the last call."""
        end = time.monotonic() + seconds
        while wanted not in self.output:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.terminal], [], [], left)[0]:
                raise SystemExit(f"waited for {wanted!r}, got {self.output[-400:]!r}")
            try:
                block = os.read(self.terminal, 65536)
            except OSError:
                block = b""
            if not block:
                raise SystemExit(f"ended before {wanted!r}: {self.output[-400:]!r}")
            self.output += block
        place = self.output.index(wanted) + len(wanted)
        seen, self.output = self.output[:place], self.output[place:]
        return seen

    def type(self, *keys: bytes | str) -> None:
        for key in keys:
            os.write(self.terminal, key if isinstance(key, bytes) else key.encode())

    def command(self, text: str, wanted: bytes) -> None:
        self.type(text, b"\r")
        self.wait(wanted)

    def leave(self) -> int:
        while True:
            try:
                if not os.read(self.terminal, 65536):
                    break
            except OSError:
                break
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def main() -> None:
    program, model, template = sys.argv[1:]
    chat = Chat(program, "chat", "-m", model, "--template", template, "-n", "3", "--temp", "0", "--ignore-eos")
    lines = [
        ((b"abX", b"\x7f", b"c"), "abc"),
        (("é日本x", LEFT, LEFT, b"\x7f"), "é本x"),
        (("world", HOME, "hello ", END, "!"), "hello world!"),
        (("one two three", control("W"), control("A"), DELETE, control("E"), "3"), "ne two 3"),
        (("abc", control("U"), "xyz", LEFT, control("K")), "xy"),
        (("a long line that goes over more than one row of the window", control("A"), "so "), "so a long line that goes over more than one row of the window"),
        ((UP, UP, UP, "?"), "so a long line that goes over more than one row of the window?"),
        ((UP, DOWN, "new"), "new"),
        (("e\u0301", LEFT, RIGHT, "f"), "e\u0301f"),
        (("first\\", b"\r", "second"), "first\nsecond"),
        (('"""', b"\r", "a", b"\r", "", b"\r", 'b"""'), "a\n\nb"),
        (("//slash",), "/slash"),
    ]
    for keys, wanted in lines:
        chat.type(*keys, b"\r")
        chat.command("/save chat-keys.json", b"saved")
        with open("chat-keys.json", encoding="utf-8") as file:
            messages = json.load(file)
        typed = [m["content"] for m in messages if m["role"] == "user"][-1]
        if typed != wanted:
            raise SystemExit(f"typed {typed!r}, wanted {wanted!r}")
        # The model's context is small.
        chat.command("/reset", b"\x1b[J> ")
    chat.command("/undo", b"\x1b[J> ")
    chat.command("/nothing", b"no command")
    # Between two prompts the terminal itself would turn Ctrl-C into a signal.
    prompt = b"\x1b[J> "
    chat.wait(prompt)
    chat.type(control("C"))
    chat.wait(b"again leaves")
    chat.wait(prompt)
    chat.type("x", control("C"))
    chat.wait(b"again leaves")
    chat.wait(prompt)
    chat.type(control("C"))
    code = chat.leave()
    if code != 0:
        raise SystemExit(f"exit code {code}")

    # The first message comes with the command; Ctrl-D on an empty line leaves.
    chat = Chat(program, "chat", "-m", model, "--template", template, "--temp", "0", "--ignore-eos", "-p", "go")
    chat.type(control("D"))
    if (code := chat.leave()) != 0:
        raise SystemExit(f"exit code {code}")

    # A signal at the prompt ends the process and puts the terminal back in order.
    chat = Chat(program, "chat", "-m", model, "--template", template)
    os.kill(chat.pid, signal.SIGTERM)
    if (code := chat.leave()) not in (128 + signal.SIGTERM, -signal.SIGTERM):
        raise SystemExit(f"exit code {code} after SIGTERM")


if __name__ == "__main__":
    main()
