# SPDX-License-Identifier: Apache-2.0
"""Calls of MCP servers are spans of OpenTelemetry's conventions at a receiver that decodes them with OpenTelemetry's own messages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ACTIONS, POLICY, TOOLS, real_gateway, wait_for_rules, write_private
from otlp_receiver import Collector, attributes, receiving
from test_mcp import ERAS, call, with_client


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with receiving() as made:
        yield made


@pytest.fixture(scope="module")
def traced(provider: Any, certificate: Any, servers: dict[str, Any], collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp("traced")
    running = real_gateway.Gateway(folder)
    (folder / "bundle").mkdir(mode=0o700)
    write_private(folder / "bundle" / "actions.yaml", ACTIONS)
    write_private(folder / "bundle" / "tools.yaml", TOOLS)
    extra = (f"bundle: {{folder: {folder}/bundle}}\n"
             f"observe: {{otlp: {{origin: 'http://127.0.0.1:{collector.port}', path: /otel, allow_private: true, interval: 100ms}}}}\n"
             f"mcp: {{servers: [{{name: json, origin: 'http://127.0.0.1:{servers['json'].port}', allow_private: true, agents: ['tests/*'], "
             "tools: [send, fails, remove], resources: ['office://*']}]}\n")
    running.start(running.configure(provider.port, certificate.cert, extra, policy=POLICY))
    wait_for_rules(running)
    yield running
    assert running.stop() == 0, running.log.read_text()


def spans(collector: Collector, name: str) -> list[dict[str, object]]:
    """Of that name, when there are some."""
    deadline = time.monotonic() + 30
    while True:
        found = [attributes(span) for span in list(collector.spans) if span.name == name]  # type: ignore[attr-defined]
        if found:
            return found
        assert time.monotonic() < deadline, [span.name for span in collector.spans]  # type: ignore[attr-defined]
        time.sleep(0.05)


@pytest.mark.parametrize("mode", ERAS)
def test_a_call_is_a_span_with_tool_server_and_outcome(traced: Any, servers: dict[str, Any], collector: Collector, mode: str) -> None:
    collector.spans.clear()
    assert call(traced, "json__send", mode, to="bob") == (False, "sent 1 to bob")
    told = spans(collector, "tools/call send")[0]
    assert (told["mcp.method.name"], told["gen_ai.operation.name"], told["gen_ai.tool.name"]) == ("tools/call", "execute_tool", "send")
    assert told["server.address"] == "127.0.0.1" and int(str(told["server.port"])) == servers["json"].port
    assert "error.type" not in told and "bob" not in str(told)
    failed, _ = call(traced, "json__fails", mode)
    assert failed and spans(collector, "tools/call fails")[0]["error.type"] == "tool_error"


def test_a_resource_that_is_read_is_a_span_without_its_uri_in_the_name(traced: Any, collector: Collector) -> None:
    async def use(client: Any) -> None:
        await client.read_resource("mcp+json+office://stamps")

    collector.spans.clear()
    with_client(traced, use)
    assert spans(collector, "resources/read")[0]["mcp.method.name"] == "resources/read"


def test_what_is_denied_makes_no_span_of_a_server(traced: Any, collector: Collector) -> None:
    collector.spans.clear()
    failed, text = call(traced, "json__remove", letter="a")
    assert failed and "no-removal" in text
    assert call(traced, "json__send", to="eve")[0] is False
    spans(collector, "tools/call send")
    assert not [span for span in collector.spans if "remove" in span.name]  # type: ignore[attr-defined]
