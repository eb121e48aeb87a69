# SPDX-License-Identifier: Apache-2.0
"""What operators change at a gateway is told by the collector: who, what, and what it was before."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Gateway, World, wait_for
from programs import free_port

TOLD_SECONDS = 30
TOKEN = "operators-token-" + "t" * 32
PACK = """pack: own
category: custom
rules:
  - {id: custom.project, label: project, severity: low, confidence: 0.9, patterns: [kingfisher], message: A project, hits: [kingfisher], misses: [raven]}
"""
GUARDRAIL = {"name": "no owls", "type": "keyword", "keywords": ["owl"]}


class Operated:
    """A second gateway of the world's collector, with an operators' port."""

    def __init__(self, world: World, folder: Path) -> None:
        self.port = free_port()
        (folder / "admin.token").write_text(TOKEN + "\n")
        (folder / "admin.token").chmod(0o600)
        self.gateway = Gateway(folder, world.collector, world.gateway.provider, world.gateway.certificate,
                               extra=f"admin: {{socket: {folder}/admin.sock, rules_folder: {folder}/given, "
                                     f"listen: '127.0.0.1:{self.port}', token_file: {folder}/admin.token}}\n")
        self.gateway.start()

    def ask(self, method: str, path: str, body: str = "") -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method, data=body.encode() or None,
                                         headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return json.loads(reply.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()!r}") from error


@pytest.fixture
def operated(world: World, tmp_path: Path) -> Iterator[Operated]:
    running = Operated(world, tmp_path)
    yield running
    running.gateway.stop()


def test_every_change_at_a_gateway_is_in_the_collectors_record(world: World, operated: Operated) -> None:
    operated.ask("PUT", "/aispm/v1/admin/rules/acme", PACK)
    operated.ask("DELETE", "/aispm/v1/admin/rules/acme")
    made = operated.ask("POST", "/api/v1/guardrails?tenant=acme", json.dumps(GUARDRAIL))
    operated.ask("PUT", f"/api/v1/guardrails/{made['id']}?tenant=acme", json.dumps(GUARDRAIL | {"keywords": ["eagle"]}))
    operated.ask("DELETE", f"/api/v1/guardrails/{made['id']}?tenant=acme")
    origin = f"https://localhost:{free_port()}"
    operated.ask("PUT", "/aispm/v1/admin/providers/openai/origin", origin)
    operated.ask("DELETE", "/aispm/v1/admin/providers/openai/origin")
    operated.ask("POST", "/aispm/v1/admin/providers/reload")
    operated.ask("POST", "/aispm/v1/admin/reload")

    def told() -> dict[str, Any]:
        events = world.rest("GET", "/api/v1/events?kind=operator_action&page_size=500").body["events"]
        return {e["operator_action"]["action"]: e["operator_action"] for e in events if e["source"] == "SOURCE_GATEWAY"}

    wait_for(lambda: {"rules.set", "rules.remove", "guardrail.create", "guardrail.update", "guardrail.delete", "provider.set_origin",
                      "provider.unset_origin", "providers.reload", "gateway.reload"} <= set(told()), TOLD_SECONDS, "the record of what was done")
    moved = told()["provider.set_origin"]
    assert moved["who"] and moved["target"] == "provider/openai"
    assert moved["after"] == f"openai={origin}" and moved["before"] == f"openai=https://localhost:{world.gateway.provider}"
    assert "owl" not in json.dumps(told()["guardrail.create"]["after"])
