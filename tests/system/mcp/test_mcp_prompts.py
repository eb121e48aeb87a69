# SPDX-License-Identifier: Apache-2.0
"""MCP-002 012 014 023: prompts and resources of many servers, by the official SDK's client of both eras."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from conftest import FORMS, KEY, OTHER_KEY
from mcp import Client, MCPError
from mcp_types import PromptReference, ResourceTemplateReference
from test_mcp import ERAS, INJECTION, META, open_session, post, with_client


Ask = Callable[[Client], Awaitable[str]]


def get(name: str, arguments: dict[str, str]) -> Ask:
    async def use(client: Client) -> str:
        result = await client.get_prompt(name, arguments)
        return "\n".join(message.content.text for message in result.messages)

    return use


def read(uri: str) -> Ask:
    async def use(client: Client) -> str:
        one, = (await client.read_resource(uri)).contents
        assert str(one.uri) == uri
        text: str = one.text
        return text

    return use


def refusal(gateway: Any, ask: Ask, mode: str = "legacy") -> tuple[int, str]:
    async def use(client: Client) -> tuple[int, str]:
        with pytest.raises(MCPError) as refused:
            await ask(client)
        return refused.value.error.code, refused.value.error.message

    said: tuple[int, str] = with_client(gateway, use, mode)
    return said


@pytest.mark.parametrize("mode", ERAS)
def test_lists_hold_what_is_granted_and_not_poisoned(gateway: Any, mode: str) -> None:
    async def use(client: Client) -> list[list[str]]:
        return [sorted(one.name for one in (await client.list_prompts()).prompts),
                sorted(str(one.uri) for one in (await client.list_resources()).resources),
                sorted(one.uri_template for one in (await client.list_resource_templates()).resource_templates)]

    prompts, resources, templates = with_client(gateway, use, mode)
    assert prompts == sorted(f"{server}__{name}" for server in FORMS for name in ("letter", "bad"))
    assert resources == sorted(f"mcp+{server}+office://{name}" for server in FORMS for name in ("stamps", "notice", "safe", "coded"))
    assert templates == sorted(f"mcp+{server}+office://letters/{{number}}" for server in FORMS)


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("server", FORMS)
def test_prompts_come_from_the_server_that_is_named(gateway: Any, servers: dict[str, Any], server: str, mode: str) -> None:
    assert with_client(gateway, get(f"{server}__letter", {"to": f"eve {mode}"}), mode) == f"Write a kind letter to eve {mode}"
    assert {"tool": "letter", "arguments": {"to": f"eve {mode}", "tone": "kind"}} in servers[server].calls("letter")


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("server", FORMS)
def test_resources_come_from_the_server_that_is_named(gateway: Any, servers: dict[str, Any], server: str, mode: str) -> None:
    assert with_client(gateway, read(f"mcp+{server}+office://stamps"), mode) == "red and blue stamps"
    number = f"{server}-{ERAS.index(mode)}"
    assert with_client(gateway, read(f"mcp+{server}+office://letters/{number}"), mode) == f"letter {number}"
    assert {"tool": "one_letter", "arguments": {"number": number}} in servers[server].calls("one_letter")


@pytest.mark.parametrize("mode", ERAS)
def test_what_is_read_is_judged_before_the_client_gets_it(gateway: Any, mode: str) -> None:
    """MCP-012: an injection as text and as base64 of text is withheld, a secret is cut out."""
    for ask in (read("mcp+sse+office://notice"), read("mcp+sse+office://coded"), get("sse__bad", {"what": "injection"})):
        code, words = refusal(gateway, ask, mode)
        assert code == -31000 and "withheld" in words and INJECTION not in words
    for ask in (read("mcp+sse+office://safe"), get("sse__bad", {"what": "secret"})):
        text = with_client(gateway, ask, mode)
        assert "AKIA" not in text and "keep it" in text


@pytest.mark.parametrize("uri", ["mcp+json+private://diary", "mcp+nowhere+office://stamps", "office://stamps", "mcp+json+",
                                 "mcp+json+office://x/../private", "mcp+json+office://x/%2E%2e/private"])
def test_resources_that_are_not_granted_are_not_there(gateway: Any, servers: dict[str, Any], uri: str) -> None:
    assert refusal(gateway, read(uri)) == (-32002, f"Resource not found: {uri}")
    assert refusal(gateway, read(uri), "2026-07-28") == (-32602, f"Resource not found: {uri}")
    assert servers["json"].calls("diary") == []


@pytest.mark.parametrize("name", ["json__private", "json__nothing", "letter"])
def test_prompts_that_are_not_granted_are_not_there(gateway: Any, servers: dict[str, Any], name: str) -> None:
    assert refusal(gateway, get(name, {})) == (-32602, f"Unknown prompt: {name}")
    assert servers["json"].calls("private_prompt") == []


def test_poisoned_prompts_and_arguments_that_do_not_fit_are_denied(gateway: Any, servers: dict[str, Any]) -> None:
    """MCP-014"""
    before = len(servers["json"].calls("letter"))
    cases: list[tuple[str, dict[str, str]]] = [("poisoned", {}), ("letter", {}), ("letter", {"to": "bob", "bcc": "eve"})]
    for name, arguments in cases:
        code, words = refusal(gateway, get(f"json__{name}", arguments))
        assert code == -31000 and "denied by rule" in words
    assert servers["json"].calls("poisoned_prompt") == [] and len(servers["json"].calls("letter")) == before


def test_rules_may_deny_what_is_read(gateway: Any, servers: dict[str, Any]) -> None:
    assert "no-secret-letters" in refusal(gateway, read("mcp+json+office://letters/secret"))[1]
    assert "secret" not in [one["arguments"]["number"] for one in servers["json"].calls("one_letter")]
    assert with_client(gateway, read("mcp+json+office://letters/plain")) == "letter plain"


def test_what_tools_link_to_can_be_read(gateway: Any) -> None:
    async def use(client: Client) -> list[str]:
        link, embedded = (await client.call_tool("sse__mails", {})).content
        text = (await client.read_resource(str(link.uri))).contents[0].text
        return [str(link.uri), str(embedded.resource.uri), text]

    assert with_client(gateway, use) == ["mcp+sse+office://stamps", "mcp+sse+office://letters/7", "red and blue stamps"]


def test_capabilities_are_those_of_the_agent(gateway: Any) -> None:
    async def use(client: Client) -> tuple[bool, bool, bool]:
        offered = client.server_capabilities
        return offered.tools is not None, offered.prompts is not None, offered.resources is not None

    assert with_client(gateway, use) == (True, True, True)
    assert with_client(gateway, use, key=OTHER_KEY) == (True, False, False)
    ask: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": META}}
    for key, offered in ((KEY, {"tools", "logging", "prompts", "resources", "completions"}), (OTHER_KEY, {"tools", "logging"})):
        headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "server/discover", "authorization": "Bearer " + key}
        assert set(post(gateway, ask, headers)[1]["result"]["capabilities"]) == offered
    session = {"mcp-session-id": open_session(gateway), "mcp-protocol-version": "2025-11-25"}
    ask = {"jsonrpc": "2.0", "id": 2, "method": "resources/subscribe", "params": {"uri": "mcp+sse+office://stamps"}}
    assert post(gateway, ask, session)[1]["error"]["code"] == -32601


def propose(ref: PromptReference | ResourceTemplateReference, value: str) -> Ask:
    async def use(client: Client) -> str:
        return ",".join((await client.complete(ref, {"name": "tone", "value": value})).completion.values)

    return use


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("server", FORMS)
def test_completions_come_from_the_server_and_are_judged(gateway: Any, server: str, mode: str) -> None:
    letter = PromptReference(type="ref/prompt", name=f"{server}__letter")
    assert with_client(gateway, propose(letter, "k"), mode) == "kind,keen"
    assert with_client(gateway, propose(letter, "bad"), mode) == ""
    template = ResourceTemplateReference(type="ref/resource", uri=f"mcp+{server}+office://letters/{{number}}")
    assert with_client(gateway, propose(template, "k"), mode) == "kind,keen"


@pytest.mark.parametrize("ref", [PromptReference(type="ref/prompt", name="sse__private"), PromptReference(type="ref/prompt", name="letter"),
                                 ResourceTemplateReference(type="ref/resource", uri="mcp+sse+private://{x}")])
def test_nothing_is_completed_that_is_not_granted(gateway: Any, ref: Any) -> None:
    assert refusal(gateway, propose(ref, "k"))[0] == -32602
