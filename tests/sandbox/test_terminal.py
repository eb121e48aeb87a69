# SPDX-License-Identifier: Apache-2.0
"""At a terminal a sandboxed program has one of its own, and job control works inside and outside of it."""

from __future__ import annotations

import os
import signal
import termios
import time
from collections.abc import Iterator

import pytest
from conftest import RUN, Sandbox
from terminal_driver import Screen

# Says when it is in front for the first time and each time it is continued there; keys end it as they would any program.
FRONT = ("/usr/bin/python3 -c \"import os, signal, time; signal.signal(2, signal.SIG_DFL); "
         "signal.signal(18, lambda *a: os.write(1, b'again-%d\\n' % 42)); os.write(1, b'front-%d\\n' % 42); "
         "[time.sleep(0.05) for i in iter(int, 1)]\"")
SHELL = ["bash", "--norc", "--noprofile", "--noediting"]


def environment(sandbox: Sandbox) -> dict[str, str]:
    return sandbox.environment({"TERM": "dumb", "PS1": "outer> "})


def at_terminal(sandbox: Sandbox, *words: str) -> Screen:
    return Screen(sandbox.command("--offline", "--env", "PS1=inner> ", "--", *words), environment(sandbox), sandbox.folder)


@pytest.fixture
def shell(sandbox: Sandbox) -> Iterator[Screen]:
    with at_terminal(sandbox, *SHELL) as screen:
        screen.expect("inner> ")
        yield screen


@pytest.fixture
def outer(sandbox: Sandbox) -> Iterator[Screen]:
    """A shell outside, from which jobs are started. For the ordinary user it is that user's."""
    with Screen([*sandbox.prefix, *SHELL, "-i"], environment(sandbox), sandbox.folder) as screen:
        screen.expect("outer> ")
        yield screen


def test_the_terminal_inside_is_one_of_its_own(shell: Screen) -> None:
    shell.type("tty; test -t 0 && test -t 1 && test -t 2 && echo all-three\n")
    shell.expect("/dev/pts/0")
    shell.expect("all-three\r\n")
    shell.type("ls -l /proc/self/fd/0 | sed 's/.*-> //'; ls /dev/pts | tr '\\n' ' '; echo .\n")
    shell.expect("/dev/pts/0")
    shell.expect("0 ptmx .")


def test_a_job_that_begins_in_the_background_gets_the_modes_of_programs(sandbox: Sandbox) -> None:
    """It starts while the shell edits a line, without echo and without whole lines; Ctrl-D must end its input later."""
    with Screen([*sandbox.prefix, "bash", "--norc", "--noprofile", "-i"], environment(sandbox), sandbox.folder) as outer:
        outer.expect("outer> ")
        outer.type(f"{RUN} --offline -- sh -c 'cat; stty -a' &\n")
        outer.expect("outer> ")
        time.sleep(0.5)
        outer.type("fg\n")
        outer.expect("stty -a")
        time.sleep(1)  # the run looks now and then whether it is in front
        outer.type("line\n")
        outer.expect("line\r\nline\r\n")
        outer.type("\x04")
        modes = outer.expect("outer> ").split()
        assert "icanon" in modes
        assert "echo" in modes


def test_it_is_the_controlling_terminal(shell: Screen) -> None:
    shell.type("echo one > /dev/tty; ps -o tpgid=,pgid= -p $$ 2>/dev/null; read x < /dev/tty; echo got-$x\n")
    shell.expect("one\r\n")
    shell.type("two\n")
    shell.expect("got-two")


def test_nothing_can_be_typed_into_the_callers_terminal(sandbox: Sandbox) -> None:
    script = ("import fcntl, os, termios\n"
              "for fd in (0, 1, 2):\n"
              "  try: fcntl.ioctl(fd, termios.TIOCSTI, b'x'); print('typed')\n"
              "  except OSError as e: print('errno', e.errno)\n"
              "print(os.getsid(0) != os.getpid(), os.ttyname(0))\n")
    with at_terminal(sandbox, "/usr/bin/python3", "-c", script) as screen:
        for _ in range(3):
            screen.expect("errno 1\r\n")
        screen.expect("/dev/pts/0")
        assert screen.wait() == 0
        assert b"typed" not in screen.seen


def test_window_size_and_its_changes(shell: Screen) -> None:
    shell.type("stty size\n")
    shell.expect("33 77")
    shell.type("trap 'echo changed' WINCH; echo set-$((40+2))\n")
    shell.expect("set-42\r\n")
    shell.resize(44, 99)
    shell.type("until test \"$(stty size)\" = '44 99'; do sleep 0.05; done\n")
    shell.expect("changed\r\n")


@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("\x1c", 131)])
def test_keys_send_signals_to_what_is_in_front(shell: Screen, key: str, code: int) -> None:
    shell.type(FRONT + "\n")
    shell.expect("front-42\r\n")
    shell.type(key)
    shell.expect("inner> ")
    shell.type("echo code-$?\n")
    shell.expect(f"code-{code}")


def test_job_control_of_a_shell_inside(shell: Screen) -> None:
    shell.type(FRONT + "\n")
    shell.expect("front-42\r\n")
    shell.type("\x1a")
    shell.expect("Stopped")
    shell.type("sleep 2000 &\n")
    shell.type("echo $(jobs -s | wc -l) stopped, $(jobs -r | wc -l) running\n")
    shell.expect("1 stopped, 1 running\r\n")
    shell.type("bg; sleep 0.2; echo $(jobs -r | wc -l) running\n")
    shell.expect("again-42\r\n")
    # Not before the shell knows: fg would take the old stop for one after it.
    shell.type("kill -STOP %1; until [ $(jobs -s | wc -l) = 1 ]; do sleep 0.1; done; echo stopped-$((40+2))\n")
    shell.expect("stopped-42\r\n")
    shell.type("fg %1\n")
    shell.expect("again-42\r\n")  # the shell continues it after it has put it in front
    shell.type("\x03")
    shell.expect("inner> ")
    shell.type("kill %2; wait %2; echo ended-$?\n")
    shell.expect("ended-143")
    shell.type("exit 6\n")
    assert shell.wait() == 6


def test_programs_inside_make_terminals_of_their_own(shell: Screen) -> None:
    shell.type("/usr/bin/python3 -c 'import pty; pty.spawn([\"sh\", \"-c\", \"tty; echo x > /dev/tty\"])'\n")
    shell.expect("/dev/pts/1")
    shell.expect("x\r\n")
    shell.expect("inner> ")
    shell.type("script -qc 'stty -echo; stty -a' /tmp/typescript | grep -c -- '[-]echo '; echo done-$?\n")
    shell.expect("1\r\ndone-0")


def test_raw_mode_and_what_is_typed_unseen(sandbox: Sandbox) -> None:
    script = ("import sys, termios, tty\n"
              "before = termios.tcgetattr(0)\n"
              "tty.setraw(0)\n"
              "print('raw', end='\\r\\n', flush=True)\n"
              "keys = sys.stdin.buffer.raw.read(1) + sys.stdin.buffer.raw.read(1)\n"
              "termios.tcsetattr(0, termios.TCSANOW, before)\n"
              "print(keys)\n"
              "import getpass\n"
              "print('secret of', len(getpass.getpass()))\n")
    with at_terminal(sandbox, "/usr/bin/python3", "-c", script) as screen:
        screen.expect("raw\r\n")
        screen.type("\x03\x1a")
        screen.expect(r"b'\x03\x1a'")
        screen.expect("Password: ")
        screen.type("hidden\n")
        assert "hidden" not in screen.expect("secret of 6")
        assert screen.wait() == 0


@pytest.mark.parametrize("end", ["stty raw -echo; exit 3", "stty raw -echo; kill -KILL $$"])
def test_the_callers_terminal_is_restored(sandbox: Sandbox, end: str) -> None:
    with at_terminal(sandbox, "sh", "-c", f"echo begun; read x; {end}") as screen:
        before = screen.modes()
        screen.expect("begun")
        during = termios.tcgetattr(screen.fd)
        assert not during[3] & termios.ICANON  # the outer one passes every key on
        screen.type("\n")
        assert screen.wait() in (3, 137)
        assert termios.tcgetattr(screen.fd)[:4] == before[:4]


def test_the_whole_job_stops_and_continues_with_the_callers_shell(sandbox: Sandbox, outer: Screen) -> None:
    run = sandbox.command()[-1]
    outer.type(f"{run} --offline -- cat\n")
    outer.expect("cat\r\n")
    outer.type("first\n")
    outer.expect("first\r\nfirst\r\n")
    outer.type("\x1a")
    outer.expect("Stopped")
    outer.expect("outer> ")
    outer.type("stty -a | grep -o ' icanon'; jobs -s | wc -l\n")
    outer.expect(" icanon")
    outer.expect("1\r\n")
    outer.type("fg\n")
    outer.expect("cat\r\n")
    outer.type("second\n")
    outer.expect("second\r\nsecond\r\n")
    outer.type("\x04")
    outer.expect("outer> ")
    outer.type("echo code-$?\n")
    outer.expect("code-0")


def test_a_shell_inside_can_suspend_itself(sandbox: Sandbox, outer: Screen) -> None:
    run = sandbox.command()[-1]
    outer.type(f"{run} --offline --env 'PS1=inner> ' -- {' '.join(SHELL)}\n")
    outer.expect("inner> ")
    outer.type("suspend\n")
    outer.expect("Stopped")
    outer.expect("outer> ")
    outer.type("fg\n")
    outer.expect("--noediting\r\n")
    outer.type("\necho back-$((40+2))\n")
    outer.expect("back-42")
    outer.type("exit 4\n")
    outer.expect("outer> ")
    outer.type("echo code-$?\n")
    outer.expect("code-4")


def test_a_job_in_the_background_leaves_the_terminal_alone(sandbox: Sandbox, outer: Screen) -> None:
    run = sandbox.command()[-1]
    outer.type(f"{run} --offline -- sh -c 'read x; echo read-$x' &\n")
    outer.expect("outer> ")
    outer.type("echo still-$((40+2))\n")
    outer.expect("still-42")
    outer.type("fg\n")
    outer.expect("sh -c")
    outer.type("now\n")
    outer.expect("read-now")


def test_a_stop_signal_from_outside_stops_both(sandbox: Sandbox, outer: Screen) -> None:
    run = sandbox.command()[-1]
    outer.type(f"{run} --offline -- sleep 1000 < /dev/null > out.txt 2>&1 &\n")
    outer.expect("outer> ")
    outer.type("sleep 1; kill -TSTP %1; sleep 1; echo $(jobs -s | wc -l) stopped\n")
    outer.expect("1 stopped\r\n")
    outer.type("bg; echo $(jobs -r | wc -l) running\n")
    outer.expect("1 running\r\n")
    outer.type("kill %1; wait %1; echo code-$?\n")
    outer.expect("code-143")


def test_a_pipeline_from_a_terminal(sandbox: Sandbox, outer: Screen) -> None:
    run = sandbox.command()[-1]
    outer.type(f"{run} --offline -- sh -c 'read x; test -t 1 || echo piped-$x; test -t 0 && echo keys' | sed 's/^/via /'\n")
    outer.expect("sed 's/^/via /'\r\n")
    outer.type("word\n")
    outer.expect("word\r\n")
    outer.expect("via piped-word\r\n")
    outer.expect("via keys\r\n")
    outer.expect("outer> ")
    outer.type(f"echo fed | {run} --offline -- sh -c 'cat; test -t 1 && echo screen'\n")
    outer.expect("echo screen'\r\n")
    outer.expect("fed\r\nscreen\r\n")


def test_a_closed_terminal_ends_it(sandbox: Sandbox) -> None:
    screen = at_terminal(sandbox, "sh", "-c", "echo begun; sleep 1000")
    screen.expect("begun")
    os.close(screen.fd)
    assert screen.wait(is_open=False) == 128 + signal.SIGHUP
