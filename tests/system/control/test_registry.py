# SPDX-License-Identifier: Apache-2.0
"""MCP-017, REG-009, REG-010, REG-012, POL-028: decisions about tools and agents in the collector, and what gateways then do."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from conftest import Answer, World, wait_for

AGENT = "tests/registry"
TOLD_SECONDS = 30  # generous: machines of tests are busy
ACTIONS = "defaults: {outcome: allow}\nrules: []\n"
TOOLS = "require_registration: true\nbuiltin: false\nfirst_use: approve\n"


@pytest.fixture(scope="module")
def key(world: World) -> Iterator[str]:
    """An agent whose policy lets tools be called only as somebody approved them."""
    made = str(world.collector.cli("agent", "create-key", AGENT)["key"])
    files = {"actions__yaml": ACTIONS, "tools__yaml": TOOLS}
    assert world.push("registry-test", **files).status == 200
    scope = {"scope": {"agents": [AGENT]}, "reason": "a test"}
    assert world.rest("POST", "/api/v1/policies/registry-test/scope", scope).status == 200
    assert world.promote("registry-test", "MONITOR").status == 200
    assert world.promote("registry-test", "ENFORCED", force=True).status == 200
    wait_for(lambda: world.gateway.ask(made).status == 200, TOLD_SECONDS, "the gateway knows the key")
    # The gateway's word on this version was given while it was only monitored.
    wait_for(lambda: not is_called(ask(world, made, "None", tool="nobody")), TOLD_SECONDS, "the policy is enforced")
    yield made
    world.promote("registry-test", "DEPRECATED")


def settle(world: World) -> None:
    """Until the gateway says that it has the newest decision; tools may be called 20 times a minute, so nothing polls by calls."""
    policy = "aispm.registry"
    version = world.rest("GET", f"/api/v1/policies/{policy}").body["version"]
    wait_for(lambda: [s for s in world.states(policy) if s["version"] == version and not s["problem"]], TOLD_SECONDS,
             f"the gateway has version {version} of {policy}")


def ask(world: World, key: str, description: str, tool: str = "send_mail") -> Answer:
    """The model calls the tool, which the client described like this."""
    body = {"model": "gpt-x", "messages": [{"role": "user", "content": "call tool"}],
            "tools": [{"type": "function", "function": {"name": tool, "description": description,
                                                        "parameters": {"type": "object", "properties": {}}}}]}
    request = urllib.request.Request(f"http://127.0.0.1:{world.gateway.port}/v1/chat/completions", data=json.dumps(body).encode(),
                                     headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return Answer(reply.status, json.load(reply))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read().decode())


def is_called(answer: Answer) -> bool:
    return answer.status == 200 and bool(answer.body["choices"][0]["message"].get("tool_calls"))


def tool_of(world: World, name: str) -> dict[str, Any]:
    """As the registry shows it, once the gateway's reports of it are in."""
    listed = wait_for(lambda: [t for t in world.rest("GET", f"/api/v1/registry/tools?query={name}").body["tools"] if t["name"] == name],
                      TOLD_SECONDS, f"the registry sees {name}")
    found: dict[str, Any] = world.rest("GET", f"/api/v1/registry/tools/{listed[0]['id']}").body
    return found


def rules(world: World, agent: str) -> set[str]:
    events = world.rest("GET", f"/api/v1/decisions?agent_id={quote(agent)}&page_size=100").body["events"]
    return {event["decision"]["rule_id"] for event in events}


def test_a_tool_is_called_as_somebody_approved_it_until_somebody_blocks_it(world: World, key: str) -> None:
    assert not is_called(ask(world, key, "One")), "nobody approved the tool"
    seen = tool_of(world, "send_mail")
    assert seen["state"] == "undecided" and not seen["definitions"][0]["pinned"]
    assert seen["first_seen"] and seen["hosts"]

    approved = world.collector.cli("tool", "approve", "send_mail", "--reason", "SEC-1: read it")
    assert approved["state"] == "approved" and approved["pins"] == 1
    settle(world)
    assert is_called(ask(world, key, "One")), "an approval is in force"

    # Another text is another tool until somebody has read it.
    assert not is_called(ask(world, key, "Two"))
    wait_for(lambda: "tools.changed" in rules(world, AGENT), TOLD_SECONDS, "the change is on record")
    changed = wait_for(lambda: [t for t in [tool_of(world, "send_mail")] if t["state"] == "changed"], TOLD_SECONDS, "the registry says so")[0]
    other = next(d for d in changed["definitions"] if not d["pinned"])
    review = {"state": "approved", "reason": "SEC-2", "description_sha256": other["description_sha256"], "schema_sha256": other["schema_sha256"]}
    assert world.rest("POST", f"/api/v1/registry/tools/{changed['id']}/review", review).status == 200
    settle(world)
    assert is_called(ask(world, key, "Two")), "the second definition is approved"
    assert is_called(ask(world, key, "One"))

    world.collector.cli("tool", "block", "send_mail", "--reason", "It lies")
    settle(world)
    assert not is_called(ask(world, key, "One")), "a block is in force"
    wait_for(lambda: "tools.blocked" in rules(world, AGENT), TOLD_SECONDS, "the block is on record")
    shown = world.collector.cli("tool", "show", "send_mail")
    assert [c["action"] for c in shown["history"]] == ["tool.block", "tool.approve", "tool.approve"]
    assert all(c["who"] and int(c["version"]) > 0 for c in shown["history"])
    actions = wait_for(lambda: [e["operator_action"] for e in world.rest("GET", "/api/v1/events?kind=operator_action&page_size=200").body["events"]
                                if e["operator_action"]["action"] == "tool.block"], TOLD_SECONDS, "the block is audited")
    assert actions[0]["reason"] == "It lies" and actions[0]["target"].endswith("send_mail")


def test_a_block_holds_where_no_policy_decides(world: World, key: str) -> None:
    assert is_called(ask(world, world.key, "Any", tool="rm_all")), "another agent, for whom nothing is enforced"
    world.collector.cli("tool", "block", "rm_all", "--reason", "nobody needs it")
    settle(world)
    assert not is_called(ask(world, world.key, "Any", tool="rm_all")), "the block is in force for everybody"
    assert is_called(ask(world, world.key, "Any", tool="read_all")), "only that tool"
    world.collector.cli("tool", "forget", "rm_all", "--reason", "test is over")
    settle(world)
    assert is_called(ask(world, world.key, "Any", tool="rm_all")), "the decision is gone"


def test_an_agent_is_refused_while_it_is_blocked(world: World, key: str) -> None:
    assert world.gateway.ask(key).status == 200
    undeclared = {a["agent_id"] for a in world.collector.cli("agent", "list", "--undeclared")["agents"]}
    assert AGENT in undeclared
    made = world.collector.cli("agent", "register", AGENT, "--trust", "verified", "--role", "support", "--environment", "prod",
                               "--owner", "team", "--reason", "SEC-3")
    assert made["declared"] and made["rights"]["roles"] == ["support"]
    parts = {part["name"].split()[0]: part["points"] for part in made["trust_parts"]}
    assert parts["level"] == 50 and parts["no"] == -10 and made["trust_score"] == sum(p["points"] for p in made["trust_parts"])

    world.collector.cli("agent", "block", AGENT, "--reason", "SEC-4")
    settle(world)
    refused = world.gateway.ask(key)
    assert refused.status != 200 and "agent.blocked" in json.dumps(refused.body)
    world.collector.cli("agent", "approve", AGENT, "--reason", "SEC-5")
    settle(world)
    assert world.gateway.ask(key).status == 200, "the agent may go on"
    call = world.rest("GET", f"/api/v1/registry/agents/{quote(AGENT, safe='')}").body
    assert call["rights"]["trust"] == "verified", "a block takes no rights away for good"


def test_decisions_need_an_admin_a_reason_and_known_fields_reg_012(world: World, key: str) -> None:
    tool = tool_of(world, "send_mail")["id"]
    path = f"/api/v1/registry/tools/{tool}/review"
    assert world.rest("POST", path, {"state": "approved", "reason": "x"}, token="aispm_nobody").status == 401
    assert world.rest("POST", path, {"state": "blocked"}).status == 400
    assert world.rest("POST", path, {"state": "approved", "reason": "no definition is named"}).status == 400
    made = world.rest("POST", "/api/v1/registry/agents", {"agent_id": "x", "tenant": "other", "reason": "x"})
    assert made.status == 400
    for change, body in (("scope", {"scope": {}, "reason": "x"}), ("stage", {"stage": "POLICY_STAGE_DEPRECATED", "reason": "x"}),
                         ("restore", {"version": 1, "reason": "x"})):
        refused = world.rest("POST", f"/api/v1/policies/aispm.registry/{change}", body)
        assert refused.status == 409, change
    assert world.push("mine", registry__yaml="tools: []\n").status == 400
