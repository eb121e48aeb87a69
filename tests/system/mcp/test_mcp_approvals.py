# SPDX-License-Identifier: Apache-2.0
"""People answer for MCP calls, asked in words, by a page on the call's stream, and by a page before the call is made again."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from conftest import HERE, load
from mcp_types import ElicitResult
from test_mcp import call, with_client

approvals = load("approvals_conftest", HERE.parent / "approvals" / "conftest.py")
programs = approvals.programs
collector = approvals.collector
people = approvals.people
amounts = itertools.count(5000)


@pytest.fixture(scope="module")
def asking(provider: Any, certificate: Any, collector: Any, servers: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    more = (f"mcp:\n  servers:\n    - {{name: json, origin: 'http://127.0.0.1:{servers['json'].port}', allow_private: true, "
            "agents: ['tests/*']}\n")
    running = approvals.make_gateway(tmp_path_factory.mktemp("asking"), provider, certificate, collector, more=more)
    yield running
    assert running.stop() == 0, running.log.read_text()


def approve(people: Any, amount: int) -> None:
    def find() -> Any:
        return next((one for one in people.waiting("refund") if json.loads(one["arguments_text"]) == {"amount": amount}), None)

    waiting = approvals.wait_until(find)
    assert waiting["tool_provider"] == "json"
    assert people.answer(waiting["id"], "APPROVE")[0] == 200


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_the_same_call_passes_once_after_it_was_approved(asking: Any, people: Any, servers: dict[str, Any], mode: str) -> None:
    amount = next(amounts)
    failed, text = call(asking, "json__refund", mode, amount=amount)
    assert failed and "needs a person's approval" in text and "https://aispm.example/approvals/" in text
    assert servers["json"].calls("refund") == [] or amount not in [one["arguments"]["amount"] for one in servers["json"].calls("refund")]
    approve(people, amount)
    assert call(asking, "json__refund", mode, amount=amount) == (False, f"paid {amount}")
    failed, text = call(asking, "json__refund", mode, amount=amount)
    assert failed and "needs a person's approval" in text


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_a_client_that_can_show_pages_gets_one(asking: Any, people: Any, mode: str) -> None:
    amount = next(amounts)
    shown: list[Any] = []

    async def show(_: Any, params: Any) -> ElicitResult:
        shown.append(params)
        await anyio.to_thread.run_sync(approve, people, amount)
        return ElicitResult(action="accept")

    async def use(client: Any) -> tuple[bool, str]:
        result = await client.call_tool("json__refund", {"amount": amount})
        return bool(result.is_error), result.content[0].text

    assert with_client(asking, use, mode, elicitation_callback=show) == (False, f"paid {amount}")
    assert [(one.mode, one.url.startswith("https://aispm.example/approvals/")) for one in shown] == [("url", True)]
