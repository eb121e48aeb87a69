#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a refused system call costs, inside aispm-run: allowed, refused by the filter itself, refused and reported by the supervisor; how soon
the report can be read; and whether a flood of them loses any. Prints JSON lines {"name", "value", "unit", "target", "ok"}.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from launches import ENVIRONMENT, ROOT, RUN, say

CALLS = Path(os.environ.get("AISPM_BUILD_DIR", ROOT / "build/release")).absolute() / "tests/sandbox_calls"
COST_ROUNDS = 2000
FLOOD_ROUNDS = 100_000
EVENTS = 15
TARGET_COST_US = 10.0
TARGET_EVENT_MS = 5.0


def run(words: list[str], sandbox: list[str] | None = None) -> Any:
    command = [str(CALLS), *words] if sandbox is None else [str(RUN), "--offline", *sandbox, "--", str(CALLS), *words]
    ended = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False)
    if ended.returncode != 0:
        raise SystemExit(f"{command}: {ended.stderr.strip()}")
    return json.loads(ended.stdout)


def costs() -> None:
    bare = run(["cost", str(COST_ROUNDS)])
    inside = run(["cost", str(COST_ROUNDS)], [])
    say("sandbox.call.allowed.bare", bare["allowed"] / 1000, "us")
    for kind in ("allowed", "by_filter", "by_supervisor"):
        target = TARGET_COST_US if kind == "by_supervisor" else None
        say(f"sandbox.call.{'refused_' if kind != 'allowed' else ''}{kind}", inside[kind] / 1000, "us", target)


def denials(path: Path) -> list[dict[str, Any]]:
    return [event["sandbox_denial"] for event in map(json.loads, path.read_text().splitlines()) if "sandbox_denial" in event]


def event_delay_ms(folder: Path) -> float:
    """From the refused call to its line in the file of events."""
    path = folder / "events.jsonl"
    process = subprocess.Popen([str(RUN), "--offline", "--events", str(path), "--", str(CALLS), "once"], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while not path.exists() or "sandbox_denial" not in path.read_text():
        if time.monotonic() > deadline:
            raise SystemExit("the refused call was not reported")
        time.sleep(0.0002)
    seen = time.monotonic_ns()
    output, _ = process.communicate()
    path.unlink()
    return float(seen - json.loads(output)["at"]) / 1e6


def flood(folder: Path) -> None:
    path = folder / "flood.jsonl"
    made = run(["flood", str(FLOOD_ROUNDS)], ["--events", str(path)])
    counted: dict[str, int] = {}
    for denial in denials(path):
        counted[denial["target"]] = counted.get(denial["target"], 0) + int(denial["count"])
    say("sandbox.call.flood", made["calls"] / made["nanoseconds"] * 1e9, "1/s")
    say("sandbox.call.flood.lost", made["calls"] - sum(counted.values()), "", 0)
    say("sandbox.call.flood.lost_kinds", 8 - len(counted), "", 0)


def main() -> None:
    for program in (RUN, CALLS):
        if not program.exists():
            raise SystemExit(f"{program} is not built")
    costs()
    with tempfile.TemporaryDirectory() as folder:
        say("sandbox.call.event", statistics.median(event_delay_ms(Path(folder)) for _ in range(EVENTS)), "ms", TARGET_EVENT_MS)
        flood(Path(folder))


if __name__ == "__main__":
    main()
