# SPDX-License-Identifier: Apache-2.0
"""What servers tell while a call runs, and clients that do not wait for its end."""

from __future__ import annotations

import itertools
from typing import Any

import anyio
import pytest
from mcp import Client
from test_mcp import ERAS, with_client

marks = itertools.count()


def count(gateway: Any, server: str, mode: str, leak: bool = False, **more: Any) -> tuple[str, list[Any], list[Any]]:
    told: list[Any] = []
    logged: list[Any] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    async def hear_log(params: Any) -> None:
        logged.append((params.level, params.data))

    async def use(client: Client) -> str:
        result = await client.call_tool(f"{server}__count", {"up_to": 3, "leak": leak}, progress_callback=hear)
        return "\n".join(block.text for block in result.content)

    text: str = with_client(gateway, use, mode, logging_callback=hear_log, **more)
    return text, told, logged


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("server", ["sse", "modern"])
def test_progress_reaches_the_client_that_asked_for_it(gateway: Any, server: str, mode: str) -> None:
    text, told, _ = count(gateway, server, mode)
    assert text == "counted to 3"
    assert told == [(1, 3, "at 1"), (2, 3, "at 2"), (3, 3, "at 3")]


@pytest.mark.parametrize("mode", ERAS)
def test_what_is_told_meanwhile_is_judged(gateway: Any, mode: str) -> None:
    text, told, logged = count(gateway, "sse", mode, leak=True, **({} if mode == "legacy" else {"log_level": "debug"}))
    assert text == "counted to 3"
    assert [one[0] for one in told] == [1, 2, 3]  # not the one that is an injection
    assert all("AKIA" not in one[2] and one[2].startswith("at ") for one in told)
    assert ("warning", {"counted": 3}) in logged and "previous instructions" not in str(logged)


def test_logs_reach_the_client_from_the_level_on_that_it_wants(gateway: Any) -> None:
    assert count(gateway, "sse", "legacy")[2] == [("info", "begins"), ("warning", {"counted": 3})]
    assert count(gateway, "modern", "2026-07-28", log_level="info")[2] == [("info", "begins"), ("warning", {"counted": 3})]
    assert count(gateway, "modern", "2026-07-28", log_level="warning")[2] == [("warning", {"counted": 3})]
    assert count(gateway, "modern", "2026-07-28")[2] == []


def test_a_level_can_be_set_for_a_session(gateway: Any) -> None:
    logged: list[Any] = []

    async def hear_log(params: Any) -> None:
        logged.append(params.level)

    async def use(client: Client) -> None:
        await client.set_logging_level("warning")
        await client.call_tool("sse__count", {"up_to": 1})

    with_client(gateway, use, logging_callback=hear_log)
    assert logged == ["warning"]


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("server", ["json", "sse", "modern"])
def test_a_call_that_is_given_up_ends_at_the_server(gateway: Any, servers: dict[str, Any], server: str, mode: str) -> None:
    mark = f"{server} {mode} {next(marks)}"

    def has(tool: str) -> bool:
        return mark in [one["arguments"]["mark"] for one in servers[server].calls(tool)]

    async def until(tool: str) -> None:
        with anyio.fail_after(30):
            while not await anyio.to_thread.run_sync(has, tool):
                await anyio.sleep(0.05)

    async def use(client: Client) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, f"{server}__waits", {"mark": mark})
            await until("waits")
            tasks.cancel_scope.cancel()
        await until("cancelled")

    with_client(gateway, use, mode)
