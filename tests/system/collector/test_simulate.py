# SPDX-License-Identifier: Apache-2.0
"""Policies against what a real collector has recorded: simulate, explain, learn. POL-021, POL-022, POL-023, POL-026."""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from conftest import PRODUCER
from real_collector import Collector, binary

AGENT = "alice/refunds"
RULES = """
rules:
  - {id: large, match: {tool: refund}, when: {tool_args_match: {amount: {gt: 1000}}}, outcome: require_approval, reason: looked at}
  - {id: small, match: {tool: refund}, outcome: allow}
"""


def action(tool: str, arguments: str, outcome: str = "OUTCOME_ALLOW", rule: str = "old", agent: str = AGENT) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "agent_id": agent,
            "source": "SOURCE_GATEWAY",
            "action_call": {"surface": "reply", "tool": tool, "arguments_text": arguments, "digest": "ab" * 32, "inputs": ["tool=" + tool]},
            "decision": {"outcome": outcome, "mode": "enforce", "rule_id": rule, "reason": "as it was then"}}


EVENTS = [*[action("refund", json.dumps({"amount": amount})) for amount in (5, 20, 300, 2000, 3000)],
          action("refund", '{"amount": 7}', "OUTCOME_DENY"), action("mail", "{}", "OUTCOME_DENY"),
          action("refund", "", agent="bob/other"),
          action("refund", '{"amount": 9000}', "OUTCOME_REQUIRE_APPROVAL", "large")]


@pytest.fixture(scope="module")
def recorded(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Collector:
    done = subprocess.run([PRODUCER, collector.grpc, tmp_path_factory.mktemp("producer"), collector.enrolment_token(), "gateway"],
                          input="".join(json.dumps(event) + "\n" for event in EVENTS), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"acknowledged": len(EVENTS), "rejected": 0}
    return collector


def bundle(folder: Path, rules: str) -> Path:
    folder.mkdir(mode=0o700)
    (folder / "actions.yaml").write_text(rules)
    (folder / "actions.yaml").chmod(0o600)
    return folder


def aispm(collector: Collector, *arguments: str, json_too: bool = True) -> tuple[int, Any]:
    done = subprocess.run([binary("aispm"), "policy", *arguments, *(["--json"] if json_too else [])], capture_output=True, text=True, timeout=60,
                          check=False, env={**os.environ, "AISPM_COLLECTOR": collector.grpc, "AISPM_TOKEN": collector.bootstrap["admin_token"],
                                            "AISPM_CA_FILE": collector.bootstrap["ca_file"]})
    assert done.returncode in (0, 3, 4), done.stderr
    return done.returncode, json.loads(done.stdout) if json_too else done.stdout


def status(collector: Collector) -> tuple[Any, Any]:
    return collector.cli("events", "--limit", "0"), collector.cli("status")["store"]["events"]


def test_a_candidate_changes_outcomes_and_nothing_that_runs(recorded: Collector, tmp_path: Path) -> None:
    before = status(recorded)
    code, report = aispm(recorded, "simulate", str(bundle(tmp_path / "one", RULES)), "--last", "24h")
    assert code == 4  # the refund of 7 becomes looser
    assert [int(report[key]) for key in ("events", "unchanged", "stricter", "looser")] == [9, 5, 2, 1]
    assert [(cause["reason"], cause["count"]) for cause in report["not_judged"]] == [("depends on arguments that were not recorded", "1")]
    flip = report["flips"][0]
    assert (flip["rule_id"], flip["count"], flip["agent_id"], flip["tool"]) == ("large", "2", AGENT, "refund")
    assert set(flip["event_ids"]) == {EVENTS[3]["id"], EVENTS[4]["id"]}
    # Another candidate, another answer.
    code, other = aispm(recorded, "simulate", str(bundle(tmp_path / "two", "{defaults: {outcome: deny}, rules: []}")), "--agent", "alice/*")
    assert code == 3
    assert (other["stricter"], other["looser"], other["events"]) == ("6", "0", "8")
    assert status(recorded) == before


def test_a_broken_candidate_is_refused_with_its_place(recorded: Collector, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"actions\.yaml:1: .*outcome"):
        aispm(recorded, "simulate", str(bundle(tmp_path / "bad", "rules: [{id: a, outcome: perhaps}]")))


def test_a_decision_is_explained(recorded: Collector) -> None:
    _, why = aispm(recorded, "explain", EVENTS[8]["id"])
    assert why["event"]["decision"]["rule_id"] == "large"
    assert "tool=refund" in why["held"]
    _, text = aispm(recorded, "explain", EVENTS[8]["id"], json_too=False)
    assert "large" in text
    assert "as it was then" in text


def test_what_an_agent_did_becomes_rules_that_change_nothing(recorded: Collector, tmp_path: Path) -> None:
    out = tmp_path / "learned"
    _, proposal = aispm(recorded, "learn", AGENT, "--out", str(out))
    assert (proposal["events"], proposal["learned"]) == ("8", "6")
    assert proposal["check"]["stricter"] == "0"
    code, report = aispm(recorded, "simulate", str(out), "--agent", AGENT)
    # A refund of 7 lies between those that were allowed: what was denied then passes now, and is told.
    assert (report["stricter"], report["looser"]) == ("0", "1"), report
    assert code == 4
    assert proposal["check"]["flips"] == report["flips"]


def test_files_need_no_collector(recorded: Collector, tmp_path: Path) -> None:
    events = tmp_path / "events.json"
    events.write_text(json.dumps(recorded.cli("events", "--kind", "action_call", "--limit", "0")))
    lines = tmp_path / "events.jsonl"
    lines.write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    folder = bundle(tmp_path / "one", RULES)
    _, remote = aispm(recorded, "simulate", str(folder))
    for file in (events, lines):
        done = subprocess.run([binary("aispm"), "policy", "simulate", str(folder), "--events", str(file), "--json"], capture_output=True,
                              text=True, timeout=60, check=False, env={"PATH": os.environ["PATH"]})
        assert done.returncode == 4, done.stderr
        local = json.loads(done.stdout)
        for key in ("events", "unchanged", "stricter", "looser", "changes", "not_judged"):
            assert local[key] == remote[key]
    done = subprocess.run([binary("aispm"), "policy", "explain", EVENTS[8]["id"], "--events", str(lines), "--bundle", str(folder)],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "actions.yaml:3" in done.stdout
    assert "greater than 1000" in done.stdout
