# SPDX-License-Identifier: Apache-2.0
"""MCP-017 020 021 022: what tools.yaml says holds for the calls of a real gateway's models, and for who asks beforehand."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from conftest import decide, make_gateway
from test_approvals import call

TOOLS = """
builtin: false
tools:
  - {name: send_email, channel: email, destination_field: [to, cc]}
  - {name: read_secrets}
  - {name: count}
  - {name: http_request}
  - {name: db.query}
roles: {viewer: [send_email, read_secrets, count, http_request], analyst: [db.query]}
channels:
  email:
    kind: email
    destinations:
      - {to: ['*@example.com', '*@evil.com'], outcome: allow}
      - {to: ['*@evil.com'], labels: [PII], outcome: deny, reason: Personal data does not go there}
sequences:
  - {id: carry-out, tools: [read_secrets, '*', http_request], outcome: deny, reason: Secrets are being carried out}
"""
AGENTS = "agents:\n  - {agent: 'tests/*', roles: [viewer]}\n"
IBAN = "DE89370400440532013000"
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def tooled(provider: Any, certificate: Any, collector: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    running = make_gateway(tmp_path_factory.mktemp("tools"), provider, certificate, collector, more=AGENTS, tools__yaml=TOOLS,
                           probe="count")
    yield running
    assert running.stop() == 0, running.log.read_text()


def answer_to(gateway: Any, tool: str, stream: bool, **arguments: object) -> str:
    """"passed", "cut" (out of a stream), or the refusal's words."""
    arguments["n"] = next(numbers)
    try:
        arrived = call(gateway, tool, json.dumps(arguments), stream)
    except openai.BadRequestError as refused:
        return str(refused)
    if not arrived:
        return "cut"
    return "passed" if json.loads(arrived) == arguments else arrived


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("tool", "arguments", "refusal"), [
    ("send_email", {"to": "bob@evil.com", "body": "hello"}, ""),
    ("send_email", {"to": "Bob <bob@evil.com>", "cc": ["eve@example.com"], "body": "Dear bob@evil.com"}, ""),
    ("send_email", {"to": "ann@example.com", "body": IBAN}, ""),
    ("send_email", {"to": "bob@evil.com", "body": IBAN}, "Personal data does not go there"),
    ("send_email", {"to": "bob@evil.com", "body": "jane.doe@corp.example asks"}, "Personal data does not go there"),
    ("send_email", {"to": "ann@example.com, x@nowhere.net"}, "on no list"),
    ("db.query", {}, "tools.role"),
    ("rm", {}, "tools.unregistered")])
def test_a_call_of_a_model(tooled: Any, tool: str, arguments: dict[str, object], refusal: str, stream: bool) -> None:
    said = answer_to(tooled, tool, stream, **arguments)
    assert said == ("passed" if not refusal else "cut") if stream or not refusal else refusal in said


def test_who_asks_beforehand_hears_the_same(tooled: Any) -> None:
    def rule(tool: str, **arguments: object) -> str:
        return str(decide(tooled, tool, arguments=arguments)["rule"])
    mail = decide(tooled, "send_email", arguments={"to": "bob@evil.com", "body": "hello"})
    assert (mail["allowed"], "data=PII" in mail["inputs"]) == (True, True)
    assert decide(tooled, "send_email", arguments={"to": "bob@evil.com", "body": IBAN})["reason"] == "Personal data does not go there"
    # What a caller says the data is counts, whatever is found.
    assert decide(tooled, "send_email", arguments={"to": "bob@evil.com"}, labels=["PII"])["allowed"] is False
    assert (rule("db.query"), rule("rm")) == ("tools.role", "tools.unregistered")


def test_secrets_are_not_carried_out_step_by_step(tooled: Any) -> None:
    for tool in ("read_secrets", "count", "count", "count"):
        assert answer_to(tooled, tool, False) == "passed"
    assert "Secrets are being carried out" in answer_to(tooled, "http_request", False)
    assert answer_to(tooled, "http_request", True) == "cut"
