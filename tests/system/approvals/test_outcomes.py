# SPDX-License-Identifier: Apache-2.0
"""POL-034: each of the eleven outcomes, produced by a real gateway and kept as an event by a real collector. GRD-009, POL-031, MCP-019."""

from __future__ import annotations

import itertools
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from conftest import KEY, People, decide, make_gateway, wait_until

ACTIONS = """
rules:
  - {id: reads, match: {tool: read}, outcome: allow}
  - {id: counted, match: {tool: counted}, outcome: allow}
  - {id: deletes, match: {tool: delete}, outcome: deny, reason: nothing is deleted}
  - {id: rebates, match: {tool: rebate}, outcome: require_approval, reason: rebates are looked at}
  - {id: payments, match: {tool: pay}, outcome: step_up}
  - {id: deploys, match: {tool: deploy}, outcome: require_ticket}
  - {id: police, match: {tool: police}, outcome: require_human}
"""
TOOLS = "require_registration: false\nbuiltin: false\nlimits: {tool_per_minute: 10}\n"
numbers = itertools.count(1)
pool = ThreadPoolExecutor(4)


@pytest.fixture(scope="module")
def judged(provider: Any, certificate: Any, collector: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    running = make_gateway(tmp_path_factory.mktemp("outcomes"), provider, certificate, collector, wait="2s", probe="police",
                           actions__yaml=ACTIONS, tools__yaml=TOOLS)
    yield running
    assert running.stop() == 0, running.log.read_text()


@pytest.fixture
def events(people: People) -> Any:
    """What was recorded of a tool call with these arguments, by outcome."""
    def find(tool: str, outcome: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = people.rest("GET", "/api/v1/events?kind=action_call&page_size=500", people.operator)[1]["events"]
            return next((one for one in found if one["action_call"]["tool"] == tool and one["decision"]["outcome"] == f"OUTCOME_{outcome}"), None)
        return wait_until(look)  # type: ignore[no-any-return]
    return find


@pytest.mark.parametrize(("tool", "outcome", "allowed", "rule"), [
    ("read", "allow", True, "tools.allow"), ("delete", "deny", False, "deletes"), ("rebate", "require_approval", False, "rebates"),
    ("pay", "step_up", False, "payments"), ("deploy", "require_ticket", False, "deploys"),
    ("police", "require_human", False, "police")])
def test_what_a_rule_says(judged: Any, events: Any, tool: str, outcome: str, allowed: bool, rule: str) -> None:
    answer = decide(judged, tool, arguments={"n": next(numbers)})
    assert (answer["outcome"], answer["allowed"], answer["rule"]) == (outcome, allowed, rule)
    event = events(tool, outcome.upper())
    assert (event["decision"]["rule_id"], event["decision"]["mode"]) == (rule, "enforce")
    assert len(event["decision"]["policy_version"]) == 64


@pytest.mark.parametrize(("answer", "outcome"), [("APPROVE", "approved"), ("DENY", "rejected")])
def test_what_a_person_says(judged: Any, people: People, events: Any, answer: str, outcome: str) -> None:
    arguments = {"n": next(numbers)}
    asked = decide(judged, "rebate", arguments=arguments)
    assert people.answer(asked["approval_id"], answer, reason="looked at")[0] == 200
    assert decide(judged, "rebate", arguments=arguments)["outcome"] == outcome
    assert events("rebate", outcome.upper())["action_call"]["approval_id"]


def test_nobody_answers_in_time(judged: Any, events: Any) -> None:
    answer = decide(judged, "rebate", arguments={"n": next(numbers)}, wait=True)
    assert (answer["outcome"], answer["allowed"]) == ("timeout", False)
    events("rebate", "TIMEOUT")


def test_a_tool_is_called_too_often(judged: Any, events: Any) -> None:
    outcomes = [decide(judged, "counted", arguments={"n": next(numbers)})["outcome"] for _ in range(12)]
    assert outcomes == ["allow"] * 10 + ["rate_limited"] * 2
    assert "minute" in events("counted", "RATE_LIMITED")["decision"]["reason"]


class Admin:
    """Freezes and lifts by the API, as an administrator."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.token = people.collector.bootstrap["admin_token"]

    def freeze(self, agent: str) -> dict[str, Any]:
        made = self.people.rest("POST", "/api/v1/freezes", self.token,
                                {"freeze": {"scope": "FREEZE_SCOPE_AGENT", "value": agent, "reason": "enough is enough"}})
        assert made[0] == 200, made
        return made[1]  # type: ignore[no-any-return]

    def lift(self, freeze: dict[str, Any]) -> None:
        assert self.people.rest("POST", f"/api/v1/freezes/{freeze['id']}/lift", self.token, {"reason": "over"})[0] == 200


@pytest.fixture
def admin(people: People) -> Admin:
    return Admin(people)


def chat(gateway: Any, text: str) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(gateway.url + "/v1/chat/completions", method="POST",
                                     data=json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode(),
                                     headers={"authorization": "Bearer " + KEY, "content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def test_an_operator_stops_everything(judged: Any, events: Any, admin: Admin) -> None:
    frozen = admin.freeze("tests/agent")
    try:
        stopped = wait_until(lambda: (lambda said: said if said["outcome"] == "kill_switch" else None)(decide(judged, "read")))
        assert (stopped["allowed"], stopped["rule"], stopped["reason"]) == (False, "freeze." + frozen["id"], "enough is enough")
        status, refused = chat(judged, "hello")
        assert (status, refused["error"]["code"]) == (403, "aispm_frozen")
        events("read", "KILL_SWITCH")
    finally:
        admin.lift(frozen)
    wait_until(lambda: decide(judged, "read")["outcome"] == "allow")


@pytest.mark.parametrize("by_model", [False, True], ids=["decide", "model"])
def test_a_freeze_cuts_what_waits_for_a_person_and_its_approval_is_not_used(
        gateway: Any, people: People, admin: Admin, by_model: bool) -> None:
    arguments = {"amount": 70_000 + next(numbers)}
    waits: Future[Any]
    if by_model:
        body = {"model": "m", "messages": [{"role": "user", "content": "call tool args=" + json.dumps(arguments)}], "stream": True,
                "tools": [{"type": "function", "function": {"name": "refund", "parameters": {"type": "object"}}}]}
        request = urllib.request.Request(gateway.url + "/v1/chat/completions", data=json.dumps(body).encode(), headers={
            "authorization": "Bearer " + KEY, "content-type": "application/json", "x-aispm-events": "approvals"})
        waits = pool.submit(lambda: urllib.request.urlopen(request, timeout=90).read().decode())
    else:
        waits = pool.submit(decide, gateway, "refund", arguments=arguments, wait=True)
    approval = wait_until(lambda: next((one for one in people.waiting("refund") if json.loads(one["arguments_text"]) == arguments), None))
    started = time.monotonic()
    frozen = admin.freeze("tests/agent")
    try:
        said = waits.result(20)
        print(f"what waited ended {(time.monotonic() - started) * 1000:.0f} ms after the order")
        people.answer(approval["id"], "APPROVE")
        if by_model:
            assert "event: aispm.approval_required" in said  # APR-009, for clients that ask for it
            assert json.loads(said.split("event: aispm.approval_required\ndata: ")[1].split("\n")[0])["approval_id"] == approval["id"]
            assert "an operator has stopped this" in said
            assert "tool_calls" not in said
        else:
            assert (said["outcome"], said["allowed"]) == ("kill_switch", False)
        assert people.rest("GET", f"/api/v1/approvals/{approval['id']}", people.operator)[1]["state"] == "APPROVAL_STATE_APPROVED"
    finally:
        admin.lift(frozen)
    wait_until(lambda: decide(gateway, "refund", arguments={"amount": 1})["outcome"] == "allow")
