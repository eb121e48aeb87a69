# SPDX-License-Identifier: Apache-2.0
"""What models ask for and what agents then call, seen together: official clients of models and of MCP, and the collector's events."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest
from conftest import HERE, KEY, load, real_gateway, wait_for_rules, write_private
from test_mcp import call, with_client

approvals = load("joint_approvals", HERE.parent / "approvals" / "conftest.py")
programs = approvals.programs
collector = approvals.collector
people = approvals.people
numbers = itertools.count(1)
# A rule that looks at an argument shows it in the record.
ACTIONS = """
rules:
  - {id: named, match: {tool: send}, when: {tool_args_match: {to: {neq: nobody}}}, outcome: allow}
  - {id: rest, match: {tool: '*'}, outcome: allow}
"""
SCHEMA = {"type": "object", "properties": {"to": {"type": "string"}}}


def mcp_section(servers: dict[str, Any], mode: str) -> str:
    return (f"mcp:\n  asked_by_model: {mode}\n  servers:\n    - {{name: json, origin: 'http://127.0.0.1:{servers['json'].port}', "
            "allow_private: true, agents: ['tests/*']}\n")


@pytest.fixture(scope="module")
def watching(provider: Any, certificate: Any, collector: Any, servers: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    running = approvals.make_gateway(tmp_path_factory.mktemp("watching"), provider, certificate, collector, probe="probe",
                                     more=mcp_section(servers, "monitor"), actions__yaml=ACTIONS)
    yield running
    assert running.stop() == 0, running.log.read_text()


@pytest.fixture(scope="module")
def enforcing(provider: Any, certificate: Any, servers: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("enforcing")
    running = real_gateway.Gateway(folder)
    (folder / "bundle").mkdir(mode=0o700)
    write_private(folder / "bundle" / "actions.yaml", ACTIONS)
    running.start(running.configure(provider.port, certificate.cert,
                                    f"bundle: {{folder: {folder}/bundle}}\n" + mcp_section(servers, "enforce")))
    wait_for_rules(running)
    yield running
    assert running.stop() == 0, running.log.read_text()


def openai_call(gateway: Any, tool: str, arguments: dict[str, Any], stream: bool = False, session: str = "") -> None:
    client = openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, max_retries=0,
                           default_headers={"x-aispm-session": session} if session else {})
    messages: Any = [{"role": "user", "content": "call tool args=" + json.dumps(arguments)}]
    tools: Any = [{"type": "function", "function": {"name": tool, "parameters": SCHEMA}}]
    if not stream:
        reply = client.chat.completions.create(model="m", messages=messages, tools=tools)
        assert reply.choices[0].message.tool_calls
        return
    names = [one.function.name for chunk in client.chat.completions.create(model="m", messages=messages, tools=tools, stream=True)
             for choice in chunk.choices for one in choice.delta.tool_calls or [] if one.function and one.function.name]
    assert names == [tool]


def anthropic_call(gateway: Any, tool: str, arguments: dict[str, Any], stream: bool = False) -> None:
    client = anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0)
    messages: Any = [{"role": "user", "content": "call tool args=" + json.dumps(arguments)}]
    tools: Any = [{"name": tool, "input_schema": SCHEMA}]
    if not stream:
        blocks: Any = client.messages.create(model="m", max_tokens=99, messages=messages, tools=tools).content
    else:
        with client.messages.stream(model="m", max_tokens=99, messages=messages, tools=tools) as pieces:
            blocks = pieces.get_final_message().content
    assert [(one.name, one.input) for one in blocks if one.type == "tool_use"] == [(tool, arguments)]


def event_of(people: Any, to: str) -> dict[str, Any]:
    """Of the call of `send` with that receiver."""
    def find() -> Any:
        found = people.rest("GET", "/api/v1/events?kind=action_call&page_size=500", people.operator)[1]["events"]
        return next((one for one in found if one["action_call"].get("surface") == "mcp" and f"args.to={to}" in one["action_call"]["inputs"]), None)

    event: dict[str, Any] = approvals.wait_until(find)
    return event


def rules_of(event: dict[str, Any]) -> list[str]:
    return [one["rule_id"] for one in event.get("detections", [])]


def receiver() -> str:
    return f"receiver{next(numbers)}"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("ask", [openai_call, anthropic_call])
@pytest.mark.parametrize("name", ["json__send", "mcp__gateway__json__send"])
def test_a_call_is_linked_to_the_reply_that_asked_for_it(watching: Any, people: Any, ask: Callable[..., None], stream: bool, name: str) -> None:
    to = receiver()
    ask(watching, name, {"to": to}, stream)
    assert call(watching, "json__send", to=to) == (False, f"sent 1 to {to}")
    event = event_of(people, to)
    assert "asked_by_model=exact" in event["action_call"]["inputs"]
    assert rules_of(event) == []
    cause = people.rest("GET", "/api/v1/events?kind=llm_call&page_size=500", people.operator)[1]["events"]
    asked = [one for one in cause if one["id"] == event["action_call"]["call_event_id"]]
    assert [one["llm_call"]["tools_called"] for one in asked] == [[name]]
    assert asked[0]["trace_id"] == event["trace_id"]


def test_a_call_with_other_arguments_and_one_that_nobody_asked_for_are_told(watching: Any, people: Any) -> None:
    asked, changed, unasked = receiver(), receiver(), receiver()
    openai_call(watching, "json__send", {"to": asked})
    for to in (changed, unasked):
        assert call(watching, "json__send", to=to) == (False, f"sent 1 to {to}")
    event = event_of(people, changed)
    assert rules_of(event) == ["mcp.changed_call"] and event["action_call"]["call_event_id"]
    event = event_of(people, unasked)
    assert rules_of(event) == ["mcp.unasked_call"] and not event["action_call"].get("call_event_id")
    assert "asked_by_model=none" in event["action_call"]["inputs"]


def test_a_tool_that_speaks_of_another_one_is_told_with_its_call(watching: Any, people: Any) -> None:
    """MCP-014"""
    assert call(watching, "json__shadow", what="it") == (False, "shadow of it")

    def find() -> Any:
        found = people.rest("GET", "/api/v1/events?kind=action_call&page_size=500", people.operator)[1]["events"]
        return next((one for one in found if one["action_call"]["tool"] == "shadow"), None)

    assert "tools.cross_reference" in rules_of(approvals.wait_until(find))


def test_where_it_is_enforced_only_what_a_model_asked_for_is_called_and_once(enforcing: Any, servers: dict[str, Any]) -> None:
    to = receiver()
    failed, why = call(enforcing, "json__send", to=to)
    assert failed and "mcp.unasked_call" in why
    openai_call(enforcing, "json__send", {"to": to}, stream=True)
    assert call(enforcing, "json__send", to=to) == (False, f"sent 1 to {to}")
    failed, why = call(enforcing, "json__send", to=to)
    assert failed and "mcp.unasked_call" in why
    assert [one["arguments"]["to"] for one in servers["json"].calls("send")].count(to) == 1


def test_what_a_model_asked_one_session_for_is_nothing_to_another(enforcing: Any) -> None:
    mine, other = str(uuid.uuid4()), str(uuid.uuid4())
    to = receiver()
    openai_call(enforcing, "json__send", {"to": to}, session=mine)

    async def use(client: Any) -> bool:
        return bool((await client.call_tool("json__send", {"to": to})).is_error)

    assert with_client(enforcing, use, headers={"x-aispm-session": other})
    assert not with_client(enforcing, use, headers={"x-aispm-session": mine})


def test_a_call_that_was_denied_is_not_used_up(enforcing: Any) -> None:
    """Its arguments did not fit; then the model's words are followed."""
    to = receiver()
    openai_call(enforcing, "json__send", {"to": to})
    failed, why = call(enforcing, "json__send", to=to, bcc="eve")
    assert failed and "tools.arguments" in why
    assert call(enforcing, "json__send", to=to) == (False, f"sent 1 to {to}")
