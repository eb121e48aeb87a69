# SPDX-License-Identifier: Apache-2.0
"""SBX-022: without any setting a user has fifty places, each with its limits; the fifty-first start is refused, by a place and not by an overload."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
from conftest import POOL, Sandbox

PLACES = 50
WAIT = ["--offline", "--profile", "default", "--", "sh", "-c", "echo up; read x; echo $x"]


@pytest.fixture
def own_places(sandbox: Sandbox) -> Iterator[list[str]]:
    """Words that run a command where no other run of this host holds a place: for root a mount namespace of the test's own."""
    if POOL:
        pytest.skip("the same code as cold, where no pool has so many")
    if sandbox.kind == "user":
        yield []
        return
    keep = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c",
                             "mkdir -p /run/aispm/runs && mount -t tmpfs -o mode=700 places /run/aispm/runs && echo made && read x"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert keep.stdout is not None
    try:
        assert keep.stdout.readline() == "made\n"
        yield ["nsenter", f"--mount=/proc/{keep.pid}/ns/mnt", f"--wd={sandbox.folder}", "--"]
    finally:
        keep.communicate("\n", timeout=10)


def test_the_fifty_first_start_is_refused_sbx_022(sandbox: Sandbox, own_places: list[str]) -> None:
    if sandbox.kind == "user" and os.geteuid() != 0:
        pytest.skip("this user's processes may be too few for fifty sandboxes")
    words = [*own_places, *sandbox.command(*WAIT)]
    environment = sandbox.environment({"XDG_RUNTIME_DIR": str(sandbox.folder)})
    running = []
    try:
        for _ in range(PLACES):
            running.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=sandbox.folder, text=True))
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
        refused = subprocess.run(words, capture_output=True, text=True, env=environment, cwd=sandbox.folder, timeout=60)
        assert refused.returncode == 125
        assert refused.stdout == ""
        assert "50 sandboxes of this user run on this host already (limits.runs)" in refused.stderr
        assert running[7].communicate("done\n", timeout=60)[0] == "done\n"
        assert subprocess.run(words, input="next\n", capture_output=True, text=True, env=environment, cwd=sandbox.folder,
                              timeout=60).stdout == "up\nnext\n"  # fmt: skip
        assert [process.poll() for process in running].count(None) == PLACES - 1  # nobody was disturbed
    finally:
        for process in running:
            process.kill()
            process.communicate()


def test_what_stands_in_the_way_of_places_is_named_with_the_remedy(sandbox: Sandbox) -> None:
    if sandbox.kind == "root":
        pytest.skip("root's places lie in /run, where nobody else can be first")
    (sandbox.folder / "aispm-run").symlink_to("/etc")
    refused = sandbox.run("--offline", "--", "true", env={"XDG_RUNTIME_DIR": str(sandbox.folder)})
    assert refused.returncode == 125
    assert "set XDG_RUNTIME_DIR to a folder of your own, or limits.runs to 0" in refused.stderr


def test_each_place_has_its_limits_without_a_setting_sbx_022(sandbox: Sandbox) -> None:
    """What a LimitRange gives each container of a tenant."""
    plan = sandbox.run("--offline", "--dry-run", "--profile", "default", "--", "/bin/true").stdout
    line = next(line for line in plan.splitlines() if "limits:" in line)
    for limit in ("memory 536870912 bytes", "processes 256", "open files 1024", "file size 1073741824 bytes", "scratch 268435456 bytes"):
        assert limit in line
