# SPDX-License-Identifier: Apache-2.0
"""Suites written by others, run inside: the kernel's own tests of seccomp and Landlock, stress-ng against the limits, and deepce.

The kernel's tests set up filters, rule sets and traces. Outside they pass; inside every one that would change what a process may do is refused,
and none of them crashes or hangs the sandbox. SBX-012, SBX-014, SBX-018.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from conftest import Sandbox
from fixtures import deepce, selftests, stress_ng
from outside import read_events

# What passes inside, because it only makes the caller less: no_new_privs is on already.
HARMLESS = {"global.no_new_privs_support"}
PASSED = re.compile(r"^ok \d+ (?!# SKIP)(\S+)", re.M)
FAILED = re.compile(r"^not ok \d+ (\S+)", re.M)


def share(sandbox: Sandbox, folder: Path) -> Path:
    """A copy that an ordinary user may enter: the tree of a checkout may be private."""
    copy = sandbox.folder / "suite"
    shutil.copytree(folder, copy)
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o755)
    return copy


@pytest.mark.parametrize(("name", "fewest", "refused"), [
    ("seccomp_bpf", 90, "seccomp"), ("landlock_base", 9, "landlock_create_ruleset"), ("landlock_fs", 100, "unshare"), ("landlock_ptrace", 8, "capset")])
def test_the_kernels_own_tests_are_refused_inside(sandbox: Sandbox, name: str, fewest: int, refused: str) -> None:
    folder = share(sandbox, selftests())
    ended = sandbox.run("--offline", "--events", "events.jsonl", "--ro", folder, "--", folder / f"{name}-quick", timeout=120)
    assert ended.returncode == 1, (ended.stdout[-500:], ended.stderr)  # the suite's own: something failed
    passed, failed = set(PASSED.findall(ended.stdout)), FAILED.findall(ended.stdout)
    assert passed <= HARMLESS
    assert len(failed) >= fewest
    assert ("KIND_SYSCALL", refused, "") in sandbox.denials()


@pytest.mark.parametrize("name", ["seccomp_bpf", "landlock_base"])
def test_the_kernels_own_tests_pass_outside(name: str, tmp_path: Path) -> None:
    """The control. Newer kernels know more than these tests of 6.1 do, so a few of them may be out of date."""
    if os.geteuid() != 0:
        pytest.skip("the kernel's tests want root")
    ended = subprocess.run([selftests() / name], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    passed, failed = PASSED.findall(ended.stdout), FAILED.findall(ended.stdout)
    assert len(passed) > 3 * len(failed), failed
    assert len(passed) >= 5


def test_deepce_finds_no_way_out(sandbox: Sandbox) -> None:
    """It looks for sudo, Docker's group and socket, and known faults; no exploit is asked of it."""
    folder = share(sandbox, deepce())
    ended = sandbox.run("--offline", "--events", "events.jsonl", "--ro", folder, "--", "sh", folder / "deepce.sh", "--no-colors", "--quiet", timeout=60)
    assert ended.returncode == 0, ended.stderr
    said = dict(re.findall(r"^\[\+\] (.+?) \.+ (.+)$", ended.stdout, re.M))
    assert said["User"] == "agent"
    assert said["Groups"] == "agent"
    assert said["Sudo"] == "sudo not found"
    assert said.get("Docker Sock", "Not Found") == "Not Found"
    assert said.get("User in Docker group", "No") == "No"
    assert {name: word for name, word in said.items() if name.startswith("CVE") and word != "No"} == {}
    assert "/var/run/docker.sock" not in ended.stdout


def members(pid_namespace: int) -> Iterator[Path]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "ns/pid").stat().st_ino == pid_namespace:
                yield process
        except OSError:
            continue


def resident(process: Path) -> int:
    """Anonymous memory in bytes."""
    found = re.search(r"RssAnon:\s+(\d+) kB", (process / "status").read_text())
    return int(found[1]) * 1024 if found else 0


def stressed(sandbox: Sandbox, options: list[str], stressors: list[str]) -> tuple[subprocess.CompletedProcess[str], int, int]:
    """Runs it; gives how it ended, the most processes there were at once, and the most memory that one of them had."""
    if os.geteuid() != 0:
        pytest.skip("only root sees into the namespaces of others")
    folder = share(sandbox, stress_ng())
    words = sandbox.command("--offline", "--events", "events.jsonl", "--ro", folder, "--env", f"LD_LIBRARY_PATH={folder}/lib", *options, "--",
                            folder / "stress-ng", "--timeout", "2", "--temp-path", "/tmp", *stressors)
    most = memory = namespace = 0
    with subprocess.Popen(words, env=sandbox.environment(), cwd=sandbox.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        deadline = time.monotonic() + 60
        while process.poll() is None:
            assert time.monotonic() < deadline, "the sandbox does not end"
            path = sandbox.folder / "events.jsonl"
            if not namespace and path.exists() and path.read_text().endswith("\n"):
                namespace = int(read_events(path)[0]["sandbox_start"]["pid_namespace"])
            inside = list(members(namespace)) if namespace else []
            most = max(most, len(inside))
            for one in inside:
                try:
                    memory = max(memory, resident(one))
                except OSError:
                    continue
            time.sleep(0.02)
        output = process.stdout.read() if process.stdout else ""
    assert namespace
    # Process 1 goes last, and nobody waits for it.
    deadline = time.monotonic() + 10
    while list(members(namespace)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert list(members(namespace)) == []
    return subprocess.CompletedProcess(words, process.returncode, output, ""), most, memory


def test_stressing_fork_stays_within_the_limit(sandbox: Sandbox) -> None:
    ended, most, _ = stressed(sandbox, ["--pids", "24"], ["--fork", "2", "--fork-max", "64", "--vfork", "1", "--clone", "1"])
    assert 4 < most <= 24 + 1, ended.stdout
    assert ended.returncode != 125


def test_stressing_memory_stays_within_the_limit(sandbox: Sandbox) -> None:
    limit = 64 << 20
    ended, _, memory = stressed(sandbox, ["--memory", "64MiB"], ["--vm", "1", "--vm-bytes", "256M", "--vm-keep"])
    assert memory <= limit * 1.05, ended.stdout
    if sandbox.kind == "root":
        assert ("KIND_LIMIT", "memory", "") in sandbox.denials(), ended.stdout


def test_stressing_disk_and_descriptors_stays_within_the_limits(sandbox: Sandbox) -> None:
    free = shutil.disk_usage(sandbox.folder).free
    ended, _, _ = stressed(sandbox, [], ["--hdd", "1", "--hdd-bytes", "1G", "--fallocate", "1", "--fallocate-bytes", "1G", "--open", "1", "--dentry", "1"])
    assert ended.returncode != 125, ended.stdout
    # All of it went into the sandbox's own memory file systems, which are gone.
    assert shutil.disk_usage(sandbox.folder).free > free - (200 << 20)
