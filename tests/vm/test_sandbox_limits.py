# SPDX-License-Identifier: Apache-2.0
"""Limits of the sandbox by control groups version 2, which the hosts of the other tests may lack: as root and in a delegated group, on
Debian's stock kernels; and the workspace's quota on ext4. SBX-012, SBX-013, SBX-014."""

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
        cache = BUILD.parent / "kernels" / request.param
        image = guest.fetch_kernel(cache, KERNELS[request.param])
        shutil.copy2(RUN, folder / "aispm-run")
        programs = [folder / "aispm-run", Path(setpriv), *(Path(__file__).with_name(name) for name in ("sandbox_guest.sh", "quota_guest.sh"))]
        for name in ("mkfs.ext4", "lsattr", "chattr"):
            if (tool := shutil.which(name)) is None:
                pytest.skip(f"{name} (e2fsprogs) is needed for quotas")
            programs.append(Path(tool))
        programs += guest.fetch_modules(cache, image, ["quota_tree", "quota_v2", "brd"])
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
    """Those of killed supervisors too, by the next run."""
    assert re.search(r"^KILLED user [1-9]", runs.console, re.MULTILINE), runs.console[-2000:]
    assert re.search(r"^LEFT 0\r?$", runs.console, re.MULTILINE), runs.console[-500:]


def counted(runs: Runs, name: str) -> int:
    """How many files of the workspace belonged to a project then."""
    found = re.search(rf"^PROJECT {name} (\d+)", runs.console, re.MULTILINE)
    assert found, runs.console[-3000:]
    return int(found.group(1))


def test_a_full_workspace_is_the_limit_disk_sbx_014(runs: Runs) -> None:
    assert "workspace:project_quota" in runs.mechanisms("quota", "full"), runs.output("quota", "full")
    assert "Disk quota exceeded" in runs.output("quota", "full")
    assert "limit reached: disk: /mnt/q/w was full (8388608 bytes)" in runs.output("quota", "full")
    assert runs.limits("quota", "full") == ["disk"]
    assert runs.exit_code("quota", "full") == 3  # the program's own
    size = int(re.search(r"^SIZE full (\d+)", runs.console, re.MULTILINE)[1])
    assert 6 << 20 < size <= 8 << 20


def test_all_is_given_back_at_the_end(runs: Runs) -> None:
    assert counted(runs, "full") == 0
    assert re.search(r"^WRITE after 0\r?$", runs.console, re.MULTILINE), runs.console[-3000:]  # as much again, by an ordinary user
    assert re.search(r"^RECORDS full 0\r?$", runs.console, re.MULTILINE)


def test_what_fits_is_no_limit_and_new_files_count(runs: Runs) -> None:
    assert runs.exit_code("quota", "fits") == 0, runs.output("quota", "fits")
    assert runs.limits("quota", "fits") == []


def test_emptied_again_is_told_all_the_same(runs: Runs) -> None:
    """The kernel announces it."""
    assert runs.limits("quota", "emptied") == ["disk"], runs.output("quota", "emptied")


def test_an_agent_cannot_leave_its_project(runs: Runs) -> None:
    assert "chattr 0" not in runs.output("quota", "leave")
    assert "chattr" in runs.output("quota", "leave")
    assert runs.limits("quota", "leave") == ["disk"]


def test_what_cannot_be_kept_is_refused(runs: Runs) -> None:
    for name, code, text in (("small", 125, "holds"), ("taken", 125, "belongs to project 77 already"), ("tmpfs", 125, "tmpfs) enforces no project quotas"),
                             ("busy", 125, "belongs to project"), ("none", 2, "no workspace")):
        assert text in runs.output("quota", name), (name, runs.output("quota", name))
        assert runs.exit_code("quota", name) == code, name
        assert "ran" not in runs.output("quota", name).split()
        assert counted(runs, name) == (1 if name == "taken" else counted(runs, "first") if name == "busy" else 0), name
    assert "only root may set a quota" in runs.output("user", "quota")
    assert runs.exit_code("user", "quota") == 125


def test_what_a_killed_run_left_is_given_back_by_the_next(runs: Runs) -> None:
    assert counted(runs, "killed") > 0
    assert runs.exit_code("quota", "again") == 0, runs.output("quota", "again")
    assert counted(runs, "again") == 0
    assert counted(runs, "killed2") > 0
    assert counted(runs, "swept") == 0  # by a run without a quota
    assert re.search(r"^RECORDS swept 0\r?$", runs.console, re.MULTILINE)


def test_doctor_names_the_quota(runs: Runs) -> None:
    assert re.search(r"ok +workspace quota +ext4 with project quotas", runs.output("quota", "doctor")), runs.output("quota", "doctor")
