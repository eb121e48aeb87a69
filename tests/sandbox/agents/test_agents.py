# SPDX-License-Identifier: Apache-2.0
"""SBX-033: `aispm-run -- claude`, codex, opencode and gemini, as published and without options, work in a project behind a real gateway."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from agent_provider import CONTENT, DONE, Provider
from conftest import ORDINARY_UID, Sandbox
from stage import PROVIDER_KEY, Gateway, StandIn, serves

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/system/runtimes"))
import fixtures  # noqa: E402

pytest_plugins = ("behind",)
PROMPT = "write the file and say pong"
# What each is started with before its prompt, as a user would to have it work without questions.
AGENTS = {
    "claude": ("--permission-mode", "acceptEdits", "-p"),
    "codex": ("exec", "-m", "gpt-5"),
    "opencode": ("run", "-m", "anthropic/claude-sonnet-4-5"),
    "gemini": ("--skip-trust", "--yolo", "-m", "gemini-2.5-pro", "-p"),
}


@pytest.fixture(params=AGENTS)
def agent(request: pytest.FixtureRequest) -> tuple[str, Path]:
    try:
        return request.param, fixtures.get(request.param)
    except fixtures.Unavailable as reason:
        pytest.skip(f"{request.param}: {reason}")


def search_path(program: Path) -> str:
    """PATH with the agent and, for gemini, its Node.js."""
    scripts = [fixtures.node().parent] if program.name in fixtures.SCRIPTS else []
    return ":".join(map(str, [program.parent, *scripts, "/usr/bin", "/bin"]))


@pytest.fixture
def project(sandbox: Sandbox) -> Path:
    folder = sandbox.folder / "project"
    folder.mkdir()
    subprocess.run(["git", "init", "-q", folder], check=True)
    (folder / "README").write_text("a project\n")
    if sandbox.prefix:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, ORDINARY_UID, ORDINARY_UID)
    return folder


def test_it_edits_the_project_through_the_gateway(agent: tuple[str, Path], sandbox: Sandbox, project: Path, provider: Provider, gateway: Gateway,
                                               stand_in: StandIn) -> None:
    name, program = agent
    # Codex speaks the Responses API alone. Where the gateway does not serve it yet, the rest is tried with a stand-in.
    between = stand_in if name == "codex" and not serves(gateway, "/v1/responses") else gateway
    print(f"{name}: through {type(between).__name__}")
    provider.seen.clear()
    provider.target = str(project / "made.txt")
    before = {path.name for path in project.iterdir()}
    # Real keys of the caller, which must not reach the agent or the provider.
    environment = sandbox.environment({"PATH": search_path(program), "ANTHROPIC_API_KEY": "sk-ant-callers", "OPENAI_API_KEY": "sk-callers"})
    ended = subprocess.run(sandbox.command("--gateway", between.socket, "--events", sandbox.folder / "events.jsonl", "--", name, *AGENTS[name], PROMPT), env=environment,
                           cwd=project, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180)
    told = f"{ended.returncode}\n{ended.stdout[-2000:]}\n{ended.stderr[-3000:]}\n{sandbox.denials()}"
    assert ended.returncode == 0, told
    assert DONE in ended.stdout, told
    made = project / "made.txt"
    assert made.exists(), f"{told}\noffered: {[[tool.get('name', tool.get('type')) for tool in call.get('tools') or []] for _, _, call in provider.seen]}"
    assert made.read_text() == CONTENT
    assert made.stat().st_uid == project.stat().st_uid
    calls = [(path, headers) for path, headers, request in provider.seen if request.get("tools")]
    assert len(calls) >= 2, "the model's answers did not come through the gateway"
    for _, headers in calls:
        assert PROVIDER_KEY in headers.get("authorization", "") + headers.get("x-api-key", "") + headers.get("x-goog-api-key", "")
        assert "callers" not in str(headers)
        assert "aispm-sandbox" not in str(headers)
    assert {path.name for path in project.iterdir()} == before | {"made.txt"}, "something was left in the project"
    start = sandbox.events()[0]["sandbox_start"]
    assert start["profile"] == "coding-agent"
    assert not (sandbox.folder / ".claude.json").exists()
    assert not (sandbox.folder / ".codex").exists()
