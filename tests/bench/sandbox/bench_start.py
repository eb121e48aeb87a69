#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Start to end of /bin/true and of an empty Python in aispm-run, against bare processes and other sandboxes in interleaved rounds; memory
of the supervisor, and launches a second. As root it measures root and an ordinary user.

Prints JSON lines {"name", "value", "unit", "target", "ok"}. "ratio" is aispm-run's median over the peer's in the same rounds. With names
of programs as arguments it measures these builds of aispm-run too ("before=/path"), in the same rounds.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

from launches import BWRAP, ROOT, RUN, Spent, as_user, interleave, median, note, peer_commands, say, spawn, users, works_here

TRUE = ["/bin/true"]
PYTHON = ["/usr/bin/python3", "-I", "-S", "-c", "pass"]
ROUNDS, SLOW_ROUNDS = 60, 8
SLOW_PEERS = ("firejail", "runc", "runsc")  # tens to hundreds of milliseconds
THROUGHPUT_SECONDS = 2.0
TARGET_RATIO = 0.7  # to bubblewrap
TARGET_MEDIAN_MS = 3.3
TARGET_MIN_MS = 2.2
TARGET_PYTHON_ADDED_MS = 2.0
TARGET_CPU_MS = 4.0
TARGET_RSS_MB = 1.5
TARGET_LAUNCHES = 300.0


def ours(program: list[str], run: Path = RUN) -> list[str]:
    return [str(run), "--offline", "--", *program]


def report(label: str, spent: dict[str, list[Spent]]) -> None:
    is_true = label.endswith("true")
    for name, values in spent.items():
        is_ours = name == "aispm"
        say(f"sandbox.start.{label}.{name}", median(values), "ms", TARGET_MEDIAN_MS if is_ours and is_true else None)
        say(f"sandbox.start.{label}.{name}.min", min(value.wall_ms for value in values), "ms", TARGET_MIN_MS if is_ours and is_true else None)
        say(f"sandbox.start.{label}.{name}.cpu", sum(value.cpu_ms for value in values) / len(values), "ms", TARGET_CPU_MS if is_ours and is_true else None)
    for name in spent:
        if name not in ("aispm", "bare"):
            say(f"sandbox.start.{label}.ratio_to_{name}", median(spent["aispm"]) / median(spent[name]), "x", TARGET_RATIO if name == "bwrap" else None)
    if "bare" in spent and not is_true:
        say(f"sandbox.start.{label}.added", median(spent["aispm"]) - median(spent["bare"]), "ms", TARGET_PYTHON_ADDED_MS)


def measure(label: str, who: str, program: list[str], uid: int | None, builds: dict[str, Path], rounds: int) -> None:
    quick = {"aispm": ours(program), **{name: ours(program, run) for name, run in builds.items()}, "bare": program}
    slow = {}
    peers = peer_commands(program)
    for name, command in peers:  # a peer's folder lives until the next one is asked for
        if not works_here(name, command, who, uid):
            continue
        if name in SLOW_PEERS or "--bundle" in command:
            slow[name] = as_user(uid, lambda command=command, name=name: interleave({"aispm": ours(program), name: command}, SLOW_ROUNDS))
        else:
            quick[name] = command
    report(label, as_user(uid, lambda: interleave(quick, rounds)))
    for name, spent in slow.items():
        say(f"sandbox.start.{label}.{name}", median(spent[name]), "ms")
        say(f"sandbox.start.{label}.ratio_to_{name}", median(spent["aispm"]) / median(spent[name]), "x")


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"process {pid} has no memory")


def memory(command: list[str]) -> float:
    """Of the supervisor while its program sleeps."""
    pid = spawn(command)
    try:
        time.sleep(0.3)
        return resident_mb(pid)
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


def launches_a_second(command: list[str]) -> float:
    """From one process for each processor. Nobody waits for what a run leaves to the kernel: it is in the rate all the same."""
    workers = os.cpu_count() or 1
    read_end, write_end = os.pipe()
    begin = time.perf_counter()
    children = []
    for _ in range(workers):
        child = os.fork()
        if child == 0:
            count = 0
            while time.perf_counter() - begin < THROUGHPUT_SECONDS:
                if os.waitpid(spawn(command), 0)[1] != 0:
                    os._exit(1)
                count += 1
            os.write(write_end, f"{count / (time.perf_counter() - begin)}\n".encode())
            os._exit(0)
        children.append(child)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        rates = [float(line) for line in pipe]
    for child in children:
        os.waitpid(child, 0)
    if len(rates) != workers:
        raise SystemExit("a launch failed")
    return sum(rates)


def main() -> None:
    if not RUN.exists():
        raise SystemExit(f"{RUN} is not built")
    builds = {name: Path(path).absolute() for name, path in (word.split("=", 1) for word in sys.argv[1:])}
    os.chdir(ROOT)
    for prefix, uid in users().items():
        who = prefix.strip(".")
        if uid is not None and not as_user(uid, lambda: os.access(RUN, os.X_OK)):
            note(f"an ordinary user cannot reach {RUN}: measured as root only")
            continue
        measure(prefix + "true", who, TRUE, uid, builds, ROUNDS)
        measure(prefix + "python", who, PYTHON, uid, builds, ROUNDS // 2)
        say(f"sandbox.start.{prefix}supervisor_memory", as_user(uid, lambda: memory(ours(["/bin/sleep", "5"]))), "MB", TARGET_RSS_MB)
        say(f"sandbox.start.{prefix}launches", as_user(uid, lambda: launches_a_second(ours(TRUE))), "1/s", TARGET_LAUNCHES, at_least=True)
        if shutil.which("bwrap"):
            say(f"sandbox.start.{prefix}launches.bwrap", as_user(uid, lambda: launches_a_second([*BWRAP, *TRUE])), "1/s")


if __name__ == "__main__":
    main()
