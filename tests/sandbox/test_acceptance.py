# SPDX-License-Identifier: Apache-2.0
"""Acceptance sentences of the feature list that no other file of this folder holds; each names its row."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from conftest import Sandbox

PYTHON = "/usr/bin/python3"


def test_what_an_agent_writes_on_import_stays_inside(sandbox: Sandbox) -> None:
    """SBX-003: /tmp of the host is untouched, although the agent's own write succeeds."""
    mark = Path(f"/tmp/aispm-pwn-{os.getpid()}-{sandbox.kind}")
    (sandbox.folder / "agent.py").write_text(f"open({str(mark)!r}, 'w').write('x')\nprint(open({str(mark)!r}).read())\n")
    ended = sandbox.run("--offline", "agent.py")
    assert ended.stdout == "x\n", ended.stderr
    assert not mark.exists()


def test_nothing_of_the_callers_secrets_is_inside(sandbox: Sandbox) -> None:
    """SBX-004, the sandbox's part: an agent sees placeholders, never a key or token of the caller, by no profile."""
    secret = {"OPENAI_API_KEY": "sk-real-1", "ANTHROPIC_API_KEY": "sk-real-2", "MCP_TOKEN": "real-3", "AWS_SECRET_ACCESS_KEY": "real-4"}
    for profile in ("default", "coding-agent", "python", "node", "offline"):
        (sandbox.folder / "project").mkdir(exist_ok=True)
        if sandbox.prefix:
            os.chown(sandbox.folder / "project", 65534, 65534)
        ended = sandbox.run("--offline", "--profile", profile, "--workspace", sandbox.folder / "project", "--", "env", env=secret)
        assert ended.returncode == 0, ended.stderr
        assert "real" not in ended.stdout, profile


def test_the_root_is_read_only(sandbox: Sandbox) -> None:
    """SBX-016: touch /x gives EROFS, here and in every system folder."""
    script = "import os\nfor path in ('/x', '/usr/x', '/etc/x', '/bin/x', '/dev/x'):\n  try:\n    os.open(path, os.O_CREAT | os.O_WRONLY); print(path)\n  except OSError as e: print(e.errno)\n"
    ended = sandbox.run("--offline", "--", PYTHON, "-c", script)
    assert ended.stdout.split() == ["30"] * 5, ended.stdout  # EROFS
    touched = sandbox.run("--offline", "--", "touch", "/x")
    assert touched.returncode != 0
    assert "Read-only file system" in touched.stderr


def test_a_new_user_namespace_is_refused(sandbox: Sandbox) -> None:
    """SBX-018: unshare(CLONE_NEWUSER) gives EPERM, and is told."""
    script = "import ctypes\nc = ctypes.CDLL(None, use_errno=True)\nprint(c.unshare(0x10000000), ctypes.get_errno())\n"
    ended = sandbox.run("--offline", "--events", "events.jsonl", "--", PYTHON, "-c", script)
    assert ended.stdout == "-1 1\n"
    assert any(kind == "KIND_SYSCALL" and target.startswith("unshare") for kind, target, _ in sandbox.denials())


def test_host_processes_are_unknown(sandbox: Sandbox) -> None:
    """SBX-019: the agent sees its own processes only, and can signal none of the host's."""
    script = f"import os\nprint(sorted(n for n in os.listdir('/proc') if n.isdigit()))\ntry:\n  os.kill({os.getpid()}, 0); print('seen')\nexcept OSError as e: print(e.errno)\n"
    ended = sandbox.run("--offline", "--", PYTHON, "-c", script)
    own, error = ended.stdout.splitlines()
    assert set(own.strip("[]").replace("'", "").split(", ")) <= {"1", "2", "3"}
    assert error in {"1", "3"}


@pytest.mark.parametrize("choice", [("--profile", "offline"), ("--offline",)])
def test_without_a_network_a_tool_cannot_connect(sandbox: Sandbox, choice: tuple[str, ...]) -> None:
    """SBX-021, SBX-030: refused at once and told, with no gateway to ask; a listener of the host's is not reached."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()  # the control
        server.accept()[0].close()
        server.settimeout(0.5)
        script = f"import socket\nfor to in (('127.0.0.1', {port}), ('93.184.216.34', 443)):\n  try:\n    socket.create_connection(to, 5); print('out')\n  except OSError as e: print(e.errno)\n"
        ended = sandbox.run(*choice, "--events", "events.jsonl", "--", PYTHON, "-c", script)
        assert ended.stdout.split() == ["111", "111"], ended.stdout + ended.stderr
        with pytest.raises(TimeoutError):
            server.accept()
    assert ("KIND_CONNECT", "93.184.216.34:443", "tcp") in sandbox.denials()


def test_allowed_paths_are_all_there_is(sandbox: Sandbox) -> None:
    """SBX-030: a tool sees the paths it is given, and times out when told to."""
    given, other = sandbox.folder / "given", sandbox.folder / "other"
    for folder in (given, other):
        folder.mkdir()
        folder.chmod(0o755)
        (folder / "data").write_text(folder.name)
    ended = sandbox.run("--offline", "--ro", given, "--", "sh", "-c", f"cat {given}/data {other}/data")
    assert ended.stdout == "given"
    assert sandbox.run("--offline", "--timeout", "200ms", "--", "sleep", "20").returncode == 124


def test_the_boundary_names_what_changes_between_runs(sandbox: Sandbox) -> None:
    """SBX-034: two equal runs say the same; another mount, limit or program shows as a line."""
    if not sandbox.prefix and sandbox.kind == "user":
        pytest.skip("not root: the ordinary user is the caller, whose cache would be used")

    def boundary(*options: str | Path, program: str = "/bin/true") -> set[str]:
        (sandbox.folder / "events.jsonl").unlink(missing_ok=True)
        assert sandbox.run("--offline", "--agent", "bot", "--events", "events.jsonl", *options, "--", program).returncode == 0
        return set(sandbox.events()[0]["sandbox_start"]["boundary"])

    first = boundary()
    assert boundary() == first
    digest = subprocess.run(["sha256sum", Path("/bin/true").resolve()], capture_output=True, text=True, check=True).stdout.split()[0]
    assert f"program /bin/true sha256:{digest}" in first
    assert "egress none" in first
    extra = sandbox.folder / "extra"
    extra.mkdir()
    assert boundary("--ro", extra) - first == {f"mount read-only {extra}"}
    assert boundary("--pids", "99") ^ first == {"limit pids 99", "limit pids 256"}
    changed = sandbox.folder / "true"
    changed.write_bytes(Path("/bin/true").read_bytes())
    changed.chmod(0o755)
    before = boundary(program=str(changed))
    changed.write_bytes(Path("/bin/true").read_bytes() + b"\0")
    assert {line.split()[0] for line in boundary(program=str(changed)) ^ before} == {"program"}
