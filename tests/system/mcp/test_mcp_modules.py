# SPDX-License-Identifier: Apache-2.0
"""POL-016: the shipped Rego module `egress` is asked about an MCP server's host before a call, a subscription or a completion reaches it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import POLICY, McpServer, real_gateway, wait_for_rules, write_private
from mcp import Client, MCPError
from mcp_types import PromptReference
from test_mcp import call, with_client


@pytest.fixture(params=["127.0.0.1", "elsewhere.example"])
def allowed(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def limited(provider: Any, certificate: Any, servers: dict[str, McpServer], changing: dict[str, Any], tmp_path: Path, allowed: str) -> Iterator[Any]:
    (tmp_path / "bundle" / "rego").mkdir(mode=0o700, parents=True)
    (tmp_path / "bundle").chmod(0o700)
    write_private(tmp_path / "bundle" / "actions.yaml", "defaults: {outcome: allow}\nrules: []\n")
    write_private(tmp_path / "bundle" / "data.json", json.dumps({"settings": {"egress": {"allowed": [allowed]}}}))
    write_private(tmp_path / "bundle" / "rego" / "egress.rego", (real_gateway.ROOT / "policies" / "rego" / "egress.rego").read_text())
    extra = (f"bundle: {{folder: {tmp_path}/bundle}}\nmcp:\n  servers:\n    - {{name: json, origin: 'http://127.0.0.1:{servers['json'].port}', "
             "allow_private: true, agents: ['tests/*'], tools: [send], prompts: [letter]}\n"
             f"    - {{name: sessions, origin: 'http://127.0.0.1:{changing['sessions'].port}', allow_private: true, agents: ['tests/*'], tools: [], "
             "resources: ['office://*']}\n")
    running = real_gateway.Gateway(tmp_path)
    running.start(running.configure(provider.port, certificate.cert, extra, policy=POLICY))
    wait_for_rules(running)
    yield running
    assert running.stop() == 0, running.log.read_text()


def test_a_server_is_reached_only_where_its_host_is_allowed(limited: Any, servers: dict[str, McpServer], allowed: str) -> None:
    before = len(servers["json"].calls("send"))
    is_error, said = call(limited, "json__send", to="jane")
    reached = len(servers["json"].calls("send")) - before
    if allowed == "127.0.0.1":
        assert reached == 1 and "denied by rule" not in said, said
    else:
        assert is_error and reached == 0 and "egress.default" in said, said


def test_nothing_is_completed_at_a_host_that_is_not_allowed(limited: Any, servers: dict[str, McpServer], allowed: str) -> None:
    before = len(servers["json"].calls("complete"))

    async def use(client: Client) -> str:
        try:
            said = await client.complete(PromptReference(type="ref/prompt", name="json__letter"), {"name": "tone", "value": "k"})
        except MCPError as refused:
            return refused.error.message
        return ",".join(said.completion.values)

    said = with_client(limited, use)
    reached = len(servers["json"].calls("complete")) - before
    assert (said, reached) == ("kind,keen", 1) if allowed == "127.0.0.1" else reached == 0 and "egress.default" in said, said


def test_nothing_is_subscribed_to_at_a_host_that_is_not_allowed(limited: Any, changing: dict[str, Any], allowed: str) -> None:
    uri = f"mcp+sessions+office://{allowed}"

    async def subscribe(client: Client) -> str:
        try:
            await client.subscribe_resource(uri)
        except MCPError as refused:
            return refused.error.message
        return ""

    async def listen(client: Client) -> list[str]:
        async with client.listen(resource_subscriptions=[uri]) as listening:
            return list(listening.honored.resource_subscriptions or [])

    said, honoured = with_client(limited, subscribe), with_client(limited, listen, "2026-07-28")
    heard = f"office://{allowed}" in changing["sessions"].ask("/_state")
    assert (said, honoured, heard) == ("", [uri], True) if allowed == "127.0.0.1" else ("egress.default" in said, honoured, heard) == (True, [], False), said
