#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How soon a sandbox ends: after kill -9 of its supervisor, and after the wall time's grace. Medians and the worst, in milliseconds.

Prints JSON lines {"name", "value", "unit", "target", "ok"}. As root it also measures an ordinary user.
"""

from __future__ import annotations

import json
import os
import select
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
RUN = Path(os.environ.get("AISPM_BIN_DIR", ROOT / "build/release/bin")) / "aispm-run"
ORDINARY_UID = 65534
ROUNDS = 15
WALL_MS, GRACE_MS = 200, 2000
# Five daemons that ignore what can be ignored, and the agent that does so too.
STUBBORN = "trap '' TERM HUP INT; for i in 1 2 3 4 5; do setsid sh -c \"trap '' TERM HUP INT; while :; do sleep 1; done\" & done; echo up; while :; do sleep 1; done"


def start(words: list[str], uid: int | None) -> tuple[subprocess.Popen[bytes], int]:
    """The process, and the write end of a pipe that the sandbox's processes alone can read."""
    read_end, write_end = os.pipe()
    identity = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
    process = subprocess.Popen([str(RUN), "--offline", *words, "--", "sh", "-c", STUBBORN], stdin=read_end, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}, cwd="/", **identity)
    os.close(read_end)
    return process, write_end


def wait_for_the_last(write_end: int) -> None:
    poller = select.poll()
    poller.register(write_end, 0)
    if not poller.poll(30_000):
        raise SystemExit("the sandbox outlived its end")
    os.close(write_end)


def after_kill(uid: int | None) -> float:
    process, write_end = start([], uid)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.05)
    begin = time.perf_counter()
    process.kill()
    wait_for_the_last(write_end)
    spent = (time.perf_counter() - begin) * 1000
    process.communicate()
    return spent


def after_the_wall_time(uid: int | None) -> float:
    begin = time.perf_counter()
    process, write_end = start(["--timeout", f"{WALL_MS}ms"], uid)
    wait_for_the_last(write_end)
    spent = (time.perf_counter() - begin) * 1000 - WALL_MS - GRACE_MS
    process.communicate()
    return spent


def say(name: str, value: float, target: float) -> None:
    print(json.dumps({"name": name, "value": round(value, 2), "unit": "ms", "target": target, "ok": value <= target}), flush=True)


def main() -> None:
    if not RUN.exists():
        raise SystemExit(f"{RUN} is not built")
    users: dict[str, int | None] = {"root.": None, "user.": ORDINARY_UID} if os.geteuid() == 0 else {"": None}
    for prefix, uid in users.items():
        kills = [after_kill(uid) for _ in range(ROUNDS)]
        say(f"sandbox.end.{prefix}kill9.median", statistics.median(kills), 100)
        say(f"sandbox.end.{prefix}kill9.worst", max(kills), 100)
        # The start of the sandbox is in it too.
        say(f"sandbox.end.{prefix}wall_time.worst", max(after_the_wall_time(uid) for _ in range(3)), 50)


if __name__ == "__main__":
    main()
