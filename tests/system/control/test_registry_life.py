# SPDX-License-Identifier: Apache-2.0
"""MCP-017, POL-006, POL-022, POL-026, POL-028, REG-012: the registry of agents and tools over its life: signatures and withdrawn keys,
approvals that expire, restarts, gateways that are alone, and what simulations and explanations say of it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import AGENT, Gateway, World, wait_for
from real_collector import Collector, binary
from test_registry import ACTIONS, TOLD_SECONDS, ask, is_called, settle


def cli(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([binary("aispm"), *words], capture_output=True, text=True, check=False)


def make_world(folder: Path, provider: tuple[int, Path], collector_extra: str = "", gateway_extra: str = "") -> World:
    for program in ("aispm-collector", "aispm-gateway", "aispm"):
        if not binary(program).exists():
            pytest.skip(f"{binary(program)} is not built")
    collector = Collector(folder, collector_extra)
    collector.start()
    (folder / "gw").mkdir()
    gateway = Gateway(folder / "gw", collector, *provider, extra=gateway_extra)
    gateway.start()
    key = str(collector.cli("agent", "create-key", AGENT)["key"])
    wait_for(lambda: gateway.ask(key).status == 200, 60, "the gateway knows the agent's key")
    return World(collector, gateway, key)


@pytest.fixture
def own(tmp_path: Path, provider: tuple[int, Path]) -> Iterator[World]:
    made = make_world(tmp_path, provider)
    yield made
    made.gateway.stop()
    made.collector.stop()


def block(world: World, tool: str) -> None:
    world.collector.cli("tool", "block", tool, "--reason", "It lies")
    settle(world)


# --- signatures

@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Path]:
    for name in ("registry", "other"):
        assert cli("policy", "keygen", tmp_path / name).returncode == 0
    return {name: tmp_path / f"{name}.{kind}" for name in ("registry", "other") for kind in ("pub",)} | {
        "secret": tmp_path / "registry.key"}


def signed(keys: dict[str, Path]) -> tuple[str, str]:
    collector = f"policies:\n  trusted_keys: [{keys['registry']}]\n  must_be_signed: true\n  registry_key: {keys['secret']}\n"
    return collector, f"policies:\n  trusted_keys: [{keys['registry']}]\n  must_be_signed: true\n"


def test_a_signed_registry_is_in_force_until_its_key_is_withdrawn(tmp_path: Path, provider: tuple[int, Path], keys: dict[str, Path]) -> None:
    collector_extra, gateway_extra = signed(keys)
    world = make_world(tmp_path, provider, collector_extra, gateway_extra)
    try:
        assert is_called(ask(world, world.key, "Any", tool="rm_all"))
        block(world, "rm_all")
        assert not is_called(ask(world, world.key, "Any", tool="rm_all"))
        assert is_called(ask(world, world.key, "Any", tool="read_all"))
        shown = world.rest("GET", "/api/v1/policies/aispm.registry/versions").body["versions"]
        assert shown[0]["signed_by"]
        # The gateway's operator withdraws the key: what it signed counts no more, and nobody is let through for that.
        world.gateway.stop()
        world.gateway.extra = gateway_extra.replace(str(keys["registry"]), str(keys["other"]))
        world.gateway.start()
        wait_for(lambda: world.gateway.ask(world.key).status in (400, 403), TOLD_SECONDS, "everybody is denied")
        assert not is_called(ask(world, world.key, "Any", tool="read_all"))
        problems = wait_for(lambda: [s["problem"] for s in world.states("aispm.registry") if s["problem"]], TOLD_SECONDS, "the gateway says why")
        assert "key" in problems[0] or "sign" in problems[0], problems
        # Trusted again, it is in force again.
        world.gateway.stop()
        world.gateway.extra = gateway_extra
        world.gateway.start()
        wait_for(lambda: is_called(ask(world, world.key, "Any", tool="read_all")), 60, "the key is trusted again")
        assert not is_called(ask(world, world.key, "Any", tool="rm_all"))
    finally:
        world.gateway.stop()
        world.collector.stop()


def test_without_a_key_a_collector_that_demands_signatures_takes_no_decision(tmp_path: Path, provider: tuple[int, Path], keys: dict[str, Path]) -> None:
    collector_extra, gateway_extra = signed(keys)
    world = make_world(tmp_path, provider, collector_extra.replace(f"  registry_key: {keys['secret']}\n", ""), gateway_extra)
    try:
        with pytest.raises(RuntimeError, match="registry_key"):
            world.collector.cli("tool", "block", "rm_all", "--reason", "It lies")
        assert is_called(ask(world, world.key, "Any", tool="rm_all")), "nothing was decided"
    finally:
        world.gateway.stop()
        world.collector.stop()


def test_a_gateway_that_demands_signatures_refuses_an_unsigned_registry(tmp_path: Path, provider: tuple[int, Path], keys: dict[str, Path]) -> None:
    world = make_world(tmp_path, provider, "", signed(keys)[1])
    try:
        world.collector.cli("tool", "block", "rm_all", "--reason", "It lies")
        problems = wait_for(lambda: [s["problem"] for s in world.states("aispm.registry") if s["problem"]], TOLD_SECONDS, "the gateway refuses it")
        assert "sign" in problems[0], problems
        # It has no older one: nobody is let through on the strength of what it cannot read.
        assert not is_called(ask(world, world.key, "Any", tool="read_all"))
    finally:
        world.gateway.stop()
        world.collector.stop()


# --- expiry

def register(world: World, seconds: int) -> None:
    ends = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = world.rest("POST", "/api/v1/registry/agents", {"agent_id": AGENT, "rights": {"trust": "basic"}, "expires": ends, "reason": "a test"})
    assert made.status == 200, made.body


def test_a_registration_expires_without_anybody_doing_anything(own: World) -> None:
    register(own, 20)
    settle(own)
    assert own.gateway.ask(own.key).status == 200
    own.collector.kill()  # nobody is there to tell the gateway
    refused = wait_for(lambda: [a for a in [own.gateway.ask(own.key)] if a.status != 200], 60, "the registration ended")[0]
    assert "agent.expired" in json.dumps(refused.body)
    own.collector.start()
    register(own, 3600)
    wait_for(lambda: own.gateway.ask(own.key).status == 200, 60, "a new end is in force")


# --- restarts

def test_decisions_hold_over_restarts_and_without_a_collector(own: World) -> None:
    block(own, "rm_all")
    own.collector.kill()
    own.gateway.stop()
    own.gateway.start()  # alone: from its own disk
    wait_for(lambda: own.gateway.ask(own.key).status == 200, 60, "the gateway serves")
    assert not is_called(ask(own, own.key, "Any", tool="rm_all")), "it knows the decision without a collector"
    assert is_called(ask(own, own.key, "Any", tool="read_all"))
    own.collector.start()
    assert own.collector.cli("tool", "show", "rm_all")["state"] == "blocked", "so does the collector after a crash"
    own.collector.cli("tool", "forget", "rm_all", "--reason", "over")
    settle(own)
    assert is_called(ask(own, own.key, "Any", tool="rm_all"))


# --- what simulations, explanations and programs say

def decisions(world: World, rule: str) -> list[dict[str, Any]]:
    events = world.rest("GET", "/api/v1/events?kind=action_call&page_size=100").body["events"]
    return [event for event in events if event["decision"]["rule_id"] == rule]


def test_simulation_explanation_and_programs_look_at_the_registry(own: World, tmp_path: Path) -> None:
    assert own.push("open", actions__yaml=ACTIONS).status == 200
    assert own.promote("open", "MONITOR").status == 200
    wait_for(lambda: is_called(ask(own, own.key, "Any", tool="rm_all")) and decisions(own, "defaults"), 60, "an action is on record")
    bundle = tmp_path / "candidate"
    bundle.mkdir(mode=0o700)
    (bundle / "actions.yaml").write_text(ACTIONS)
    (bundle / "actions.yaml").chmod(0o600)
    files = [{"path": "actions.yaml", "content": base64.b64encode(ACTIONS.encode()).decode()}]
    before = own.rest("POST", "/api/v1/policies:simulate", {"files": files, "hours": 1})
    assert before.status == 200 and not before.body.get("flips"), before.body
    assert before.body["events"] != "0", "what is only watched so far can be simulated"
    assert own.promote("open", "ENFORCED", force=True).status == 200
    block(own, "rm_all")
    flips = own.rest("POST", "/api/v1/policies:simulate", {"files": files, "hours": 1}).body["flips"]
    assert [(f["rule_id"], f["tool"]) for f in flips] == [("tools.blocked", "rm_all")], flips

    assert not is_called(ask(own, own.key, "Any", tool="rm_all"))
    event = wait_for(lambda: decisions(own, "tools.blocked"), 60, "the denial is on record")[0]
    told = own.rest("GET", f"/api/v1/explanations/{event['id']}").body
    assert told["place"] == "registry.yaml" and "It lies" in told["held"][-1], told

    registry = tmp_path / "registry"
    own.collector.cli("policy", "show", "aispm.registry", "--out", str(registry))
    action = tmp_path / "action.json"
    action.write_text(json.dumps({"tool": "rm_all", "arguments": {}}))
    alone = json.loads(cli("policy", "decide", bundle, "--action", action, "--json").stdout)
    beside = json.loads(cli("policy", "decide", bundle, "--action", action, "--registry", registry, "--json").stdout)
    assert (alone["outcome"], beside["outcome"], beside["rule"]) == ("allow", "deny", "tools.blocked")
    assert cli("policy", "show", "aispm.registry", "--out", registry).returncode != 0, "a folder that is there is left alone"
    library = binary("aispm").parents[1] / "lib" / "libaispm.so.0"
    if not library.exists():
        pytest.skip(f"{library} is not built")
    script = ("import aispm\ntry:\n    print(aispm.check_tool_call('rm_all', {}).outcome)\n"
              "except aispm.PermissionDenied as no:\n    print(no.decision.outcome, no.decision.rule)\n")
    for folder, said in (("", "allow"), (str(registry), "deny tools.blocked")):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False,
                              env={**os.environ, "PYTHONPATH": str(Path(os.environ["AISPM_SOURCE_DIR"]) / "sdk" / "python"), "AISPM_LIBRARY": str(library),
                                   "AISPM_POLICY_BUNDLE": str(bundle), "AISPM_POLICY_REGISTRY": folder})
        assert done.stdout.startswith(said), done.stdout + done.stderr
