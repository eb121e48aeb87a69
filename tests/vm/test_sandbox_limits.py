# SPDX-License-Identifier: Apache-2.0
"""Limits of the sandbox by control groups version 2, which the hosts of the other tests may lack: as root and in a delegated group, on
Debian's stock kernels. SBX-012, SBX-013."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import guest
import pytest
from test_kernels import KERNELS

BUILD = Path(os.environ["AISPM_BUILD_DIR"])
RUN = Path(os.environ["AISPM_BIN_DIR"]) / "aispm-run"


@dataclass(frozen=True)
class Runs:
    console: str

    def exit_code(self, who: str, name: str) -> int:
        found = re.search(rf"^RUN {who} {name} (\d+)", self.console, re.MULTILINE)
        assert found, self.console[-3000:]
        return int(found.group(1))

    def output(self, who: str, name: str) -> str:
        return "\n".join(re.findall(rf"^OUT {who} {name} (.*?)\r?$", self.console, re.MULTILINE))

    def events(self, who: str, name: str) -> list[dict]:
        return [json.loads(line) for line in re.findall(rf"^EVENT {who} {name} (.*?)\r?$", self.console, re.MULTILINE)]

    def mechanisms(self, who: str, name: str) -> set[str]:
        return set(next(event["sandbox_start"]["mechanisms"] for event in self.events(who, name) if "sandbox_start" in event))

    def limits(self, who: str, name: str) -> list[str]:
        return next(event["sandbox_exit"].get("limits", []) for event in self.events(who, name) if "sandbox_exit" in event)


@pytest.fixture(scope="module", params=KERNELS)
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    if not RUN.exists():
        pytest.skip(f"{RUN} is not built")
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv (util-linux) is needed to become an ordinary user")
    folder = tmp_path_factory.mktemp(f"sandbox-{request.param}")
    try:
        image = guest.fetch_kernel(BUILD.parent / "kernels" / request.param, KERNELS[request.param])
        shutil.copy2(RUN, folder / "aispm-run")
        programs = [folder / "aispm-run", Path(setpriv), Path(__file__).with_name("sandbox_guest.sh")]
        outcome = guest.boot(image, guest.make_initramfs(folder, programs, "exec /bin/sandbox_guest.sh"))
    except guest.CannotBoot as reason:
        pytest.skip(str(reason))
    assert outcome.exit_code == 0, outcome.console[-3000:]
    return Runs(outcome.console)


WHO = pytest.mark.parametrize("who", ["root", "user"])


@WHO
def test_memory_of_the_whole_run(runs: Runs, who: str) -> None:
    assert "cgroup2:memory" in runs.mechanisms(who, "memory"), runs.output(who, "memory")
    assert runs.exit_code(who, "memory") == 137
    assert runs.limits(who, "memory") == ["memory"]
    assert "limit reached: memory" in runs.output(who, "memory")


@WHO
def test_processes(runs: Runs, who: str) -> None:
    assert "cgroup2:pids" in runs.mechanisms(who, "pids")
    assert "pids" in runs.limits(who, "pids")
    assert "limit reached: pids" in runs.output(who, "pids")


@WHO
def test_processor_time_of_the_whole_run(runs: Runs, who: str) -> None:
    assert "cgroup2:cpu.stat" in runs.mechanisms(who, "cputime")
    assert runs.exit_code(who, "cputime") == 123
    assert runs.limits(who, "cputime") == ["cpu_time"]


@WHO
def test_half_a_processor(runs: Runs, who: str) -> None:
    assert "cgroup2:cpu" in runs.mechanisms(who, "cpus")
    assert runs.exit_code(who, "cpus") == 0, runs.output(who, "cpus")
    # "0m1.20s 0m0.30s", of the shell and then of its children; three seconds by the clock, up to four when they begin late.
    used = sum(60 * float(minutes) + float(seconds) for minutes, seconds in re.findall(r"(\d+)m([\d.]+)s", runs.output(who, "cpus")))
    assert 0.3 < used < 2.6, runs.output(who, "cpus")


@WHO
def test_without_a_limit_hit_none_is_named(runs: Runs, who: str) -> None:
    assert runs.exit_code(who, "nothing") == 7
    assert runs.limits(who, "nothing") == []


def test_groups_are_removed(runs: Runs) -> None:
    assert re.search(r"^LEFT 0\r?$", runs.console, re.MULTILINE), runs.console[-500:]
