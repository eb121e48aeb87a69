# SPDX-License-Identifier: Apache-2.0
"""Starts and stops the programs of one host, by pid file, without needing systemd."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from state import State
from ui import Refusal

START_SECONDS = 15.0
STOP_SECONDS = 10.0
LOG_TAIL_LINES = 15


@dataclass(frozen=True)
class Running:
    pid: int
    started: float  # seconds since the epoch


def _start_ticks(pid: int) -> str:
    """Kernel start time of a process: with the pid it names one process and no later one that got the same pid."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]


def running(state: State, name: str) -> Running | None:
    path = state.run / f"{name}.pid"
    try:
        pid, ticks = path.read_text().split()
        if _start_ticks(int(pid)) != ticks or _is_zombie(int(pid)):
            return None
        return Running(int(pid), path.stat().st_mtime)
    except (OSError, ValueError, IndexError):
        return None


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


def start(state: State, name: str, command: list[str], env: dict[str, str] | None = None) -> None:
    """Starts a program in a session of its own with its output appended to log/<name>.log."""
    with (state.log / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
            env={**os.environ, **(env or {})})
    (state.run / f"{name}.pid").write_text(f"{process.pid} {_start_ticks(process.pid)}\n")


def stop(state: State, name: str) -> bool:
    """SIGTERM, then SIGKILL after a while. False when it did not run."""
    found = running(state, name)
    path = state.run / f"{name}.pid"
    if found is None:
        path.unlink(missing_ok=True)
        return False
    os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while running(state, name) is not None:
        if time.monotonic() > deadline:
            os.kill(found.pid, signal.SIGKILL)
            break
        time.sleep(0.02)
    path.unlink(missing_ok=True)
    return True


def log_tail(state: State, name: str) -> str:
    path = state.log / f"{name}.log"
    if not path.exists():
        return ""
    return "\n".join(path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])


def wait_for_port(state: State, name: str, port: int) -> None:
    """Waits until `name` listens; refuses with the end of its log when it ended or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        if running(state, name) is None:
            raise Refusal(f"{name} ended at start:\n{log_tail(state, name)}")
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > deadline:
            raise Refusal(f"{name} does not listen on port {port} after {START_SECONDS:.0f} s:\n{log_tail(state, name)}")
        time.sleep(0.02)


def port_owner(port: int) -> str | None:
    """Which process listens on a TCP port of this host: "nginx (pid 812)", or None when it is free."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not Path(table).exists():
            continue
        for line in Path(table).read_text().splitlines()[1:]:
            parts = line.split()
            if parts[3] == "0A" and int(parts[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{parts[9]}]")
    if not inodes:
        return None
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if any(os.readlink(fd) in inodes for fd in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue
    return "a process this user may not see"
