# SPDX-License-Identifier: Apache-2.0
"""`fail: open`: what passes where something fails that should judge, what is on record of it, and that it is judged again as soon as it can be."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import conftest
import pytest
from conftest import AGENT, Gateway, World, wait_for
from real_collector import Collector, binary
from test_registry import ask, is_called

OPEN = """
defaults: {mode: enforce, store_text: false, fail: open, opinions: wait}
rules:
  - {id: harm, match: {category: harmful, severity: high}, outcome: deny, reason: the guard model says no}
"""
QUESTION = "Is anybody there, and who?"  # guard models are not asked about a few letters
BROKEN = "package aispm.tools\nimport rego.v1\ndecision := {\"outcome\": \"allow\"} if input.tool.name == 1\n"


class Guard(http.server.ThreadingHTTPServer):
    """A guard model that says that everything is unsafe, where it says anything at all."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.is_broken = False
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(http.server.BaseHTTPRequestHandler):
    server: Guard

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": "unsafe\nS9"}, "finish_reason": "stop"}]}).encode()
        self.send_response(500 if self.server.is_broken else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def guard() -> Iterator[Guard]:
    running = Guard()
    yield running
    running.shutdown()


@pytest.fixture
def open_world(tmp_path: Path, provider: tuple[int, Path], guard: Guard, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for program in ("aispm-collector", "aispm-gateway", "aispm"):
        if not binary(program).exists():
            pytest.skip(f"{binary(program)} is not built")
    monkeypatch.setattr(conftest, "RULES", OPEN)
    collector = Collector(tmp_path)
    collector.start()
    (tmp_path / "gw").mkdir()
    extra = f"detect:\n  guard_model: {{origin: 'http://127.0.0.1:{guard.server_port}', model: guard, deadline: 2s, allow_private: true}}\n"
    gateway = Gateway(tmp_path / "gw", collector, *provider, extra=extra)
    gateway.start()
    key = str(collector.cli("agent", "create-key", AGENT)["key"])
    made = World(collector, gateway, key)
    wait_for(lambda: gateway.ask(key, QUESTION).status == 400, 60, "the gateway knows the agent's key, and the guard model speaks")
    yield made
    gateway.stop()
    collector.stop()


def unjudged(world: World) -> list[dict[str, Any]]:
    events = world.rest("GET", "/api/v1/events?kind=llm_call&page_size=100").body["events"]
    return [event for event in events if any(d["rule_id"] == "aispm.unjudged" for d in event.get("detections", []))]


def test_what_a_guard_model_could_not_judge_passes_and_is_on_record_and_the_next_is_judged(open_world: World, guard: Guard) -> None:
    assert "harm" in json.dumps(open_world.gateway.ask(open_world.key, QUESTION + " one").body), "the guard model judges"
    assert not unjudged(open_world)
    guard.is_broken = True
    assert open_world.gateway.ask(open_world.key, QUESTION + " two").status == 200, "fail: open"
    event = wait_for(lambda: unjudged(open_world), 30, "what passed is on record as not judged")[0]
    message = next(d["message"] for d in event["detections"] if d["rule_id"] == "aispm.unjudged")
    assert "fail: open" in message and "guard model" in message, message
    guard.is_broken = False
    refused = open_world.gateway.ask(open_world.key, QUESTION + " three")
    assert refused.status == 400 and "harm" in json.dumps(refused.body), "asked again at once"
    assert len(unjudged(open_world)) == 1


def test_a_policy_bundle_is_never_open(open_world: World, guard: Guard) -> None:
    """A module that gives no decision denies, and what a person should decide waits for nobody: `fail` is about detection."""
    guard.is_broken = True
    assert is_called(ask(open_world, open_world.key, "Any", tool="read"))
    rules = "rules:\n  - {id: asks, match: {tool: refund}, outcome: require_approval}\n  - {id: rest, match: {tool: '*'}, outcome: allow}\n"
    assert open_world.push("p", actions__yaml=rules).status == 200
    for stage, more in (("MONITOR", {}), ("ENFORCED", {"force": True})):
        assert open_world.promote("p", stage, **more).status == 200
    decided = lambda: {e["decision"]["rule_id"] for e in open_world.rest("GET", "/api/v1/events?kind=action_call&page_size=100").body["events"]}  # noqa: E731
    wait_for(lambda: is_called(ask(open_world, open_world.key, "Any", tool="read")) and "rest" in decided(), 60, "the policy is enforced")
    open_world.collector.kill()
    assert not is_called(ask(open_world, open_world.key, "Any", tool="refund")), "there is nobody to ask"
    assert is_called(ask(open_world, open_world.key, "Any", tool="read")), "what needs nobody goes on"
    open_world.collector.start()
    files = {"actions__yaml": rules, "rego/tools__rego": BROKEN}
    assert open_world.push("p", **files).status == 200
    version = open_world.rest("GET", "/api/v1/policies/p/versions").body["versions"][0]["version"]
    assert open_world.promote("p", "ENFORCED", version=version, force=True).status in (200, 409)
    if open_world.rest("GET", "/api/v1/policies/p").body.get("version") != version:
        assert open_world.promote("p", "MONITOR", version=version).status == 200
        assert open_world.promote("p", "ENFORCED", force=True).status == 200
    wait_for(lambda: not is_called(ask(open_world, open_world.key, "Any", tool="read")), 60, "the broken module denies")
    wait_for(lambda: "tools.undecided" in decided(), 30, "and says so")
