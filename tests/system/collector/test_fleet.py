# SPDX-License-Identifier: Apache-2.0
"""The inventory from end to end: a reporter as in daemons, the real collector, the real CLI."""

import json
import os
import subprocess
import time
import uuid
from datetime import datetime, UTC
from pathlib import Path
from typing import Any

import pytest

from conftest import PRODUCER
from real_collector import Collector

AGENT = "alice/agent.py"
HASH_A, HASH_B = "a" * 64, "b" * 64


class Sensor:
    """Each report is a run of the reporter with the same state: its spool, sequence and certificate stay."""

    def __init__(self, collector: Collector, folder: Path) -> None:
        self.collector, self.folder = collector, folder
        self.token = collector.enrolment_token()

    def report(self, *bodies: dict[str, Any], agent: str = AGENT, exe: str = "/usr/bin/python3", age_s: float = 0) -> None:
        when = datetime.fromtimestamp(time.time() - age_s, UTC).isoformat().replace("+00:00", "Z")
        events = [
            {"id": str(uuid.uuid4()), "time": when, "source": "SOURCE_SENSOR", "agent_id": agent,
             "process": {"pid": 42, "start_boottime_ns": "42000", "exe": exe, "comm": Path(exe).name, "argv": [exe]}, **body}
            for body in bodies
        ]
        done = subprocess.run(
            [PRODUCER, self.collector.grpc, self.folder, self.token],
            input="".join(json.dumps(event) + "\n" for event in events), capture_output=True, text=True, timeout=90, check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"acknowledged": len(events), "rejected": 0}


@pytest.fixture(scope="module")
def sensor(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Sensor:
    return Sensor(collector, tmp_path_factory.mktemp("sensor"))


def asset(name: str, kind: str = "model_server", resync: str = "", size: int = 0, **more: Any) -> dict[str, Any]:
    return {"asset": {"asset_id": f"id-{name}", "kind": kind, "name": name, "confidence": 0.9, "resync_id": resync, "resync_size": size,
                      "evidence": [{"type": "port", "value": "11434", "rule": "ollama.port", "weight": 0.4}], "explanation": "Two agree.", **more}}


def tools(*hashes: tuple[str, str]) -> dict[str, Any]:
    return {"mcp_tools": {"transport": "http", "server_name": "files", "server_host": "mcp.example:8080",
                          "tools": [{"name": name, "description_sha256": text, "schema_sha256": HASH_A} for name, text in hashes]}}


def call_tool(tool: str) -> dict[str, Any]:
    return {"mcp_call": {"protocol": "mcp", "transport": "http", "method": "tools/call", "tool": tool, "server_name": "files",
                         "server_host": "mcp.example:8080"}}


def by_name(collector: Collector, *options: str) -> dict[str, dict[str, Any]]:
    return {found["asset"]["name"]: found for found in collector.cli("assets", *options)["assets"]}


def test_a_complete_scan_tells_what_is_gone_and_keeps_what_people_decided(collector: Collector, sensor: Sensor) -> None:
    """INV-016: sanctioned, unsanctioned, ignored, with owner and author, over scans and a crash of the collector."""
    sensor.report(asset("ollama", resync="r1", size=3), asset("vllm", resync="r1", size=3), asset("llama.gguf", "model_file", resync="r1", size=3), agent="")
    ids = {name: found["id"] for name, found in by_name(collector).items()}
    assert set(ids) == {"ollama", "vllm", "llama.gguf"}
    changed = collector.cli("assets", "sanction", ids["ollama"], "--owner", "ml-team", "--reason", "SEC-42")
    assert (changed["state"], changed["owner"]) == ("sanctioned", "ml-team")
    collector.cli("assets", "ignore", ids["llama.gguf"])
    collector.kill()
    collector.start()
    sensor.report(asset("ollama", resync="r2", size=2), asset("llama.gguf", "model_file", resync="r2", size=2), agent="")
    assert set(by_name(collector)) == {"ollama", "llama.gguf"}
    assert "gone" in by_name(collector, "--gone")["vllm"]
    shown = collector.cli("assets", "show", ids["ollama"])
    assert (shown["state"], shown["owner"]) == ("sanctioned", "ml-team")
    assert shown["history"][0]["who"].startswith("bootstrap (")
    assert shown["asset"]["evidence"][0]["rule"] == "ollama.port"
    assert set(by_name(collector, "--state", "ignored")) == {"llama.gguf"}


def test_an_asset_unseen_for_31_days_is_stale(collector: Collector, sensor: Sensor) -> None:
    """INV-019"""
    sensor.report(asset("old-agent", "agent"), agent="", age_s=31 * 86_400 + 60)
    sensor.report(asset("younger-agent", "agent"), agent="", age_s=30 * 86_400 + 60)
    stale = by_name(collector, "--stale")
    assert set(stale) == {"old-agent"}
    assert stale["old-agent"]["stale"] is True
    assert collector.cli("assets", "summary")["stale"] == "1"


def test_a_changed_tool_shows_with_its_hashes(collector: Collector, sensor: Sensor) -> None:
    sensor.report(tools(("read", HASH_A), ("write", HASH_A)), call_tool("read"))
    assert collector.cli("mcp", "--changed")["servers"] == []
    sensor.report(tools(("read", HASH_B), ("write", HASH_A)))
    (server,) = collector.cli("mcp", "--changed")["servers"]
    assert server["agents"] == [AGENT]
    shown = collector.cli("mcp", "show", server["id"])
    (change,) = shown["history"]
    assert (change["tool"], change["change"], change["description_before"], change["description_after"]) == ("read", "description", HASH_A, HASH_B)


def test_a_new_edge_is_in_the_topology_within_15_seconds(collector: Collector, sensor: Sensor) -> None:
    """INV-013"""
    began = time.monotonic()
    sensor.report(
        {"llm_call": {"provider": "openai", "request_model": "gpt-x", "status": 200, "route": "direct", "input_tokens": "10", "tools_called": ["lookup"]}},
        {"file_access": {"path": "/home/alice/.ssh/id", "operation": "read", "file_class": "sensitive", "outcome": "allowed"}},
        {"socket_close": {"destination_address": "203.0.113.9", "destination_port": 443, "name": "api.openai.com", "name_source": "sni", "bytes_sent": "10"}},
    )
    topology = collector.cli("topology", "--agent", AGENT)
    assert time.monotonic() - began < 15
    names = {node["id"]: node["name"] for node in topology["nodes"]}
    edges = {(names[edge["from"]], names[edge["to"]]) for edge in topology["edges"]}
    assert {(AGENT, "gpt-x"), ("gpt-x", "openai"), ("gpt-x", "lookup"), (AGENT, "files"), ("files", "read"), (AGENT, "sensitive"),
            (AGENT, "api.openai.com:443")} <= edges


def test_coverage_says_why_bytes_were_not_seen(collector: Collector, sensor: Sensor) -> None:
    sensor.report({"tls_coverage": {"connections": "4", "wire_bytes": "1000", "plaintext_bytes": "250",
                                    "gaps": [{"library": "ring", "reason": "no site is known", "connections": "3", "wire_bytes": "750"}]}})
    listed = collector.cli("coverage", "--by", "agent")
    (row,) = [row for row in listed["rows"] if row["agent_id"] == AGENT]
    assert row["share"] == pytest.approx(0.25)
    assert row["gaps"][0]["reason"] == "no site is known"
    assert listed["total"]["wire_bytes"] == "1000"


def test_a_baseline_is_exported_and_imported_again(collector: Collector, sensor: Sensor, tmp_path: Path) -> None:
    """INV-014"""
    sensor.report(*({"llm_call": {"provider": "openai", "request_model": "gpt-x", "status": 200, "input_tokens": "100", "duration_us": "5000"}} for _ in range(30)),
                  agent="alice/steady.py")
    exported = collector.cli("baseline", "export", "alice/steady.py")
    assert exported["calls"] == "30"
    assert exported["latency_us"]["p95"] == "5000"
    file = tmp_path / "baselines.jsonl"
    file.write_text(json.dumps(exported) + "\n")
    collector.cli("baseline", "import", str(file))
    report = collector.cli("baseline", "show", "alice/steady.py")
    assert report["deviations"] == []
    assert report["reference"]["baseline"]["calls"] == "30"
    sensor.report(*({"llm_call": {"provider": "openai", "request_model": "gpt-y", "status": 200, "input_tokens": "9000"}} for _ in range(30)), agent="alice/steady.py")
    deviations = collector.cli("baseline", "show", "alice/steady.py")["deviations"]
    assert "new model: gpt-y" in deviations
    assert any(deviation.startswith("mean input tokens") for deviation in deviations)


def test_the_summary_counts_every_entity(collector: Collector, sensor: Sensor) -> None:
    """INV-010"""
    entities = {entity["entity"]: entity for entity in collector.cli("assets", "summary")["entities"]}
    assert set(entities) == {"agents", "models", "tools", "data", "sessions", "mcp_servers", "identities"}
    assert entities["agents"]["total"] == "2"
    assert entities["agents"]["high_risk"] == "1"  # alice/agent.py called past the gateway and read a key
    assert entities["agents"]["no_policy"] == "2"
    assert entities["mcp_servers"]["high_risk"] == "1"  # its tool changed
    assert entities["identities"]["total"] == "1"


def test_people_get_tables(collector: Collector, sensor: Sensor) -> None:
    def text(*words: str) -> str:
        done = subprocess.run(
            [Path(os.environ["AISPM_BIN_DIR"]) / "aispm", *words], capture_output=True, text=True, check=True, timeout=30,
            env={**os.environ, "AISPM_COLLECTOR": collector.grpc, "AISPM_TOKEN": collector.bootstrap["admin_token"], "AISPM_CA_FILE": collector.bootstrap["ca_file"]},
        )
        return done.stdout

    assert "ml-team" in text("assets")
    assert "Two agree." in text("assets", "show", "a1")
    assert "HIGH RISK" in text("assets", "summary")
    assert "files" in text("mcp", "list")
    assert "read" in text("mcp", "show", "m1")
    assert "└─" in text("topology")
    assert "ring: no site is known" in text("coverage")
    assert "gpt-y" in text("baseline", "show", "alice/steady.py")
    assert "alice/steady.py" in text("baseline", "list")
    assert text("names")
