# SPDX-License-Identifier: Apache-2.0
"""What a program inside has and has not. The attempts to get out are in probes/."""

from __future__ import annotations

import os
import subprocess

import pytest
from conftest import POOL_WORDS, Sandbox

# A caller that leaves a folder of the host open on descriptor 7.
WITH_FD_7 = ["sh", "-c", 'exec 7</etc; exec "$@"', "sh"]


def test_inherited_descriptors_are_closed(sandbox: Sandbox) -> None:
    words = sandbox.command("--offline", "--", "sh", "-c", "ls /proc/self/fd")
    ended = subprocess.run([*WITH_FD_7, *words], capture_output=True, text=True, timeout=30, env=sandbox.environment(), cwd=sandbox.folder)
    assert ended.stdout.split() == ["0", "1", "2", "3"]  # 3 is ls's own, for the folder


def test_the_environment_is_an_allow_list(sandbox: Sandbox) -> None:
    ended = sandbox.run("--offline", "--", "env", env={"AWS_SECRET_ACCESS_KEY": "leak", "LD_PRELOAD": "", "SSH_AUTH_SOCK": "/x", "FOO": "1"})
    names = {line.split("=")[0] for line in ended.stdout.splitlines()}
    assert names <= {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "AISPM_SESSION_ID", "AISPM_AGENT_ID", "PWD", "OLDPWD", "_", "SHLVL"}


def test_the_user_inside_is_10001_and_never_host_root(sandbox: Sandbox) -> None:
    """SBX-015, SBX-017: an ordinary user without new privileges, and no capability."""
    ended = sandbox.run("--offline", "--", "sh", "-c", "id -u; cat /proc/self/uid_map; grep -h CapEff /proc/self/status; grep NoNewPrivs /proc/self/status")
    uid, uid_map, capabilities, no_new_privileges = ended.stdout.splitlines()
    assert uid == "10001"
    inside, outside, count = map(int, uid_map.split())
    assert (inside, count) == (10001, 1)
    assert outside != 0
    if sandbox.kind == "root":
        assert 0x61000000 <= outside < 0x61010000
    assert capabilities.split()[1] == "0" * 16
    assert no_new_privileges.split()[1] == "1"


def test_only_own_processes_are_visible(sandbox: Sandbox) -> None:
    ended = sandbox.run("--offline", "--", "sh", "-c", "ls /proc")
    entries = ended.stdout.split()
    # In a sandbox of the pool 3 has been and gone (the porter).
    assert {name for name in entries if name.isdigit()} <= {"1", "2", "4" if POOL_WORDS else "3"}
    assert {name for name in entries if not name.isdigit()} <= {"self", "thread-self"}


def test_a_fork_bomb_meets_its_limit(sandbox: Sandbox) -> None:
    script = "import os\nn = 0\ntry:\n  while n < 200:\n    if os.fork() == 0:\n      import time; time.sleep(30)\n    n += 1\nexcept OSError as e:\n  print(n, e.errno)\n"
    ended = sandbox.run("--offline", "--events", "events.jsonl", "--pids", "20", "--", "/usr/bin/python3", "-c", script)
    count, error = ended.stdout.split()
    assert int(count) <= 20
    assert int(error) == 11  # EAGAIN


def test_memory_has_a_limit(sandbox: Sandbox) -> None:
    ended = sandbox.run("--offline", "--events", "events.jsonl", "--memory", "64MiB", "--", "/usr/bin/python3", "-c",
                        "b = bytearray(200 << 20)\nfor i in range(0, len(b), 4096): b[i] = 1\nprint('got it')")
    assert "got it" not in ended.stdout
    assert ended.returncode != 0


def test_scratch_space_has_a_limit(sandbox: Sandbox) -> None:
    (sandbox.folder / "small.yaml").write_text("limits:\n  tmp_size: 1MiB\n")
    ended = sandbox.run("--offline", "--profile", "small.yaml", "--", "sh", "-c", "head -c 3000000 /dev/zero > /tmp/x")
    assert ended.returncode != 0
    assert "No space left" in ended.stderr


def test_read_only_and_read_write_paths(sandbox: Sandbox) -> None:
    shared, work = sandbox.folder / "shared", sandbox.folder / "work"
    for folder in (shared, work):
        folder.mkdir()
        folder.chmod(0o777)
    (shared / "data").write_text("given")
    ended = sandbox.run("--offline", "--ro", shared, "--workdir", work, "--", "sh", "-c",
                        f"cat {shared}/data; pwd; echo made > out; echo bad > {shared}/x; ls {sandbox.folder}")
    assert ended.stdout.splitlines() == [f"given{work}", "shared", "work"]
    assert (work / "out").read_text() == "made\n"
    assert not (shared / "x").exists()
    assert "Read-only file system" in ended.stderr


def test_a_symlink_in_a_shared_folder_leads_nowhere(sandbox: Sandbox) -> None:
    folder = sandbox.folder / "planted"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "link").symlink_to("/etc/shadow")
    ended = sandbox.run("--offline", "--ro", folder, "--", "cat", folder / "link")
    assert ended.returncode != 0
    assert "No such file" in ended.stderr


def test_two_sandboxes_share_nothing(sandbox: Sandbox) -> None:
    sandbox.run("--offline", "--", "sh", "-c", "echo secret > /tmp/x; echo secret > /dev/shm/x")
    ended = sandbox.run("--offline", "--", "sh", "-c", "ls /tmp /dev/shm")
    assert "x" not in ended.stdout.split()


def test_a_flood_of_denials_is_folded_and_counted(sandbox: Sandbox) -> None:
    script = "import ctypes\nc = ctypes.CDLL(None)\nfor i in range(20000): c.syscall(101, 0, 0, 0, 0)\n"
    if os.uname().machine != "x86_64":
        pytest.skip("the call's number is that of x86-64")
    ended = sandbox.run("--offline", "--events", "events.jsonl", "--", "/usr/bin/python3", "-c", script)
    assert ended.returncode == 0
    assert sandbox.denials()[("KIND_SYSCALL", "ptrace", "")] == 20000
    assert len(sandbox.events()) < 200
    assert int(sandbox.events()[-1]["sandbox_exit"]["denials"]) >= 20000
