# SPDX-License-Identifier: Apache-2.0
"""./dev bench: runs every bench in tests/bench and prints value, target and verdict.

A bench is a program `tests/bench/<part>/bench_*.py`, or a compiled one named bench_* in build/release/tests. It prints JSON
lines: {"name": ..., "value": ..., "unit": ..., "target": ..., "ok": ...}; target and ok may be null.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import build
from ui import ROOT

BENCH_SECONDS = 240


def _programs(names: list[str]) -> list[list[str]]:
    python = str(build.python_environment())
    scripts = sorted((ROOT / "tests" / "bench").glob("*/bench_*.py"))
    compiled = sorted(path for path in (ROOT / "build" / "release" / "tests").glob("bench_*") if os.access(path, os.X_OK))
    found = [[python, str(path)] for path in scripts] + [[str(path)] for path in compiled if path.is_file()]
    return [command for command in found if not names or any(name in command[-1] for name in names)]


def _show(line: dict[str, object]) -> None:
    value = line.get("value")
    shown = f"{value:.3f}" if isinstance(value, float) else str(value)
    target = line.get("target")
    verdict = {True: "ok", False: "MISSED"}.get(line.get("ok"), "")  # type: ignore[call-overload]
    print(f"  {line.get('name', '?')!s:<58} {shown:>14} {line.get('unit') or ''!s:<14} "
          f"{'' if target is None else 'target ' + str(target):<16} {verdict}")


def main(names: list[str], as_json: bool, assume_yes: bool) -> int:
    build.everything_for_tests(assume_yes, "release")
    env = {**os.environ, "AISPM_BIN_DIR": str(build.binary("x").parent), "AISPM_BUILD_DIR": str(ROOT / "build" / "release"),
           "AISPM_SOURCE_DIR": str(ROOT)}
    broken = 0
    for command in _programs(names):
        title = Path(command[-1]).stem
        if not as_json:
            print(title, flush=True)
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=BENCH_SECONDS,
                                  stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            print(f"{title}: took longer than {BENCH_SECONDS} s", file=sys.stderr)
            broken += 1
            continue
        for text in done.stdout.splitlines():
            if not text.startswith("{"):
                continue
            if as_json:
                print(text, flush=True)
            else:
                _show(json.loads(text))
        if done.returncode != 0:
            print(f"{title}: exited {done.returncode}: {done.stderr.strip()[-400:]}", file=sys.stderr)
            broken += 1
    return 1 if broken else 0
