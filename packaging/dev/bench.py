# SPDX-License-Identifier: Apache-2.0
"""./dev bench: runs every bench in tests/bench and prints value, target and verdict.

A bench is a program `tests/bench/<part>/bench_*.py`, or a compiled one named bench_* in build/release/tests. It prints JSON
lines: {"name": ..., "value": ..., "unit": ..., "target": ..., "ok": ...}; target and ok may be null.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import build
from ui import ROOT, Refusal

BENCH_SECONDS = 900  # against a bench that hangs; the first run also fetches and builds the programs that are measured
END_SECONDS = 5


def _programs(names: list[str]) -> list[list[str]]:
    python = str(build.python_environment())
    scripts = sorted((ROOT / "tests" / "bench").glob("*/bench_*.py"))
    compiled = sorted(path for path in (ROOT / "build" / "release" / "tests").glob("bench_*") if os.access(path, os.X_OK))
    found = [[python, str(path)] for path in scripts] + [[str(path)] for path in compiled if path.is_file()]
    return [command for command in found if not names or any(name in str(Path(command[-1]).relative_to(ROOT)) for name in names)]


def _show(line: dict[str, object]) -> None:
    value = line.get("value")
    shown = f"{value:.3f}" if isinstance(value, float) else str(value)
    target = line.get("target")
    verdict = {True: "ok", False: "MISSED"}.get(line.get("ok"), "")  # type: ignore[call-overload]
    print(f"  {line.get('name', '?')!s:<58} {shown:>14} {line.get('unit') or ''!s:<14} "
          f"{'' if target is None else 'target ' + str(target):<16} {verdict}")


def _end(bench: subprocess.Popen[bytes]) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(bench.pid, how)
            bench.wait(timeout=END_SECONDS)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
        time.sleep(END_SECONDS if how == signal.SIGTERM else 0)  # its programs may need a moment too


def _run(command: list[str], env: dict[str, str]) -> tuple[str, str]:
    """What it printed, also when it did not end, and why it failed. What it says of itself (skipped, missing) goes to stderr."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        # A session of its own: what a bench started ends with it.
        bench = subprocess.Popen(command, stdout=output, stderr=errors, env=env, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            status = bench.wait(timeout=BENCH_SECONDS)
            problem = f"exited {status}" if status != 0 else ""
        except subprocess.TimeoutExpired:
            problem = f"took longer than {BENCH_SECONDS} s"
        except KeyboardInterrupt:
            _end(bench)
            raise
        if problem:
            _end(bench)
        output.seek(0)
        errors.seek(0)
        said = [line.rstrip() for line in errors if not line.startswith("time=")]
        if problem and said:
            problem += ": " + " ".join(said)[-400:]
        for line in [] if problem else said:
            print(f"  {line}", file=sys.stderr, flush=True)
        return output.read(), problem


def main(names: list[str], as_json: bool, assume_yes: bool) -> int:
    build.everything_for_tests(assume_yes, "release")
    env = {**os.environ, "AISPM_BIN_DIR": str(build.binary("x").parent), "AISPM_BUILD_DIR": str(ROOT / "build" / "release"),
           "AISPM_SOURCE_DIR": str(ROOT)}
    programs = _programs(names)
    if not programs:
        raise Refusal(f"no bench's name contains {' or '.join(names)}")
    broken: list[str] = []
    missed = figures = 0
    for command in programs:
        title = Path(command[-1]).stem
        if not as_json:
            print(title, flush=True)
        output, problem = _run(command, env)
        for text in output.splitlines():
            if not text.startswith("{"):
                continue
            figures += 1
            line = json.loads(text)
            missed += line.get("ok") is False
            if as_json:
                print(text, flush=True)
            else:
                _show(line)
        if problem:
            print(f"  {title}: {problem}", file=sys.stderr, flush=True)
            broken.append(title)
    if not as_json:
        print(f"{figures} figures of {len(programs)} benches, {missed} missed their target, {len(broken)} benches failed"
              + (": " + ", ".join(broken) if broken else ""))
    return 1 if broken else 0
