# SPDX-License-Identifier: Apache-2.0
"""The scan API of a gateway that follows a collector: policies of the collector as `policy_id`, and scans in the collector's record."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from conftest import World, wait_for
from test_bundle_parts import TOLD_SECONDS, pack, problem, push

SECRET = "AKIA" + "Z7QJ3XNVB5KD2M4T"
REGO = """package aispm.prompt

import rego.v1

default decision := {"outcome": "allow", "rule": "prompt.any", "reason": "fine"}

decision := {"outcome": "deny", "rule": "prompt.owl", "reason": "no owls"} if contains(input.prompt, "owl")
"""


def scan(world: World, kind: str, content: str, **more: str) -> tuple[int, Any]:
    request = urllib.request.Request(f"http://127.0.0.1:{world.gateway.port}/api/v1/scan/{kind}", data=json.dumps({"content": content, **more}).encode(),
                                     headers={"Authorization": f"Bearer {world.key}", "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_policy_of_the_collector_judges_the_scan_that_names_it(world: World, tmp_path: Path) -> None:
    """GW-038: also one that is only monitored."""
    push(world, tmp_path, "ravens", "tests/*", "detect.yaml", pack("raven", rule="custom.raven"))
    assert world.promote("ravens", "MONITOR").status == 200
    assert problem(world, "ravens", 1) == ""
    wait_for(lambda: scan(world, "input", "a raven", policy_id="ravens")[0] == 200, TOLD_SECONDS, "the gateway has the policy")
    status, plain = scan(world, "input", "a raven")
    assert status == 200 and plain["threats"] == []
    status, named = scan(world, "input", "a raven", policy_id="ravens")
    assert status == 200 and named["policy_id"] == "ravens" and named["action"] == "warn"
    assert [threat["rule"] for threat in named["threats"]] == ["custom.raven"]
    assert scan(world, "input", "a raven", policy_id="rooks")[0] == 404


def test_a_policys_word_on_prompts_decides_the_scan(world: World, tmp_path: Path) -> None:
    (tmp_path / "owls" / "rego").mkdir(parents=True)
    push(world, tmp_path, "owls", "tests/*", "rego/prompt.rego", REGO)
    assert world.promote("owls", "MONITOR").status == 200
    assert problem(world, "owls", 1) == ""
    wait_for(lambda: scan(world, "input", "a swift", policy_id="owls")[0] == 200, TOLD_SECONDS, "the gateway has the policy")
    status, denied = scan(world, "input", "an owl", policy_id="owls")
    assert status == 200 and (denied["allowed"], denied["action"]) == (False, "block") and denied["reason"] == "no owls"
    assert scan(world, "input", "a swift", policy_id="owls")[1]["allowed"] is True
    assert scan(world, "input", "an owl")[1]["allowed"] is True


def test_scans_are_in_the_collectors_record_without_their_texts(world: World) -> None:
    status, told = scan(world, "output", f"the scanned key is {SECRET}, keep it")
    assert status == 200 and told["action"] in ("warn", "redact")

    def recorded() -> list[dict[str, Any]]:
        events = world.rest("GET", "/api/v1/events?kind=action_call&page_size=500").body["events"]
        return [event for event in events if told["scan_id"] in json.dumps(event)]

    event = wait_for(recorded, TOLD_SECONDS, "the scan's event at the collector")[0]
    text = json.dumps(event)
    assert "scan.output" in text and "secret.aws_access_key" in text
    assert SECRET not in text and "keep it" not in text
