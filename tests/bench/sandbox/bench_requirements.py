#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What --requirements adds to a start when the packages are in the cache: pairs of runs with and without it, in turn; medians of the differences.

Prints JSON lines {"name", "value", "unit", "target", "ok"}: wall time, and processor time, which a busy machine spoils less.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[3]
RUN = Path(os.environ.get("AISPM_BIN_DIR", ROOT / "build/release/bin")) / "aispm-run"
RUN_PLAN = [str(RUN), "--dry-run"]
PYTHON = "/usr/bin/python3"
PAIRS = 150
TARGET_MS = 1.0
PACKAGES = 40


def make_wheel(folder: Path, name: str) -> None:
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        for module in range(20):
            wheel.writestr(f"{name}/m{module}.py", "x = 1\n" * 100)
        wheel.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}-1.0.dist-info/RECORD", "")


def spend(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall and processor milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    ended = subprocess.run(command, env=environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode != 0:
        raise SystemExit(f"aispm-run failed: {ended.stderr.strip()}")
    return wall * 1000, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def say(name: str, value: float, target: float | None = None) -> None:
    print(json.dumps({"name": f"sandbox.requirements.{name}", "value": round(value, 3), "unit": "ms", "target": target,
                      "ok": None if target is None else value <= target}), flush=True)


def compare(name: str, with_them: list[str], without: list[str], environment: dict[str, str]) -> None:
    differences = []
    for number in range(PAIRS):
        pair = {}
        for which in ("with", "without") if number % 2 else ("without", "with"):
            pair[which] = spend(with_them if which == "with" else without, environment)
        differences.append([pair["with"][i] - pair["without"][i] for i in range(2)])
    say(f"{name}.wall", statistics.median(wall for wall, _ in differences), TARGET_MS)
    say(f"{name}.cpu", statistics.median(cpu for _, cpu in differences), TARGET_MS)


def main() -> None:
    if not RUN.exists():
        raise SystemExit(f"{RUN} is not built")
    if subprocess.run([PYTHON, "-I", "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
        print(f"skipped: {PYTHON} has no pip (python3-pip)", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="aispm-bench-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        names = [f"pack{number}" for number in range(PACKAGES)]
        (folder / "wheels").mkdir()
        for name in names:
            make_wheel(folder / "wheels", name)
        (folder / "requirements.txt").write_text("".join(f"{name}==1.0\n" for name in names))
        environment = {"PATH": "/usr/bin:/bin", "HOME": temporary, "AISPM_CACHE": f"{temporary}/cache"}
        # The packages' mount is a part of what is asked for; reports of the packages are not.
        without = [str(RUN), "--offline", "--", "/bin/true"]
        with_them = [str(RUN), "--offline", "--python", PYTHON, "--requirements", f"{temporary}/requirements.txt", "--index", f"{temporary}/wheels", "--",
                     "/bin/true"]
        say("first", spend(with_them, environment)[0])
        compare("hit", with_them, without, environment)
        # The lookup by itself: nothing is started.
        compare("hit.lookup", [*RUN_PLAN, *with_them[1:]], [*RUN_PLAN, *without[1:]], environment)
        # The last user of the cache is this bench: what it made goes with it.
        subprocess.run(["chmod", "-R", "u+w", temporary], check=False)


if __name__ == "__main__":
    main()
