# SPDX-License-Identifier: Apache-2.0
"""MCP-023: what servers ask of clients (their user, their model, their files) is granted by configuration and policy, and looked through
both ways. Servers that speak all versions (`sse`) and 2026-07-28 alone (`modern`), clients of both eras, the official SDK on both sides."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import Client, MCPError
from mcp_types import CreateMessageResult, ElicitResult, ListRootsResult, Root, TextContent
from test_mcp import INJECTION, post, with_client

SECRET = "AKIA" + "Z7QJ3XNVB5KD2M4T"
# Server, era of the client: all in which a client can be asked while a call of its runs.
WAYS = [("sse", "legacy"), ("sse", "2026-07-28"), ("modern", "legacy"), ("modern", "2026-07-28")]


class Person:
    """A client's user, model and files."""

    def __init__(self, day: str = "monday", action: str = "accept", thought: str = "hm") -> None:
        self.day, self.action, self.thought = day, action, thought
        self.asked: list[str] = []

    async def elicit(self, _: Any, params: Any) -> ElicitResult:
        self.asked.append(params.message)
        return ElicitResult(action=self.action, content={"day": self.day} if self.action == "accept" else None)

    async def sample(self, _: Any, params: Any) -> CreateMessageResult:
        self.asked.append(params.messages[0].content.text)
        return CreateMessageResult(role="assistant", content=TextContent(type="text", text=self.thought), model="m")

    async def roots(self, _: Any) -> ListRootsResult:
        self.asked.append("roots")
        return ListRootsResult(roots=[Root(uri="file:///work/project")])

    def abilities(self) -> dict[str, Any]:
        return {"elicitation_callback": self.elicit, "sampling_callback": self.sample, "list_roots_callback": self.roots}


def call(gateway: Any, tool: str, mode: str, arguments: dict[str, Any], person: Person | None = None) -> tuple[bool, str]:
    async def use(client: Client) -> tuple[bool, str]:
        try:
            result = await client.call_tool(tool, arguments)
        except MCPError as refused:
            return True, refused.error.message
        return bool(result.is_error), "\n".join(getattr(block, "text", "") for block in result.content)

    answer: tuple[bool, str] = with_client(gateway, use, mode, **(person.abilities() if person else {}))
    return answer


@pytest.mark.parametrize(("server", "mode"), WAYS)
def test_a_person_is_asked_and_told_who_asks(gateway: Any, server: str, mode: str) -> None:
    person = Person()
    assert call(gateway, f"{server}__plan", mode, {"question": "which day?"}, person) == (False, "planned for monday")
    assert person.asked == [f"The MCP server {server} asks: which day?"]


@pytest.mark.parametrize(("server", "mode"), WAYS)
def test_a_person_may_say_no(gateway: Any, servers: dict[str, Any], server: str, mode: str) -> None:
    failed, _ = call(gateway, f"{server}__plan", mode, {"question": f"no {server} {mode}?"}, Person(action="decline"))
    assert failed
    assert f"no {server} {mode}?" not in [one["arguments"]["question"] for one in servers[server].calls("plan")]


@pytest.mark.parametrize(("server", "mode"), WAYS)
def test_a_model_is_asked(gateway: Any, server: str, mode: str) -> None:
    person = Person(thought="it will rain")
    assert call(gateway, f"{server}__think", mode, {"question": "weather?"}, person) == (False, "thought: it will rain")
    assert person.asked == ["weather?"]


@pytest.mark.parametrize(("server", "mode"), WAYS)
def test_files_are_told_of(gateway: Any, server: str, mode: str) -> None:
    assert call(gateway, f"{server}__look", mode, {}, Person()) == (False, "file:///work/project")


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@pytest.mark.parametrize("tool", ["plan", "think"])
def test_nothing_is_granted_unless_it_is_said(gateway: Any, servers: dict[str, Any], tool: str, mode: str) -> None:
    person = Person()
    failed, _ = call(gateway, f"json__{tool}", mode, {"question": "granted?"}, person)
    assert failed and person.asked == []
    assert "granted?" not in [one["arguments"]["question"] for one in servers["json"].calls(tool)]


@pytest.mark.parametrize(("server", "mode"), WAYS)
def test_a_client_that_cannot_be_asked_is_not(gateway: Any, server: str, mode: str) -> None:
    failed, _ = call(gateway, f"{server}__plan", mode, {"question": "which day?"})
    assert failed


@pytest.mark.parametrize(("server", "mode"), WAYS)
@pytest.mark.parametrize("tool", ["plan", "think"])
def test_questions_are_looked_through(gateway: Any, tool: str, server: str, mode: str) -> None:
    """The server repeats what it was told, so the words come in two parts."""
    person = Person()
    failed, why = call(gateway, f"{server}__{tool}", mode, {"question": INJECTION}, person)
    assert failed and person.asked == [] and "previous instructions" not in why


@pytest.mark.parametrize(("server", "mode"), WAYS)
def test_answers_are_looked_through(gateway: Any, servers: dict[str, Any], server: str, mode: str) -> None:
    question = f"secret of {server} {mode}?"
    failed, text = call(gateway, f"{server}__think", mode, {"question": question}, Person(thought=f"the key is {SECRET}"))
    assert not failed and SECRET not in text
    thoughts = [one["arguments"]["thought"] for one in servers[server].calls("think") if one["arguments"]["question"] == question]
    assert thoughts and all(SECRET not in thought and "the key is" in thought for thought in thoughts)


def test_policy_may_deny_what_is_granted(gateway: Any) -> None:
    person = Person()
    failed, _ = call(gateway, "sse__think", "legacy", {"question": "denied by policy"}, person)
    assert failed and person.asked == []


META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}, "sampling": {}, "roots": {}}}


def test_answers_that_nobody_asked_for_go_nowhere(gateway: Any) -> None:
    """A state that is not the gateway's, one of another call, and an answer to another question."""
    def make(tool: str, arguments: dict[str, Any], member: str = "result", **more: object) -> dict[str, Any]:
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments, "_meta": META, **more}}
        headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": tool}
        status, answer, _ = post(gateway, body, headers)
        assert status == 200
        said: dict[str, Any] = answer[member]
        return said

    asked = make("modern__look", {})
    assert asked["resultType"] == "input_required" and len(asked["inputRequests"]) == 1
    key = next(iter(asked["inputRequests"]))
    answers = {key: {"roots": [{"uri": "file:///somewhere"}]}}
    for tool, arguments, state in (("modern__look", {}, "made up"), ("modern__think", {"question": "x"}, asked["requestState"])):
        refused = make(tool, arguments, "error", inputResponses=answers, requestState=state)
        assert refused["code"] == -32602 and "requestState" in refused["message"]
    again = make("modern__look", {}, inputResponses={"other": answers[key]}, requestState=asked["requestState"])
    assert again["resultType"] == "input_required"
    assert make("modern__look", {}, inputResponses=answers, requestState=asked["requestState"])["content"][0]["text"] == "file:///somewhere"
