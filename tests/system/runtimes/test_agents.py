# SPDX-License-Identifier: Apache-2.0
"""Coding agents as published make a call over TLS to a stand-in for their provider: the sensor sees all of it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import fixtures
import pytest
from capture import Connection, Dump
from provider import Provider
from test_runtimes import describe, matching

PROMPT = "say pong and nothing else"
ATTEMPTS = 3  # the first start of a new program races with its analysis


@dataclass(frozen=True)
class Agent:
    library: str
    path: bytes  # of its call
    arguments: tuple[str, ...]
    configure: Callable[[Provider, Path], dict[str, str]]


def _claude(provider: Provider, _home: Path) -> dict[str, str]:
    return {"ANTHROPIC_BASE_URL": provider.url, "ANTHROPIC_API_KEY": "sk-ant-test",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}


def _codex(provider: Provider, home: Path) -> dict[str, str]:
    (home / ".codex").mkdir(exist_ok=True)
    (home / ".codex" / "config.toml").write_text(
        f'model = "gpt-5"\nmodel_provider = "local"\n[model_providers.local]\nname = "local"\nbase_url = "{provider.url}/v1"\n'
        'env_key = "OPENAI_API_KEY"\nwire_api = "responses"\n')
    return {"OPENAI_API_KEY": "sk-test"}


def _opencode(provider: Provider, home: Path) -> dict[str, str]:
    (home / "opencode.json").write_text(json.dumps({"provider": {"local": {
        "npm": "@ai-sdk/openai-compatible", "options": {"baseURL": provider.url + "/v1", "apiKey": "sk-test"},
        "models": {"m": {}}}}}))
    return {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1"}


AGENTS = {
    "claude": Agent("boringssl", b"/v1/messages", ("-p", PROMPT), _claude),
    "codex": Agent("aws-lc", b"/v1/responses", ("exec", "--skip-git-repo-check", PROMPT), _codex),
    "opencode": Agent("boringssl", b"/v1/chat/completions", ("run", "-m", "local/m", PROMPT), _opencode),
}


@pytest.mark.parametrize("name", AGENTS)
def test_its_call_is_seen(name: str, provider: Provider, dump: Dump, tmp_path: Path) -> None:
    agent = AGENTS[name]
    try:
        program = fixtures.get(name)
    except fixtures.Unavailable as reason:
        pytest.skip(f"{name}: {reason}")
    trust = {one: str(provider.ca) for one in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CODEX_CA_CERTIFICATE")}
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **trust, **agent.configure(provider, tmp_path)}
    connections: list[Connection] = []
    for _ in range(ATTEMPTS):
        provider.forget()
        dump.forget()
        done = subprocess.run(provider.island.command(program, *agent.arguments), env=env, cwd=tmp_path, capture_output=True,
                              text=True, check=False, stdin=subprocess.DEVNULL, timeout=120)
        assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
        assert "pong" in done.stdout
        talks = [talk for talk in provider.seen() if any(agent.path in request.split(b"\r\n")[0] for request in talk.requests)]
        assert talks, "it did not call its provider"

        def all_there(seen: list[Connection]) -> bool:
            return all(matching(seen, talk.received, talk.sent) for talk in talks)  # noqa: B023

        connections = dump.wait_for(all_there, 5)
        if all_there(connections):
            break
    assert all_there(connections), f"captured {describe(connections)}"
    for talk in talks:
        found = matching(connections, talk.received, talk.sent)
        assert [one.library for one in found] == [agent.library]
        assert PROMPT.encode() in found[0].written.bytes
        assert b"pong" in found[0].read.bytes
