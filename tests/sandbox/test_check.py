# SPDX-License-Identifier: Apache-2.0
"""`aispm-run check`: whether an agent can be started, found out in its sandbox (SBX-002, SBX-003)."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from conftest import Sandbox

PYTHON = "/usr/bin/python3"
GOOD = "import asyncio\n\nasync def main(message):\n    return message\n"


def check(sandbox: Sandbox, source: str | bytes, *options: str, name: str = "agent.py") -> tuple[int, dict]:
    path = sandbox.folder / name
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    path.chmod(0o644)
    ended = sandbox.run("check", "--json", "--offline", "--python", PYTHON, *options, name, timeout=60)
    print(ended.stderr)
    return ended.returncode, json.loads(ended.stdout) if ended.stdout else {"stderr": ended.stderr}


def test_a_good_agent_is_valid(sandbox: Sandbox) -> None:
    """SBX-002"""
    code, verdict = check(sandbox, GOOD, "--sdk")
    assert (code, verdict) == (0, {"file": "agent.py", "valid": True, "passed": ["size", "encoding", "syntax", "main", "import"]})
    human = sandbox.run("check", "--offline", "--python", PYTHON, "agent.py")
    assert human.stdout == "agent.py: valid (size, encoding, syntax, import)\n"


@pytest.mark.parametrize(("source", "options", "failed", "line", "word"), [
    (b"x = 1\ny = '\xff'\n", (), "encoding", 2, "UTF-8"),
    (b"#" * (1 << 20) + b"\n", (), "size", None, "1048576"),
    ("x = 1\ndef f(:\n", (), "syntax", 2, "invalid syntax"),
    ("return 1\n", (), "syntax", 1, "outside function"),
    ("x = 1\n", ("--sdk",), "main", None, "async def main"),
    ("\ndef main():\n    pass\n", ("--sdk",), "main", 2, "async def main"),
    ("def f():\n    async def main(): pass\n", ("--sdk",), "main", None, "top level"),
    ("x = 1\n\nraise KeyError('gone')\n", (), "import", 3, "KeyError: 'gone'"),
    ("import no_such_package\n", (), "import", 1, "--requirements"),
    ("import sys\nsys.exit(0)\n", (), "import", 2, "__name__"),
    ("import os\nos._exit(0)\n", (), "import", None, "exit code 0"),
    ("import os\nos.kill(os.getpid(), 11)\n", (), "import", None, "signal 11"),
    ("open('/etc/shadow')\n", (), "import", 1, "No such file"),
    ("import urllib.request\nurllib.request.urlopen('http://1.1.1.1:8080/', timeout=5)\n", (), "import", 2, "refused"),
    ("(" * 100000, (), "syntax", None, ""),
], ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "")
def test_what_is_wrong_is_said_with_its_line(sandbox: Sandbox, source: str | bytes, options: tuple[str, ...], failed: str, line: int | None,
                                             word: str) -> None:
    """SBX-002"""
    code, verdict = check(sandbox, source, *options)
    assert (code, verdict["valid"], verdict["failed"]) == (1, False, failed), verdict
    assert line is None or verdict["line"] == line, verdict
    assert word in verdict["reason"], verdict


def test_an_import_runs_in_the_sandbox_and_leaves_nothing(sandbox: Sandbox) -> None:
    """SBX-003: upstream's way would have written it on the host (the control)."""
    mark = Path("/tmp") / f"pwn-{os.getpid()}-{sandbox.kind}"
    source = f"open({str(mark)!r}, 'w').write('x')\nopen('/tmp/pwn', 'w').write('x')\nprint('printed')\n"
    existed = Path("/tmp/pwn").exists()
    code, verdict = check(sandbox, source, "--events", "events.jsonl")
    assert (code, verdict["valid"]) == (0, True), verdict
    assert not mark.exists()
    assert Path("/tmp/pwn").exists() == existed
    assert not (sandbox.folder / "__pycache__").exists()
    start = next(event["sandbox_start"] for event in sandbox.events() if "sandbox_start" in event)
    assert "network:none" in start["mechanisms"]
    try:
        exec(compile(source, "agent.py", "exec"), {})
        assert mark.exists()
    finally:
        mark.unlink(missing_ok=True)
        if not existed:
            Path("/tmp/pwn").unlink(missing_ok=True)


def test_an_import_that_never_ends_is_ended(sandbox: Sandbox) -> None:
    """SBX-002: 15 s, or less where the caller says so."""
    begin = time.monotonic()
    code, verdict = check(sandbox, "while True: pass\n", "--timeout", "2s")
    assert (code, verdict["failed"]) == (1, "import") and "longer than 2 s" in verdict["reason"]
    assert time.monotonic() - begin < 50
    code, verdict = check(sandbox, "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n")
    assert (code, verdict["valid"]) == (0, True)
    code, verdict = check(sandbox, "x = bytearray(1 << 40)\n")
    assert (code, verdict["failed"]) == (1, "import") and "Memory" in verdict["reason"]


@pytest.mark.parametrize("forged", [
    "import os\nfor fd in range(3, 20):\n    try: os.write(fd, b'{\"stage\": \"imported\"}\\n')\n    except OSError: pass\nraise KeyError('x')\n",
    "print('{\"stage\": \"imported\", \"reason\": \"\"}')\nraise KeyError('x')\n"])
def test_an_agent_that_writes_verdicts_is_not_believed(sandbox: Sandbox, forged: str) -> None:
    code, verdict = check(sandbox, forged)
    assert (code, verdict["valid"]) == (1, False)


def test_what_is_no_python_agent_is_said(sandbox: Sandbox) -> None:
    code, said = check(sandbox, "#!/bin/sh\n", name="agent.js")
    assert code in (2, 127) and "stderr" in said
    assert sandbox.run("check", "--offline", "missing.py").returncode == 127
    assert sandbox.run("check", "--offline", "/dev/null").returncode == 2
    assert sandbox.run("check", "--offline", "--", "/bin/true").returncode == 2
    assert "agent.py" in sandbox.run("--help").stdout
