# SPDX-License-Identifier: Apache-2.0
"""Attempts that need more than one body: the host's help, two runs, a file of their own."""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest
from conftest import RUN, Sandbox

PYTHON = "/usr/bin/python3"


def as_caller(sandbox: Sandbox) -> dict:
    """So that the process started is the launcher itself, not what becomes the ordinary user."""
    return {"user": 65534, "group": 65534, "extra_groups": []} if sandbox.prefix else {}


def start(sandbox: Sandbox, *words: str | Path, **more) -> subprocess.Popen[str]:
    return subprocess.Popen([str(RUN), *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=sandbox.environment(), cwd=more.pop("cwd", sandbox.folder), **as_caller(sandbox), **more)


def folder(sandbox: Sandbox, name: str) -> Path:
    made = sandbox.folder / name
    made.mkdir()
    made.chmod(0o777)
    return made


def test_a_shared_folder_swapped_for_a_symlink(sandbox: Sandbox) -> None:
    """Attempt 5: while a launch looks at a folder, somebody makes it a link to a secret one, and back."""
    real, secret, name = folder(sandbox, "real"), folder(sandbox, "secret"), sandbox.folder / "shared"
    (real / "file").write_text("given")
    (secret / "file").write_text("of the host")
    real.rename(name)
    done = threading.Event()

    def flip() -> None:
        link, aside = sandbox.folder / "link", sandbox.folder / "aside"
        while not done.is_set():
            link.symlink_to(secret)
            name.rename(aside)
            link.rename(name)
            name.unlink()
            aside.rename(name)

    racer = threading.Thread(target=flip)
    racer.start()
    try:
        ended = [sandbox.run("--offline", "--ro", name, "--", "cat", name / "file") for _ in range(25)]
    finally:
        done.set()
        racer.join()
    # What the link led to when the plan was made is what the caller asked for then, at its own path; the name never leads elsewhere later.
    assert {run.stdout for run in ended if run.returncode == 0} <= {"given", "of the host"}
    for run in ended:
        if run.returncode != 0:
            assert run.stdout == ""
            assert run.returncode in {1, 2, 125}, run.stderr


def test_a_link_put_there_after_planning_is_refused(sandbox: Sandbox) -> None:
    """Attempts 5 and 20: only a folder that is still one is mounted; a profile may name what does not exist yet."""
    secret = folder(sandbox, "secret")
    (secret / "file").write_text("of the host")
    (sandbox.folder / "work").symlink_to(secret)
    ended = sandbox.run("--offline", "--ro", sandbox.folder / "work", "--", "sh", "-c", f"ls -l {sandbox.folder}; cat {secret}/file")
    # The link is resolved once, and both names inside show that folder alone.
    assert "of the host" in ended.stdout
    assert "->" in ended.stdout


def test_a_folder_moved_away(sandbox: Sandbox) -> None:
    """Attempt 6 (CVE-2015-2925): the host moves a folder out of the shared one while a process is in it."""
    work = folder(sandbox, "work")
    (work / "a").mkdir()
    (work / "a/b").mkdir()
    (sandbox.folder / "secret").write_text("of the host")
    for made in (work / "a", work / "a/b"):
        made.chmod(0o777)
    script = """
import os, sys
os.chdir(sys.argv[1] + "/a/b")
print("in", flush=True); sys.stdin.readline()
seen = []
for depth in range(1, 12):
    for name in ("secret", "var/tmp", "etc/shadow"):
        path = "../" * depth + name
        try:
            os.close(os.open(path, os.O_RDONLY)); seen.append(path)
        except OSError: pass
print("seen", [p for p in seen if "var/tmp" not in p], flush=True)
"""
    with start(sandbox, "--offline", "--rw", work, "--", PYTHON, "-c", script, str(work)) as process:
        assert process.stdin and process.stdout
        assert process.stdout.readline() == "in\n"
        (work / "a/b").rename(sandbox.folder / "moved")
        print("go", file=process.stdin, flush=True)
        assert process.stdout.readline() == "seen []\n"


def test_core_pattern_is_unchanged(sandbox: Sandbox) -> None:
    """Attempt 13."""
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    ended = sandbox.run("--offline", "--", "sh", "-c", "echo '|/tmp/x' > /proc/sys/kernel/core_pattern")
    assert ended.returncode != 0
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


def test_a_deleted_current_folder(sandbox: Sandbox) -> None:
    """Attempt 19: the caller stands in a folder that is gone; the agent does not get to stand there."""
    gone = folder(sandbox, "gone")
    script = f'cd {gone} && rmdir {gone} && exec "$@"'
    words = ["sh", "-c", script, "sh", *sandbox.command("--offline", "--", "sh", "-c", "pwd -P; ls -a . | head -3; cat ../secret")]
    (sandbox.folder / "secret").write_text("of the host")
    ended = subprocess.run(words, env=sandbox.environment(), cwd=sandbox.folder, capture_output=True, text=True, timeout=30, check=False)
    assert "of the host" not in ended.stdout
    if ended.returncode in {2, 125}:
        assert ended.stderr
    else:
        assert str(sandbox.folder) not in ended.stdout


@pytest.mark.parametrize("path", ["/proc/self/fd/7", "/proc/self/cwd", "/dev/fd/7", "/proc/self/root"])
def test_a_workspace_by_descriptor(sandbox: Sandbox, path: str) -> None:
    """Attempt 19 (CVE-2024-21626): a folder named by an open descriptor is no folder to share."""
    words = ["sh", "-c", 'exec 7</etc; exec "$@"', "sh", *sandbox.command("--offline", "--workdir", path, "--", "cat", "shadow", "passwd")]
    ended = subprocess.run(words, env=sandbox.environment(), cwd="/", capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert path in ended.stderr


def test_python_start_files(sandbox: Sandbox) -> None:
    """Attempt 25: nothing of the caller's Python set-up runs inside."""
    evil = folder(sandbox, "evil")
    for name in ("sitecustomize.py", "usercustomize.py", "start.py"):
        (evil / name).write_text("print('evil ran')\n")
    local = sandbox.folder / ".local/lib" / f"python3.{os.sys.version_info.minor}" / "site-packages"  # type: ignore[attr-defined]
    local.mkdir(parents=True)
    (local / "evil.pth").write_text(f"import sys; print('evil ran')\n{evil}\n")
    (sandbox.folder / "agent.py").write_text("import sys\nprint('agent ran', [p for p in sys.path if 'evil' in p])\n")
    (sandbox.folder / "agent.py").chmod(0o644)
    variables = {"PYTHONPATH": str(evil), "PYTHONSTARTUP": str(evil / "start.py"), "PYTHONUSERBASE": str(sandbox.folder / ".local"), "PYTHONHOME": ""}
    control = subprocess.run([PYTHON, "-c", "pass"], env=sandbox.environment({"PYTHONPATH": str(evil)}), capture_output=True, text=True, check=False)
    assert "evil ran" in control.stdout
    ended = sandbox.run("--offline", "--python", PYTHON, "agent.py", env=variables)
    assert ended.stdout == "agent ran []\n", ended.stderr


def test_the_agents_own_environment_is_read_only(sandbox: Sandbox) -> None:
    """Attempt 26: what the next run imports cannot be written by this one."""
    venv = folder(sandbox, "venv")
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", venv], check=True, timeout=60)
    for path in [venv, *venv.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o777)
    site = next(venv.glob("lib/python3*/site-packages"))
    (sandbox.folder / "agent.py").write_text(
        f"import errno, sys\nprint(sys.prefix)\ntry:\n  open({str(site / 'evil.pth')!r}, 'w')\nexcept OSError as e:\n  print(errno.errorcode[e.errno])\n")
    ended = sandbox.run("--offline", "--python", venv / "bin/python", "agent.py")
    assert ended.stdout.splitlines() == [str(venv), "EROFS"], ended.stderr
    assert not (site / "evil.pth").exists()


def i386_program(path: Path) -> None:
    """A 32-bit ELF that asks for its own pid and exits with 42 when it was told."""
    code = bytes.fromhex("b814000000cd8085c07e0c" "bb2a000000b801000000cd80" "bb07000000b801000000cd80" "0f0b")
    base, header = 0x08048000, 52 + 32
    elf = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9) + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, base + header, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    program = struct.pack("<IIIIIIII", 1, 0, base, base, header + len(code), header + len(code), 5, 0x1000)
    path.write_bytes(elf + program + code)
    path.chmod(0o755)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="there is no i386 on this architecture")
def test_a_32_bit_program(sandbox: Sandbox) -> None:
    """Attempt 56: a whole program of the other ABI gets not even its first call through."""
    i386_program(sandbox.folder / "old")
    control = subprocess.run([sandbox.folder / "old"], check=False)
    if control.returncode != 42:
        pytest.skip(f"this kernel runs no 32-bit programs ({control.returncode})")
    ended = sandbox.run("--offline", "--events", "events.jsonl", "--", "./old")
    assert ended.returncode in {128 + signal.SIGILL, 128 + signal.SIGSEGV}
    denied = {target for kind, target, _ in sandbox.denials() if kind == "KIND_SYSCALL"}
    assert {"i386:20", "i386:1"} <= denied


def test_killing_the_supervisor(sandbox: Sandbox) -> None:
    """Attempt 61: with nobody to answer, a refused call stays refused, and everything inside ends."""
    script = """
import ctypes, sys, time
c = ctypes.CDLL(None, use_errno=True)
print("up", flush=True)
while True:
    if c.syscall(312, 1, 1, 0, 0, 0) != -1: print("let through", flush=True)
"""
    with start(sandbox, "--offline", "--", PYTHON, "-c", script) as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        time.sleep(0.05)
        process.kill()
        ready, _, _ = select.select([process.stdout], [], [], 5)
        assert ready, "the sandbox outlived its supervisor"
        assert process.stdout.read() == ""


TALK = """
import ctypes, os, socket, sys, time
mine, other = sys.argv[1], sys.argv[2]
tcp = socket.socket(); tcp.bind(("127.0.0.1", 7000 + int(mine))); tcp.listen(4)
libc = ctypes.CDLL(None, use_errno=True)
shm = libc.shmget(0x51000000 + int(mine), 4096, 0o1666)
for name in ("/tmp/", "/dev/shm/"): open(name + "mark" + mine, "w").write(mine)
print("up", os.getpid(), os.readlink("/proc/self/ns/net"), shm, flush=True)
sys.stdin.readline()
found = []
probe = socket.socket(); probe.settimeout(3)
if probe.connect_ex(("127.0.0.1", 7000 + int(other))) == 0: found.append("tcp")
if libc.shmget(0x51000000 + int(other), 0, 0) >= 0: found.append("shm")
for name in ("/tmp/", "/dev/shm/"):
    if os.path.exists(name + "mark" + other): found.append(name)
pids = sorted(int(p) for p in os.listdir("/proc") if p.isdigit())
if set(pids) - {1, os.getpid()}: found.append(f"pids {pids}")
print("found", found, flush=True)
sys.stdin.readline()
"""


def test_two_sandboxes_cannot_see_each_other(sandbox: Sandbox) -> None:
    """Attempt 69: ports, memory, files, processes, network namespaces of two agents of the same caller, at the same time."""
    with start(sandbox, "--offline", "--", PYTHON, "-c", TALK, "1", "2") as one, start(sandbox, "--offline", "--", PYTHON, "-c", TALK, "2", "1") as two:
        assert one.stdout and two.stdout and one.stdin and two.stdin
        first, second = one.stdout.readline().split(), two.stdout.readline().split()
        assert first[0] == second[0] == "up"
        assert first[2] != second[2]
        assert int(first[3]) >= 0 <= int(second[3])
        for process in (one, two):
            assert process.stdin
            print("look", file=process.stdin, flush=True)
        assert one.stdout.readline() == two.stdout.readline() == "found []\n"
        if sandbox.kind == "root":
            users = {Path(f"/proc/{child}").stat().st_uid for process in (one, two)
                     for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()}
            assert len(users - {0}) == 2  # a host user for each
        for process in (one, two):
            process.communicate("end\n", timeout=10)
