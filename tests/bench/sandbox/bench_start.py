#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Start-to-end time of aispm-run against bubblewrap and a bare process, in interleaved rounds; medians in milliseconds.

Prints JSON lines {"name", "value", "unit", "target", "ok"}. As root it also measures an ordinary user, which is where the target holds.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
RUN = Path(os.environ.get("AISPM_BIN_DIR", ROOT / "build/release/bin")) / "aispm-run"
TARGET_RATIO = 0.7
ORDINARY_UID = 65534
BWRAP = ["bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib",
         "--symlink", "usr/lib64", "/lib64", "--ro-bind", "/etc", "/etc", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--"]  # fmt: skip


def spend(command: list[str], uid: int | None) -> float:
    identity = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
    begin = time.perf_counter()
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                           env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}, cwd="/", **identity)
    spent = (time.perf_counter() - begin) * 1000
    if ended.returncode != 0:
        raise SystemExit(f"{command[0]} failed: {ended.stderr.decode().strip()}")
    return spent


def say(name: str, value: float, unit: str, target: float | None = None) -> None:
    ok = None if target is None else value <= target
    print(json.dumps({"name": name, "value": round(value, 3), "unit": unit, "target": target, "ok": ok}), flush=True)


def measure(label: str, program: list[str], rounds: int, uid: int | None) -> None:
    peers = {"aispm": [str(RUN), "--offline", "--", *program], "bwrap": [*BWRAP, *program], "bare": program}
    times: dict[str, list[float]] = {name: [] for name in peers}
    for command in peers.values():  # warm the caches
        spend(command, uid)
    for _ in range(rounds):
        for name, command in peers.items():
            times[name].append(spend(command, uid))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        say(f"sandbox.start.{label}.{name}", median, "ms")
        say(f"sandbox.start.{label}.{name}.min", min(times[name]), "ms")
    say(f"sandbox.start.{label}.ratio_to_bwrap", medians["aispm"] / medians["bwrap"], "x", TARGET_RATIO)


def main() -> None:
    if not RUN.exists():
        raise SystemExit(f"{RUN} is not built")
    if not shutil.which("bwrap"):
        raise SystemExit("bubblewrap is not installed (apt install bubblewrap)")
    users: dict[str, int | None] = {"": None}
    if os.geteuid() == 0:
        users = {"root.": None, "user.": ORDINARY_UID}
    for prefix, uid in users.items():
        measure(prefix + "true", ["/bin/true"], 60, uid)
        measure(prefix + "python", ["/usr/bin/python3", "-c", "pass"], 25, uid)


if __name__ == "__main__":
    main()
