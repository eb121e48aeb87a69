# SPDX-License-Identifier: Apache-2.0
"""A sandboxed program behaves as without a sandbox: exit code, signals, streams, terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pytest
from conftest import RUN, Sandbox


@pytest.mark.parametrize("code", [0, 1, 7, 125, 255])
def test_exit_code_is_the_programs_own(sandbox: Sandbox, code: int) -> None:
    assert sandbox.run("--offline", "--", "sh", "-c", f"exit {code}").returncode == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_death_by_signal_is_128_plus_n(sandbox: Sandbox, number: signal.Signals) -> None:
    assert sandbox.run("--offline", "--events", "events.jsonl", "--", "sh", "-c", f"kill -{int(number)} $$").returncode == 128 + number
    assert sandbox.events()[-1]["sandbox_exit"]["signal"] == number


def test_missing_and_unusable_programs_are_127_and_126(sandbox: Sandbox) -> None:
    assert sandbox.run("--offline", "--", "no-such-program").returncode == 127
    (sandbox.folder / "notes").write_text("x")
    (sandbox.folder / "notes").chmod(0o644)
    assert sandbox.run("--offline", "--", "./notes").returncode == 126


def test_wrong_usage_and_wrong_profiles_are_2(sandbox: Sandbox) -> None:
    assert sandbox.run().returncode == 2
    assert sandbox.run("--no-such-option", "--", "true").returncode == 2
    (sandbox.folder / "bad.yaml").write_text("limits:\n  pids: many\n")
    ended = sandbox.run("--offline", "--profile", "bad.yaml", "--", "true")
    assert ended.returncode == 2
    assert "bad.yaml:2" in ended.stderr


@pytest.mark.parametrize("option", ["--timeout", "--memory", "--events", "--profile", "--gateway", "--workspace", "--agent"])
def test_an_empty_value_is_not_taken_for_none(sandbox: Sandbox, option: str) -> None:
    """As from `--timeout "$UNSET"`: the run must not go on without its limit, or without its record."""
    ended = sandbox.run("--offline", option, "", "--", "true")
    assert ended.returncode == 2
    assert "its value is empty" in ended.stderr
    assert option in ended.stderr


def test_doctor_names_what_is_wrong_with_its_options(sandbox: Sandbox) -> None:
    ended = sandbox.run("--profile", "nope", "doctor")
    assert ended.returncode == 2
    assert "profile 'nope' is unknown" in ended.stderr


def test_without_a_gateway_nothing_runs(sandbox: Sandbox) -> None:
    ended = sandbox.run("--gateway", "/nonexistent/gateway.sock", "--", "sh", "-c", "echo ran")
    assert ended.returncode == 125
    assert "ran" not in ended.stdout
    assert "gateway" in ended.stderr


def test_streams_pass_through_unchanged(sandbox: Sandbox) -> None:
    data = os.urandom(300_000)
    ended = subprocess.run(sandbox.command("--offline", "--", "sh", "-c", "cat; echo oops >&2"), input=data, capture_output=True,
                           env=sandbox.environment(), cwd=sandbox.folder, timeout=30)
    assert ended.stdout == data
    assert ended.stderr == b"oops\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1])
def test_signals_reach_the_program(sandbox: Sandbox, number: signal.Signals) -> None:
    name = number.name.removeprefix("SIG")
    script = f"trap 'echo got {name}; exit 9' {name}; echo up; while :; do sleep 0.05; done"
    with subprocess.Popen(sandbox.command("--offline", "--", "sh", "-c", script), stdout=subprocess.PIPE, text=True,
                          env=sandbox.environment(), cwd=sandbox.folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        assert process.stdout.readline() == f"got {name}\n"
        assert process.wait(10) == 9


def test_killing_the_supervisor_ends_the_sandbox(sandbox: Sandbox) -> None:
    with subprocess.Popen([str(RUN), "--offline", "--", "sh", "-c", "echo up; sleep 60; echo survived"], stdout=subprocess.PIPE, text=True,
                          env=sandbox.environment(), cwd=sandbox.folder,
                          **({"user": 65534, "group": 65534, "extra_groups": []} if sandbox.prefix else {})) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.kill()
        # The pipe ends only when the last process of the sandbox that holds it has ended.
        ready, _, _ = select.select([process.stdout], [], [], 5)
        assert ready, "the sandbox outlived its supervisor"
        assert process.stdout.read() == ""


def test_background_processes_end_with_the_program(sandbox: Sandbox) -> None:
    begin = time.monotonic()
    ended = sandbox.run("--offline", "--", "sh", "-c", "(setsid sleep 60 &) ; echo done")
    assert ended.stdout == "done\n"  # the pipe is closed: nobody holds it any more
    assert time.monotonic() - begin < 20


def test_the_wall_time_ends_even_what_ignores_sigterm(sandbox: Sandbox) -> None:
    ended = sandbox.run("--offline", "--events", "events.jsonl", "--wall-time", "300ms", "--", "sh", "-c",
                        "trap '' TERM; while :; do sleep 0.1; done")
    assert ended.returncode == 124
    assert ("KIND_LIMIT", "wall_time", "") in sandbox.denials()


def read_until(fd: int, text: bytes, seconds: float = 10) -> bytes:
    seen = b""
    deadline = time.monotonic() + seconds
    while text not in seen and time.monotonic() < deadline:
        if select.select([fd], [], [], 0.2)[0]:
            try:
                chunk = os.read(fd, 4096)
            except OSError:  # the other side closed
                break
            seen += chunk
    assert text in seen, seen
    return seen


def test_an_interactive_terminal_works(sandbox: Sandbox) -> None:
    script = "test -t 0 && test -t 1 && stty size; trap 'echo INT; exit 3' INT; read line; echo \"said $line\"; while :; do sleep 0.05; done"
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(sandbox.folder)
        words = sandbox.command("--offline", "--", "sh", "-c", script)
        os.execvpe(words[0], words, sandbox.environment())
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
        os.write(terminal, b"hello\n")
        read_until(terminal, b"said hello")
        os.write(terminal, b"\x03")
        read_until(terminal, b"INT")
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 3
    finally:
        os.close(terminal)


def test_the_window_size_is_the_terminals(sandbox: Sandbox) -> None:
    main, other = pty.openpty()
    fcntl.ioctl(main, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    ended = subprocess.run(sandbox.command("--offline", "--", "stty", "size"), stdin=other, capture_output=True, text=True,
                           env=sandbox.environment(), cwd=sandbox.folder, timeout=30)
    os.close(main)
    os.close(other)
    assert ended.stdout == "33 77\n"
