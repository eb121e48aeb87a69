# SPDX-License-Identifier: Apache-2.0
"""A scratch folder that was full is the limit "disk": in the events, on standard error and, where the kernel ended the program for it, in the
exit code. SBX-014."""

from __future__ import annotations

import shutil
import signal

import pytest
from conftest import POOL, Sandbox
from test_limits import PYTHON, ending

EVENTS = ["--offline", "--events", "events.jsonl"]
# Writes until there is no room; what it says after it is its exit code.
FILL = ("import os, sys\n"
        "try:\n"
        "  with open(sys.argv[1], 'wb', 0) as f:\n"
        "    while True: f.write(bytes(1 << 20))\n"
        "except OSError as e: print(e.errno)\n")
INODES = ("import sys\n"
          "try:\n"
          "  for i in range(100000): open('/tmp/%d' % i, 'x').close()\n"
          "except OSError as e: print(e.errno)\n")
MAPPED = ("import mmap\n"
          "f = open('/dev/shm/x', 'wb+'); f.truncate(100 << 20)\n"
          "m = mmap.mmap(f.fileno(), 100 << 20)\n"
          "print('mapped', flush=True)\n"
          "for i in range(0, 100 << 20, 4096): m[i] = 1\n")


def full(sandbox: Sandbox) -> list[str]:
    """What the denials of the limit "disk" say."""
    found = [event["sandbox_denial"] for event in sandbox.events() if "sandbox_denial" in event]
    return [denial["reason"] for denial in found if (denial["kind"], denial["target"]) == ("KIND_LIMIT", "disk")]


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
def test_a_full_folder_is_the_limit_disk_sbx_014(sandbox: Sandbox, folder: str) -> None:
    ended = sandbox.run(*EVENTS, "--", PYTHON, "-c", FILL + "sys.exit(7)", f"{folder}/x")
    assert ended.stdout == "28\n"
    assert ended.returncode == 7  # the program's own: it could go on
    assert f"limit reached: disk: {folder} was full (67108864 bytes)" in ended.stderr
    assert ending(sandbox)["limits"] == ["disk"]
    assert "ended_by_limit" not in ending(sandbox)
    assert full(sandbox) == [f"{folder} was full (67108864 bytes)"]


def test_a_private_home_and_all_of_them(sandbox: Sandbox) -> None:
    path = sandbox.folder / "home.yaml"
    path.write_text("home: {kind: private}\nlimits: {home_size: 2MiB, tmp_size: 1MiB, shm_size: 3MiB}\n")
    path.chmod(0o644)
    script = "".join(f"sys.argv[1] = {name!r}\n{FILL}" for name in ("/home/agent/x", "/tmp/x", "/dev/shm/x"))
    ended = sandbox.run(*EVENTS, "--profile", "home.yaml", "--", PYTHON, "-c", "import sys\n" + script, "-")
    assert ended.stdout.split() == ["28"] * 3, ended.stderr
    assert ending(sandbox)["limits"] == ["disk"]
    assert sorted(full(sandbox)) == ["/dev/shm was full (3145728 bytes)", "/home/agent was full (2097152 bytes)", "/tmp was full (1048576 bytes)"]


def test_no_more_files_is_full_too(sandbox: Sandbox) -> None:
    ended = sandbox.run(*EVENTS, "--", PYTHON, "-c", INODES, timeout=60)
    assert ended.stdout == "28\n"
    assert ending(sandbox)["limits"] == ["disk"]


def test_a_mapped_file_without_room_ends_the_run(sandbox: Sandbox) -> None:
    ended = sandbox.run(*EVENTS, "--", PYTHON, "-c", MAPPED)
    assert ended.stdout == "mapped\n"
    assert ended.returncode == 123
    assert "limit reached: disk: /dev/shm was full (67108864 bytes), which ended the run" in ended.stderr
    assert ending(sandbox)["signal"] == signal.SIGBUS
    assert ending(sandbox)["limits"] == ["disk"]
    assert ending(sandbox)["ended_by_limit"] is True


def test_a_bus_error_of_its_own_is_no_limit(sandbox: Sandbox) -> None:
    ended = sandbox.run(*EVENTS, "--", PYTHON, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGBUS)")
    assert ended.returncode == 128 + signal.SIGBUS
    assert "limits" not in ending(sandbox)


def test_almost_full_is_not_full(sandbox: Sandbox) -> None:
    ended = sandbox.run(*EVENTS, "--", PYTHON, "-c", "open('/tmp/x', 'wb').write(bytes((64 << 20) - 8192))")
    assert ended.returncode == 0
    assert "limit reached" not in ended.stderr
    assert "limits" not in ending(sandbox)
    assert full(sandbox) == []


def test_what_was_emptied_again_is_seen_while_it_is_written(sandbox: Sandbox) -> None:
    """Process 1 looks every 20 ms while something changes."""
    script = FILL + "import time\nfor i in range(20):\n  time.sleep(0.02); open('/dev/shm/busy%d' % i, 'w').write('x')\nos.unlink(sys.argv[1])\n"
    ended = sandbox.run(*EVENTS, "--", PYTHON, "-c", script, "/tmp/x")
    assert ended.returncode == 0, ended.stderr
    assert ending(sandbox)["limits"] == ["disk"]
    assert full(sandbox) == ["/tmp was full (67108864 bytes)"]


def test_it_is_told_when_the_run_is_killed(sandbox: Sandbox) -> None:
    """The wall time ends process 1 with all others; what it saw before was told at once."""
    script = f"import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{FILL}time.sleep(60)\n"
    ended = sandbox.run(*EVENTS, "--wall-time", "3s", "--", PYTHON, "-c", script, "/tmp/x")
    assert ended.returncode == 124
    assert ending(sandbox)["limits"] == ["wall_time", "disk"]


def test_gvisor_too(sandbox: Sandbox) -> None:
    if not shutil.which("runsc"):
        pytest.skip("gVisor's runsc is not installed (apt install runsc)")
    if POOL:
        pytest.skip("gVisor starts anew each time")
    ended = sandbox.run(*EVENTS, "--isolation", "gvisor", "--", PYTHON, "-c", FILL, "/tmp/x", timeout=60)
    assert ended.stdout == "28\n", ended.stderr
    assert ending(sandbox)["limits"] == ["disk"]
    assert full(sandbox) == ["/tmp was full (67108864 bytes)"]


