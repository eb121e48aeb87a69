# SPDX-License-Identifier: Apache-2.0
"""GW-006, MCP-019: calls of tools are limited by agent and tool, and the model is told so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from conftest import POLICY, real_gateway, wait_for_rules
from mcp import Client, MCPError
from test_mcp import ERAS, call, with_client


@pytest.fixture
def limited(provider: Any, certificate: Any, servers: dict[str, Any], tmp_path: Path) -> Iterator[Any]:
    running = real_gateway.Gateway(tmp_path)
    extra = ("limits: {rates: {tool: {per_minute: 2}}}\n"
             f"mcp: {{servers: [{{name: json, origin: 'http://127.0.0.1:{servers['json'].port}', allow_private: true, agents: ['tests/*'], "
             "tools: [send, fetch]}]}\n")
    running.start(running.configure(provider.port, certificate.cert, extra, policy=POLICY))
    wait_for_rules(running)
    yield running
    assert running.stop() == 0, running.log.read_text()


@pytest.mark.parametrize("mode", ERAS)
def test_the_call_over_the_rate_fails_with_words_for_the_model(limited: Any, servers: dict[str, Any], mode: str) -> None:
    before = len(servers["json"].calls("send"))
    for _ in range(2):
        failed, text = call(limited, "json__send", mode, to="bob", copies=1)
        assert not failed, text
    failed, text = call(limited, "json__send", mode, to="bob", copies=1)
    assert failed
    assert "limits.rate.tool" in text
    assert "this tool may make 2 calls within 60 s; try again in" in text
    assert len(servers["json"].calls("send")) == before + 2
    assert "limits.rate.tool" not in call(limited, "json__fetch", mode, url="x")[1]


def test_streams_of_changes_are_limited_too(limited: Any) -> None:
    async def use(client: Client) -> str:
        async def listen() -> None:
            async with client.listen(tools_list_changed=True):
                pass

        with anyio.fail_after(30):
            for _ in range(2):
                await listen()
            with pytest.raises(MCPError) as refused:
                await listen()
        return refused.value.error.message

    said = with_client(limited, use, "2026-07-28")
    assert "limits.rate.tool" in said and "try again in" in said, said
