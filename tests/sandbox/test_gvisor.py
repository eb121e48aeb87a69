# SPDX-License-Identifier: Apache-2.0
"""`isolation: gvisor` (SBX-020): the same agent, the same gateway and the same limits, with gVisor's kernel in between."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import ORDINARY_UID, RUN, Sandbox
from terminal_driver import Screen
from test_network import ATTEMPTS, WANTED, FakeGateway, gateway  # noqa: F401

PYTHON = "/usr/bin/python3"
GVISOR = ["--isolation", "gvisor"]
OFFLINE = [*GVISOR, "--offline", "--events", "events.jsonl"]


@pytest.fixture(autouse=True)
def runtime(request: pytest.FixtureRequest) -> None:
    if "without_runsc" not in request.node.name and not shutil.which("runsc"):
        pytest.skip("gVisor's runsc is not installed (apt install runsc)")


def start_of(sandbox: Sandbox) -> dict:
    return next(event["sandbox_start"] for event in sandbox.events() if "sandbox_start" in event)


def exit_of(sandbox: Sandbox) -> dict:
    return sandbox.events()[-1]["sandbox_exit"]


def profile(sandbox: Sandbox, text: str) -> list[str]:
    path = sandbox.folder / "gvisor.yaml"
    path.write_text("isolation: gvisor\n" + text)
    path.chmod(0o644)
    return ["--profile", "gvisor.yaml", "--offline", "--events", "events.jsonl"]


def test_without_runsc_nothing_runs_and_the_remedy_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    if any(Path(folder, "runsc").exists() for folder in ("/usr/bin", "/usr/local/bin", "/usr/sbin")):
        if os.geteuid() != 0:
            pytest.skip("runsc is installed, and only root can hide it")
        # A mount namespace of the test's own, in which there is none.
        (sandbox.folder / "empty").mkdir()
        hide = "for f in /usr/bin /usr/local/bin /usr/sbin; do [ ! -e $f/runsc ] || mount --bind /dev/null $f/runsc || exit 9; done; exec \"$@\""
        words = ["unshare", "-m", "--propagation", "private", "sh", "-c", hide, "sh", *sandbox.command(*GVISOR, "--offline", "--", "/bin/echo", "ran")]
    else:
        words = sandbox.command(*GVISOR, "--offline", "--", "/bin/echo", "ran")
    ended = subprocess.run(words, capture_output=True, text=True, env=sandbox.environment(), cwd=sandbox.folder, timeout=30)
    assert ended.returncode == 125
    assert ended.stdout == ""
    assert "apt install runsc" in ended.stderr


def test_the_kernel_is_gvisors(sandbox: Sandbox) -> None:
    """SBX-020. The user inside has no capability and is never the host's root; what gVisor's runtime needs is not seen."""
    script = "dmesg | head -1; uname -r; id -u; grep CapEff /proc/self/status; echo /run/aispm/*"
    ended = sandbox.run(*OFFLINE, "--", "sh", "-c", script)
    assert ended.returncode == 0, ended.stderr
    boot, release, uid, capabilities, notes = ended.stdout.splitlines()
    assert "Starting gVisor" in boot
    assert release != os.uname().release
    assert uid == "0"
    assert capabilities.split()[1] == "0" * 16
    assert notes == "/run/aispm/*"
    mechanisms = start_of(sandbox)["mechanisms"]
    assert {"isolation:gvisor", "userns", "netns", "seccomp:runtime", "max_user_namespaces:0"} <= set(mechanisms)
    if sandbox.kind == "root":
        assert any(name.startswith("hostuid:16") for name in mechanisms)
    # The plain tier is another boundary, which the collector's drift compares (SBX-034).
    gvisor_boundary = start_of(sandbox)["boundary"]
    assert any(line.startswith("runtime ") and "sha256:" in line for line in gvisor_boundary)
    (sandbox.folder / "events.jsonl").unlink()
    sandbox.run("--offline", "--events", "events.jsonl", "--", "/bin/true")
    assert "isolation:kernel" in start_of(sandbox)["mechanisms"]


def test_no_process_of_the_run_is_root_outside(sandbox: Sandbox) -> None:
    """uid 0 inside is an unprivileged user of the host: of the run's own range as root, else the caller."""
    with subprocess.Popen(sandbox.command(*GVISOR, "--offline", "--", "sh", "-c", "echo up; read x"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env=sandbox.environment(), cwd=sandbox.folder, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        users = {}
        waiting = [process.pid]
        while waiting:
            pid = waiting.pop()
            users[Path(f"/proc/{pid}/comm").read_text().strip() + f":{pid}"] = int(Path(f"/proc/{pid}").stat().st_uid) if pid != process.pid else -1
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        inside = {name: status_uid(int(name.rsplit(":", 1)[1])) for name, uid in users.items() if uid != -1}
        assert len(inside) >= 3, inside  # init, the runtime, its file server and its kernel
        if sandbox.kind == "root":
            assert all(0x61000000 <= uid < 0x61010000 for uid in inside.values()), inside
        else:
            assert set(inside.values()) == {ORDINARY_UID if os.geteuid() == 0 else os.geteuid()}
        process.communicate("\n")


def status_uid(pid: int) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Uid:"))
    return int(line.split()[1])


def test_the_gateway_is_reached_as_ever(sandbox: Sandbox, gateway: FakeGateway) -> None:  # noqa: F811
    script = (
        "import os, urllib.request\n"
        "data = bytes(range(256)) * 4000\n"
        "reply = urllib.request.urlopen(urllib.request.Request(os.environ['AISPM_GATEWAY_URL'] + '/echo', data=data)).read()\n"
        "print(reply == data, os.environ['OPENAI_BASE_URL'].startswith('http://127.0.0.1:61088'))\n"
    )
    agent = sandbox.folder / "agent.py"
    agent.write_text(script)
    ended = sandbox.run(*GVISOR, "--gateway", sandbox.folder / "gateway.sock", "--", PYTHON, "-c", script)
    assert ended.stdout.split() == ["True", "True"], ended.stderr
    # The same as a script, and unchanged without gVisor.
    for isolation in ("gvisor", "kernel"):
        ended = sandbox.run("--isolation", isolation, "--gateway", sandbox.folder / "gateway.sock", "--ro", agent, agent)
        assert ended.stdout.split() == ["True", "True"], ended.stderr
    assert "sandbox_start" in gateway.events[0]
    assert any("agent_log" in event for event in gateway.events)


def test_everything_else_is_refused_at_once_and_reported(sandbox: Sandbox) -> None:
    """The sockets of gVisor's agent are sockets of our network: refused and told by the same kernel."""
    ended = sandbox.run(*OFFLINE, "--", PYTHON, "-c", ATTEMPTS)
    assert ended.returncode == 0, ended.stderr
    results = json.loads(ended.stdout)
    assert {name: outcome for name, (outcome, _) in results.items() if outcome != "ConnectionRefusedError"} == {}
    assert {name: spent for name, (_, spent) in results.items() if spent > 2000} == {}
    assert WANTED - set(sandbox.denials()) == set()


def test_files_are_those_of_the_plan(sandbox: Sandbox) -> None:
    shared, work = sandbox.folder / "shared", sandbox.folder / "work"
    for folder in (shared, work, work / ".git", work / ".git" / "hooks"):
        folder.mkdir()
        folder.chmod(0o777)
    if sandbox.kind == "user" and os.geteuid() == 0:
        for folder in (work, work / ".git", work / ".git" / "hooks"):
            os.chown(folder, ORDINARY_UID, ORDINARY_UID)
    (shared / "data").write_text("given")
    script = f"cat {shared}/data; pwd; echo made > out; echo bad > {shared}/x; echo bad > .git/hooks/pre-commit; echo bad > /usr/x; cat /etc/shadow /root/.bashrc; echo y > /tmp/y && cat /tmp/y"
    ended = sandbox.run(*GVISOR, "--offline", "--ro", shared, "--workspace", work, "--", "sh", "-c", script)
    assert ended.stdout.splitlines() == [f"given{work}", "y"], ended.stderr
    assert ended.stderr.count("Read-only file system") == 2, ended.stderr
    assert "/usr/x: Permission denied" in ended.stderr or "/usr/x: Read-only" in ended.stderr
    assert (work / "out").read_text() == "made\n"
    assert (work / "out").stat().st_uid == work.stat().st_uid
    assert list((work / ".git" / "hooks").iterdir()) == []


def test_what_changes_outside_is_seen_inside(sandbox: Sandbox) -> None:
    """An editor's change in a shared folder reaches a running agent."""
    shared = sandbox.folder / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "data").write_text("one\n")
    with subprocess.Popen(sandbox.command(*GVISOR, "--offline", "--ro", shared, "--", "sh", "-c", f"cat {shared}/data; echo up; read x; cat {shared}/data"),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=sandbox.environment(), cwd=sandbox.folder, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "one\n"
        assert process.stdout.readline() == "up\n"
        (shared / "data").write_text("second\n")
        rest, _ = process.communicate("\n", timeout=30)
    assert rest == "second\n"


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -15 $$", 143)])
def test_exit_codes_are_the_programs(sandbox: Sandbox, script: str, code: int) -> None:
    ended = sandbox.run(*OFFLINE, "--", "sh", "-c", script)
    assert ended.returncode == code, ended.stderr
    assert int(exit_of(sandbox)["exit_code"]) == code or int(exit_of(sandbox)["signal"]) == code - 128


def test_output_is_apart_and_whole(sandbox: Sandbox) -> None:
    ended = sandbox.run(*OFFLINE, "--", PYTHON, "-c", "import sys; print('x' * 300000); print('problem', file=sys.stderr)")
    assert ended.stdout == "x" * 300000 + "\n"
    assert "problem" in ended.stderr
    assert any(event["agent_log"]["stream"] == "stderr" for event in sandbox.events() if "agent_log" in event)


def test_signals_reach_the_program(sandbox: Sandbox) -> None:
    script = "trap 'echo got it; exit 3' TERM; echo up; while :; do sleep 0.1; done"
    with subprocess.Popen([str(RUN), *GVISOR, "--offline", "--", "sh", "-c", script], stdout=subprocess.PIPE, env=sandbox.environment(), cwd=sandbox.folder, text=True,
                          **({"user": ORDINARY_UID, "group": ORDINARY_UID, "extra_groups": []} if sandbox.prefix else {})) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "got it\n"
        assert process.wait(20) == 3


def test_the_wall_time_ends_it(sandbox: Sandbox) -> None:
    ended = sandbox.run(*OFFLINE, "--timeout", "1s", "--", "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    assert ended.returncode == 124
    assert "limit reached: wall_time" in ended.stderr


def test_memory_has_a_limit(sandbox: Sandbox) -> None:
    ended = sandbox.run(*OFFLINE, "--memory", "256MiB", "--", PYTHON, "-c", "b = bytearray(b'x' * (600 << 20)); print('got it')", timeout=60)
    if "memory:none" in start_of(sandbox)["mechanisms"]:
        assert "limits.memory does not hold" in ended.stderr  # never silently
        return
    assert "got it" not in ended.stdout
    assert ended.returncode != 0
    assert "limit reached: memory" in ended.stderr


def test_processes_files_and_scratch_have_limits(sandbox: Sandbox) -> None:
    script = (
        "import errno, os, time\n"
        "n = 0\n"
        "try:\n"
        "  while n < 200:\n"
        "    if os.fork() == 0: time.sleep(60)\n"
        "    n += 1\n"
        "except OSError as e: print('processes', n < 40, errno.errorcode[e.errno])\n"
        "try:\n"
        "  for i in range(500): os.open('/dev/null', os.O_RDONLY)\n"
        "except OSError as e: print('files', i < 100, errno.errorcode[e.errno])\n"
        "fd = os.open('/tmp/x', os.O_CREAT | os.O_WRONLY) if os.close(5) is None else 0\n"
        "try:\n"
        "  for i in range(64): os.write(fd, bytes(1 << 20))\n"
        "except OSError as e: print('scratch', i <= 4, errno.errorcode[e.errno])\n"
    )
    ended = sandbox.run(*profile(sandbox, "limits:\n  pids: 20\n  open_files: 64\n  tmp_size: 4MiB\n"), "--", PYTHON, "-c", script)
    assert ended.stdout.splitlines() == ["processes True EAGAIN", "files True EMFILE", "scratch True ENOSPC"], ended.stderr


def test_kill_9_of_the_supervisor_ends_everything(sandbox: Sandbox) -> None:
    """The read end of a pipe that only processes of the run hold is gone when the last of them is."""
    read_end, write_end = os.pipe()
    with subprocess.Popen([str(RUN), *GVISOR, "--offline", "--", "sh", "-c", "(setsid sleep 600 &); echo up; sleep 600"], stdin=read_end, stdout=subprocess.PIPE,
                          env=sandbox.environment(), cwd=sandbox.folder, text=True,
                          **({"user": ORDINARY_UID, "group": ORDINARY_UID, "extra_groups": []} if sandbox.prefix else {})) as process:
        os.close(read_end)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.kill()
        poller = select.poll()
        poller.register(write_end, 0)
        assert poller.poll(10_000), "the sandbox outlived its supervisor"
    os.close(write_end)


def test_words_that_runsc_cannot_hold_are_refused(sandbox: Sandbox) -> None:
    words: list[bytes | str] = [*sandbox.command(*GVISOR, "--offline", "--", "echo"), b"\xff\xfe"]
    ended = subprocess.run(words, capture_output=True, text=True, env=sandbox.environment(), cwd=sandbox.folder, timeout=30)
    assert ended.returncode != 0
    assert ended.stdout == ""
    assert "UTF-8" in ended.stderr


def test_the_plan_and_the_doctor_name_it(sandbox: Sandbox) -> None:
    ended = sandbox.run(*profile(sandbox, ""), "--dry-run", "--", "/bin/true")
    assert "gVisor: " in ended.stdout
    assert "without capabilities" in ended.stdout
    doctor = sandbox.run("--offline", "doctor")
    assert "gVisor" in doctor.stdout


def test_at_a_terminal_it_has_one_of_its_own(sandbox: Sandbox) -> None:
    """Window, keys and job control as without gVisor; the caller's terminal is not inside."""
    words = sandbox.command(*GVISOR, "--offline", "--env", "PS1=inner> ", "--", "bash", "--norc", "--noprofile", "--noediting")
    with Screen(words, sandbox.environment({"TERM": "dumb"}), sandbox.folder) as screen:
        screen.expect("inner> ", 60)
        screen.type("test -t 0 && test -t 1 && test -t 2 && echo all-$((40+2)); stty size\n")
        screen.expect("all-42\r\n")
        screen.expect("33 77\r\n")
        screen.type("sleep 100\n")
        screen.expect("sleep 100\r\n")
        time.sleep(0.5)
        screen.type("\x03")
        screen.expect("inner> ")
        script = ("import fcntl, termios\n"
                  "try: fcntl.ioctl(0, termios.TIOCSTI, b'x'); print('typed-%d' % 42)\n"
                  "except OSError as e: print('refused-%d' % 42)\n")  # fmt: skip
        screen.type(f'{PYTHON} -c "{script}"\n')
        screen.expect("refused-42")
        screen.type("exit 5\n")
        assert screen.wait() == 5


def test_keys_reach_a_program_that_handles_them(sandbox: Sandbox) -> None:
    """The interrupt key and the window's size, and a signal from outside."""
    script = ("import os, signal, time\n"  # os.write: print must not be interrupted by itself
              "def say(*words): os.write(1, ('-'.join(map(str, words)) + '\\n').encode())\n"
              "signal.signal(signal.SIGINT, lambda *a: say('key', 42))\n"
              "signal.signal(signal.SIGWINCH, lambda *a: say('size', *os.get_terminal_size()[::-1]))\n"
              "signal.signal(signal.SIGTERM, lambda *a: (say('end', 42), os._exit(6)))\n"
              "print('up-%d' % 42, flush=True)\n"
              "while True: time.sleep(0.05)\n")  # fmt: skip
    with Screen(sandbox.command(*GVISOR, "--offline", "--", PYTHON, "-c", script), sandbox.environment({"TERM": "dumb"}), sandbox.folder) as screen:
        screen.expect("up-42", 60)
        screen.type("\x03")
        screen.expect("key-42")
        screen.resize(40, 100)
        screen.expect("size-40-100")
        os.kill(screen.pid, signal.SIGTERM)
        screen.expect("end-42")
        assert screen.wait() == 6


def test_the_stop_key_stops_the_whole_job(sandbox: Sandbox) -> None:
    """A shell inside has no job control by keys of its own: docs/adr/0039."""
    outside = ["bash", "--norc", "--noprofile", "--noediting", "-i"]
    with Screen([*sandbox.prefix, *outside], sandbox.environment({"TERM": "dumb", "PS1": "outer> "}), sandbox.folder) as screen:
        screen.expect("outer> ")
        screen.type(f"{RUN} --isolation gvisor --offline -- sh -c 'echo up-$((40+2)); read x; echo got-$x'\n")
        screen.expect("up-42", 60)
        time.sleep(0.3)
        screen.type("\x1a")
        screen.expect("Stopped")
        screen.expect("outer> ")
        screen.type("fg\n")
        screen.expect("sh -c")
        time.sleep(0.5)
        screen.type("word\n")
        screen.expect("got-word")
        screen.expect("outer> ")
