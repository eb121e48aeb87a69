# SPDX-License-Identifier: Apache-2.0
"""SBX-023: a profile may say by digest what is started; anything else is refused before it starts, and reported."""

from __future__ import annotations

import hashlib
from pathlib import Path

from conftest import Sandbox

PYTHON = Path("/usr/bin/python3").resolve()


def digest(path: Path) -> str:
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def run(sandbox: Sandbox, admitted: list[str], *words: str | Path):
    path = sandbox.folder / "admit.yaml"
    path.write_text(f"admit: [{', '.join(admitted)}]\n")
    path.chmod(0o644)
    (sandbox.folder / "events.jsonl").unlink(missing_ok=True)
    return sandbox.run("--offline", "--events", "events.jsonl", "--profile", "admit.yaml", *words)


def agent(sandbox: Sandbox) -> Path:
    folder = sandbox.folder / "bot"
    folder.mkdir()
    folder.chmod(0o755)
    script = folder / "agent.py"
    script.write_text("print('ran')\n")
    script.chmod(0o644)
    return script


def test_what_is_listed_runs(sandbox: Sandbox) -> None:
    script = agent(sandbox)
    ended = run(sandbox, [digest(PYTHON).upper().replace("SHA256", "sha256"), digest(script)], script)
    assert ended.stdout == "ran\n", ended.stderr
    boundary = next(event["sandbox_start"]["boundary"] for event in sandbox.events() if "sandbox_start" in event)
    assert f"admit {digest(script)}" in boundary


def test_a_changed_script_is_refused_with_its_digest(sandbox: Sandbox) -> None:
    script = agent(sandbox)
    admitted = [digest(PYTHON), digest(script)]
    run(sandbox, admitted, script)  # whatever a cache keeps of it
    script.write_text("print('bad')\n")
    ended = run(sandbox, admitted, script)
    assert ended.returncode == 126
    assert ended.stdout == ""
    assert digest(script) in ended.stderr
    events = sandbox.events()
    assert [event["sandbox_denial"]["target"] for event in events if "sandbox_denial" in event] == [str(script)]
    assert events[0]["sandbox_denial"]["reason"] == f"not admitted: {digest(script)}"
    assert not any("sandbox_start" in event for event in events)


def test_a_listed_script_does_not_admit_its_interpreter(sandbox: Sandbox) -> None:
    script = agent(sandbox)
    ended = run(sandbox, [digest(script)], script)
    assert ended.returncode == 126
    assert digest(PYTHON) in ended.stderr


def test_a_forged_cache_admits_nothing(sandbox: Sandbox) -> None:
    """The cache of digests is the caller's, who could write the admitted digest into it."""
    cache = sandbox.folder / ".cache" / "aispm" / "digests"
    script = agent(sandbox)
    run(sandbox, [digest(PYTHON), digest(script)], script)
    admitted = digest(script)
    script.write_text("print('bad')\n")
    status = script.stat()
    sandbox.run("--offline", "--events", "events.jsonl", script)
    forged = list(cache.glob(f"*-{status.st_ino}"))
    for path in forged:
        text = path.read_text()
        path.write_text(text[: -64] + admitted.removeprefix("sha256:"))
    assert forged, "the run kept no digest"
    assert run(sandbox, [digest(PYTHON), admitted], script).returncode == 126


def test_commands_too(sandbox: Sandbox) -> None:
    assert run(sandbox, [digest(Path("/bin/true"))], "--", "/bin/true").returncode == 0
    assert run(sandbox, [digest(Path("/bin/true"))], "--", "/bin/echo", "hi").returncode == 126
