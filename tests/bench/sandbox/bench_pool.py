#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starts from the warm pool, in turn with cold ones and bubblewrap; medians, minima and ratios.

`first_step`: from the request to the pool until the program's first step (exec, or the agent's code in an interpreter), as aispm-run
--verbose says it. `first_output`: from the launcher's own start until the agent's first byte has come out. Prints JSON lines
{"name", "value", "unit", "target", "ok"}. As root it also measures an ordinary user.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import time
from pathlib import Path

from launches import BWRAP, ORDINARY_UID, RUN, say

KEEPER = RUN.parent / "aispm-pool"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
PAUSE = 0.15  # for the pool to fill again
TARGET_STEP_MS, TARGET_OUTPUT_MS, TARGET_REFILL_MS, TARGET_MEMORY_MB = 1.0, 2.5, 5.0, 12.0


def spend(command: list[str], uid: int | None) -> tuple[float, float, str]:
    """Milliseconds to the first byte of output and to the end, and what was said on standard error."""
    identity = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT, cwd="/", **identity)
    first = process.stdout.read(1)
    output = (time.perf_counter() - begin) * 1000
    rest, said = process.communicate()
    end = (time.perf_counter() - begin) * 1000
    if process.returncode != 0 or (first + rest).strip() != b"x":
        raise SystemExit(f"{command[0]} failed: {said.decode().strip()}")
    return output, end, said.decode()


def measure(label: str, commands: dict[str, list[str]], rounds: int, uid: int | None) -> None:
    outputs: dict[str, list[float]] = {name: [] for name in commands}
    ends: dict[str, list[float]] = {name: [] for name in commands}
    steps: dict[str, list[float]] = {"warm": [], "cold": []}
    missed = 0
    for _ in range(4):  # the pool learns what is asked for
        spend(commands["warm"], uid)
        time.sleep(PAUSE * 2)
    for _ in range(rounds):
        for name, command in commands.items():
            if name == "warm":
                time.sleep(PAUSE)
            output, end, said = spend(command, uid)
            if name == "warm" and "warm start" not in said:
                missed += 1
                continue
            outputs[name].append(output)
            ends[name].append(end)
            if found := re.search(r"(\d+) us to the program's first step", said):
                steps[name].append(int(found[1]) / 1000)
    prefix = f"sandbox.pool.{label}"
    for name, values in steps.items():
        say(f"{prefix}.first_step.{name}", statistics.median(values), "ms", TARGET_STEP_MS if name == "warm" else None)
        say(f"{prefix}.first_step.{name}.min", min(values), "ms")
    for name, values in outputs.items():
        say(f"{prefix}.first_output.{name}", statistics.median(values), "ms", TARGET_OUTPUT_MS if name == "warm" else None)
        say(f"{prefix}.first_output.{name}.min", min(values), "ms")
        say(f"{prefix}.whole_run.{name}", statistics.median(ends[name]), "ms")
    say(f"{prefix}.first_output.ratio_to_cold", statistics.median(outputs["warm"]) / statistics.median(outputs["cold"]), "x")
    say(f"{prefix}.missed", missed, "runs")


def memory_of_waiting(keeper: subprocess.Popen[str]) -> list[float]:
    """Proportional set size of each sandbox that waits with an interpreter, all its processes together, in MiB."""
    def children(pid: int) -> list[int]:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    sizes = []
    for first in children(keeper.pid):
        family = [first, *children(first)]
        names = [Path(f"/proc/{pid}/exe").resolve().name for pid in family]
        if any(name.startswith("python") for name in names):
            sizes.append(sum(int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1]) for pid in family) / 1024)
    return sizes


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    if not RUN.exists() or not KEEPER.exists():
        raise SystemExit(f"{RUN} or {KEEPER} is not built")
    folder = Path(f"/var/tmp/aispm-bench-pool-{os.getpid()}")
    folder.mkdir()
    folder.chmod(0o755)
    agent = folder / "agent.py"
    agent.write_text("print('x', flush=True)\n")
    socket = folder / "pool.sock"
    keeper = subprocess.Popen([str(KEEPER), "--socket", str(socket), "--entries", "3"], stderr=subprocess.PIPE, text=True)
    try:
        while not socket.exists():
            time.sleep(0.02)
        cold = [str(RUN), "--offline", "--verbose"]
        warm = [*cold, "--pool", "--pool-socket", str(socket)]
        users: dict[str, int | None] = {"root.": None, "user.": ORDINARY_UID} if os.geteuid() == 0 else {"": None}
        for prefix, uid in users.items():
            for name, program in (("echo", ["/bin/echo", "x"]), ("python", ["/usr/bin/python3", str(agent)])):
                ours = ["--", *program] if name == "echo" else [str(agent)]
                peers = {"warm": [*warm, *ours], "cold": [*cold, *ours]}
                if shutil.which("bwrap"):
                    shared = ["--ro-bind", str(folder), str(folder)]
                    peers["bwrap"] = [*BWRAP[:-1], *shared, "--", *program]
                measure(prefix + name, peers, 30, uid)
        time.sleep(1)
        sizes = memory_of_waiting(keeper)
        say("sandbox.pool.memory_per_interpreter", max(sizes), "MiB", TARGET_MEMORY_MB)
        spent = processor_seconds(keeper.pid)
        keeper.terminate()
        said = keeper.communicate(timeout=20)[1]
        started = int(re.search(r"(\d+) started", said)[1])
        if found := re.search(r"median (\d+) us to make one that executes, (\d+) us one with an interpreter", said):
            say("sandbox.pool.refill.exec", int(found[1]) / 1000, "ms", TARGET_REFILL_MS)
            say("sandbox.pool.refill.interpreter", int(found[2]) / 1000, "ms", TARGET_REFILL_MS)
        say("sandbox.pool.keeper_processor_per_sandbox", spent * 1000 / started, "ms")
    finally:
        if keeper.poll() is None:
            keeper.terminate()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
