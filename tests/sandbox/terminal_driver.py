# SPDX-License-Identifier: Apache-2.0
"""A person at a terminal: starts a command on a pseudo-terminal, types, and reads the screen."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from pathlib import Path
from types import TracebackType

PATIENCE = 20.0


class Screen:
    def __init__(self, words: list[str], env: dict[str, str], cwd: Path, rows: int = 33, columns: int = 77) -> None:
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
                os.chdir(cwd)
                os.execvpe(words[0], words, env)
            finally:
                os._exit(99)

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self.fd)
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def expect(self, text: str, seconds: float = PATIENCE) -> str:
        """Waits until `text` is on the screen after what was expected before; gives what came before it."""
        wanted = text.encode()
        deadline = time.monotonic() + seconds
        while wanted not in self.seen:
            assert time.monotonic() < deadline, f"{text!r} did not come, but {self.seen!r}"
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.fd, 65536)
                except OSError:  # nobody has the other side open
                    assert wanted in self.seen, f"{text!r} did not come before the end, but {self.seen!r}"
        before, self.seen = self.seen.split(wanted, 1)
        return before.decode(errors="replace")

    def modes(self) -> list[object]:
        return termios.tcgetattr(self.fd)

    def wait(self, is_open: bool = True) -> int:
        """Exit code; the screen is read meanwhile while it is open."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if not is_open:
                time.sleep(0.02)
            elif select.select([self.fd], [], [], 0.02)[0]:
                try:
                    self.seen += os.read(self.fd, 65536)
                except OSError:
                    time.sleep(0.02)
        raise AssertionError(f"it did not end: {self.seen!r}")
