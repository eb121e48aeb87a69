# SPDX-License-Identifier: Apache-2.0
"""Each limit holds, and the outcome names it: on standard error, in the events and in the exit code. SBX-012, SBX-013, SBX-014, SBX-022."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import RUN, Sandbox

PYTHON = "/usr/bin/python3"
EVENTS = ["--offline", "--events", "events.jsonl"]
BOMB = "b = []\nwhile True: b.append(bytearray(b'x' * (8 << 20)))\n"


def profile(sandbox: Sandbox, **limits: object) -> list[str]:
    path = sandbox.folder / "limits.yaml"
    path.write_text("limits:\n" + "".join(f"  {key}: {value}\n" for key, value in limits.items()))
    path.chmod(0o644)
    return ["--profile", "limits.yaml"]


def ending(sandbox: Sandbox) -> dict:
    return sandbox.events()[-1]["sandbox_exit"]


def mechanisms(sandbox: Sandbox) -> list[str]:
    return next(event["sandbox_start"]["mechanisms"] for event in sandbox.events() if "sandbox_start" in event)


def test_600_mib_are_too_much_sbx_012(sandbox: Sandbox) -> None:
    """The default is 512 MiB: as root for the whole sandbox, else for each process."""
    ended = sandbox.run(*EVENTS, "--", PYTHON, "-c", "b = bytearray(b'x' * (600 << 20)); print('got it')", timeout=60)
    assert "got it" not in ended.stdout
    if any(name.endswith(":memory") for name in mechanisms(sandbox)):
        assert ended.returncode == 128 + signal.SIGKILL
        assert "limit reached: memory" in ended.stderr
        assert ending(sandbox)["limits"] == ["memory"]
        assert ("KIND_LIMIT", "memory", "") in sandbox.denials()
    else:
        assert "memory:rlimit_data" in mechanisms(sandbox)
        assert "MemoryError" in ended.stderr


def test_a_memory_bomb_of_many_processes_is_contained(sandbox: Sandbox) -> None:
    script = f"import os\nfor i in range(3): os.fork()\n{BOMB}"
    ended = sandbox.run(*EVENTS, "--memory", "128MiB", "--", PYTHON, "-c", script, timeout=60)
    assert ended.returncode != 0
    if "memory:rlimit_data" not in mechanisms(sandbox):
        assert "memory" in ending(sandbox)["limits"]


def test_half_a_processor_sbx_013(sandbox: Sandbox) -> None:
    spin = "import time\nend = time.monotonic() + 2\nwhile time.monotonic() < end: pass\nprint(time.process_time())\n"
    ended = sandbox.run(*EVENTS, *profile(sandbox, cpus=0.5), "--", PYTHON, "-c", spin)
    used = float(ended.stdout)
    if "cpus:none" in mechanisms(sandbox):
        assert "cpus does not hold" in ended.stderr
        pytest.skip("no control group limits the processor's share for this caller, and aispm-run says so")
    assert used <= 2 * 0.55 + 0.1  # one period of 100 ms may have begun


def test_processor_time_of_the_whole_sandbox(sandbox: Sandbox) -> None:
    """Two processes of 1.5 s each are more than 2 s where a group counts; else each has its own limit."""
    spin = "import os, time\nos.fork()\nwhile True: pass\n"
    ended = sandbox.run(*EVENTS, "--cpu-time", "1s", "--", PYTHON, "-c", spin, timeout=60)
    assert ended.returncode == 123
    assert "limit reached: cpu_time, which ended the run" in ended.stderr
    assert ending(sandbox)["limits"] == ["cpu_time"]
    assert ending(sandbox)["ended_by_limit"] is True
    assert ("KIND_LIMIT", "cpu_time", "") in sandbox.denials()


def test_65_mib_do_not_fit_in_tmp_sbx_014(sandbox: Sandbox) -> None:
    script = "import os\ntry:\n  with open('/tmp/x', 'wb') as f:\n    for i in range(65): f.write(bytes(1 << 20))\nexcept OSError as e: print(e.errno)\n"
    assert sandbox.run("--offline", "--", PYTHON, "-c", script).stdout == "28\n"


def test_all_scratch_folders_together_have_a_limit(sandbox: Sandbox) -> None:
    ended = sandbox.run("--offline", *profile(sandbox, disk="100MiB", tmp_size="90MiB"), "--", "true")
    assert ended.returncode == 2
    assert "limits.yaml:2" in ended.stderr
    assert "disk" in ended.stderr


def test_a_file_has_a_largest_size(sandbox: Sandbox) -> None:
    ended = sandbox.run(*EVENTS, *profile(sandbox, file_size="1MiB"), "--", "sh", "-c", "exec head -c 3000000 /dev/zero > /tmp/x")
    assert ended.returncode == 123
    assert "limit reached: file_size, which ended the run" in ended.stderr
    assert ending(sandbox)["limits"] == ["file_size"]
    assert ending(sandbox)["signal"] == signal.SIGXFSZ


def test_processes_and_open_files(sandbox: Sandbox) -> None:
    script = ("import os, resource\n"
              "print(resource.getrlimit(resource.RLIMIT_NOFILE)[1])\n"
              "n = 0\n"
              "try:\n"
              "  while n < 50:\n"
              "    if os.fork() == 0: __import__('time').sleep(600)\n"
              "    n += 1\n"
              "except OSError as e: print(e.errno)\n")
    ended = sandbox.run(*EVENTS, *profile(sandbox, pids=10, open_files=64), "--", PYTHON, "-c", script)
    assert ended.stdout.split() == ["64", "11"]  # EAGAIN


def test_the_wall_time_is_named(sandbox: Sandbox) -> None:
    ended = sandbox.run(*EVENTS, "--wall-time", "300ms", "--", "sleep", "60")
    assert ended.returncode == 124
    assert "limit reached: wall_time, which ended the run" in ended.stderr
    assert ending(sandbox)["limits"] == ["wall_time"]


def test_the_wall_time_ends_the_whole_tree(sandbox: Sandbox) -> None:
    """Daemons that left the session and ignore every signal end with it."""
    script = ("import os, signal, time\n"
              "for i in range(5):\n"
              "  if os.fork() == 0:\n"
              "    os.setsid()\n"
              "    for n in range(1, 32):\n"
              "      try: signal.signal(n, signal.SIG_IGN)\n"
              "      except OSError: pass\n"
              "    while True: time.sleep(1)\n"
              "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
              "print('up', flush=True)\n"
              "while True: time.sleep(1)\n")
    with subprocess.Popen(sandbox.command("--offline", "--wall-time", "500ms", "--", PYTHON, "-c", script), stdout=subprocess.PIPE, text=True,
                          env=sandbox.environment(), cwd=sandbox.folder) as process:
        assert process.stdout is not None
        assert process.stdout.read() == "up\n"  # the pipe ends when aispm-run does
        assert process.wait(20) == 124


def test_kill_9_of_the_supervisor_ends_everything(sandbox: Sandbox) -> None:
    """By a descriptor that the agent's processes alone hold: it ends when the last of them has ended."""
    read_end, write_end = os.pipe()
    with subprocess.Popen([str(RUN), "--offline", "--", "sh", "-c", "(setsid sleep 600 &); echo up; sleep 600"], stdin=read_end, stdout=subprocess.PIPE,
                          env=sandbox.environment(), cwd=sandbox.folder, text=True,
                          **({"user": 65534, "group": 65534, "extra_groups": []} if sandbox.prefix else {})) as process:
        os.close(read_end)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.kill()
        # Writing to a pipe that nobody can read any more is an error, which poll tells.
        poller = select.poll()
        poller.register(write_end, 0)
        begin = time.monotonic()
        assert poller.poll(10_000), "the sandbox outlived its supervisor"
        print(f"ended after {(time.monotonic() - begin) * 1000:.1f} ms")
    os.close(write_end)


def test_one_run_more_than_allowed_is_refused_sbx_022(sandbox: Sandbox) -> None:
    words = sandbox.command("--offline", *profile(sandbox, runs=2), "--", "sh", "-c", "echo up; read x")
    environment = sandbox.environment({"XDG_RUNTIME_DIR": str(sandbox.folder)})
    if sandbox.kind == "root":
        pytest.skip("root's places are those of the whole host, where other runs hold some: the ordinary user shows the same code")
    running = [subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=sandbox.folder) for _ in range(2)]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
        third = subprocess.run(words, capture_output=True, text=True, env=environment, cwd=sandbox.folder, timeout=30)
        assert third.returncode == 125
        assert third.stdout == ""
        assert "2 sandboxes of this user run on this host already (limits.runs)" in third.stderr
        running[0].kill()  # however a run ends, its place is free again
        running[0].wait()
        fourth = subprocess.run(words, input="\n", capture_output=True, text=True, env=environment, cwd=sandbox.folder, timeout=30)
        assert fourth.stdout == "up\n"
    finally:
        for process in running:
            process.kill()
            process.communicate()


def groups(prefix: str = "aispm-run-") -> set[tuple[str, int]]:
    """All of this host: path and inode, because a later run may make one of the same name."""
    found = set()
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        for name in names:
            if name.startswith(prefix):
                with contextlib.suppress(FileNotFoundError):
                    found.add((f"{folder}/{name}", os.stat(f"{folder}/{name}").st_ino))
    return found


def wait_until_gone(wanted: set[tuple[str, int]]) -> None:
    deadline = time.monotonic() + 10
    while left := wanted & groups():
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def name_of(sandbox: Sandbox) -> str:
    uid = next(name.split(":")[1] for name in mechanisms(sandbox) if name.startswith("hostuid:"))
    return f"aispm-run-{int(uid) - 0x61000000}"


def test_groups_are_removed(sandbox: Sandbox) -> None:
    if sandbox.kind != "root":
        pytest.skip("an ordinary user without a delegated group makes none")
    before = groups()
    with subprocess.Popen(sandbox.command(*EVENTS, *profile(sandbox, cpus=0.5, cpu_time="60s"), "--", "sh", "-c", "echo up; read x"),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=sandbox.environment(), cwd=sandbox.folder, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        own = {group for group in groups() - before if group[0].endswith("/" + name_of(sandbox))}
        assert own
        process.communicate("\n")
    assert process.returncode == 0
    wait_until_gone(own)


def test_groups_of_a_killed_supervisor_are_swept_by_the_next_run(sandbox: Sandbox) -> None:
    """Those of a run that lives stay, though it made them long ago."""
    if sandbox.kind != "root":
        pytest.skip("an ordinary user without a delegated group makes none")
    words = sandbox.command(*EVENTS, *profile(sandbox, cpus=0.5, cpu_time="60s"), "--", "sh", "-c", "echo up; read x")
    processes, own = [], []
    try:
        for _ in range(2):
            (sandbox.folder / "events.jsonl").unlink(missing_ok=True)
            before = groups()
            processes.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=sandbox.environment(),
                                              cwd=sandbox.folder, text=True))
            assert processes[-1].stdout.readline() == "up\n"
            own.append({group for group in groups() - before if group[0].endswith("/" + name_of(sandbox))})
            assert own[-1]
        killed, living = own
        processes[0].kill()
        processes[0].communicate()
        deadline = time.monotonic() + 10  # an empty group is what is to be swept
        while any(Path(path, "cgroup.procs").read_text() for path, _ in killed & groups()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert sandbox.run("--offline", *profile(sandbox, cpus=0.5, cpu_time="60s"), "--", "true").returncode == 0
        wait_until_gone(killed)
        assert living <= groups()
        assert processes[1].poll() is None
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    wait_until_gone_with_a_run(sandbox, own[1])


def wait_until_gone_with_a_run(sandbox: Sandbox, wanted: set[tuple[str, int]]) -> None:
    """Leaves nothing behind: a run sweeps what the test itself killed."""
    deadline = time.monotonic() + 10
    while wanted & groups():
        assert time.monotonic() < deadline
        sandbox.run("--offline", *profile(sandbox, cpus=0.5, cpu_time="60s"), "--", "true")
