# SPDX-License-Identifier: Apache-2.0
"""Shadow AI with evidence: real processes, files and servers become inventory objects."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Sensor

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))
from programs import free_port  # noqa: E402 - the path is set above

LISTED_SECONDS = 180  # the product promises 10; discovery has the lowest priority and waits for whatever else the machine does
MCP_SERVER = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    if request["method"] == "initialize":
        result = {"protocolVersion": "2025-06-18", "capabilities": {}}
    else:  # tools/list
        result = {"tools": []}
    print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), flush=True)
"""
MODEL_SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"Ollama is running" if self.path == "/" else b'{"models":[]}')
    def log_message(self, *arguments):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
HOLDER = "import sys, time\nkept = [open(path, 'rb') for path in sys.argv[1:]]\ntime.sleep(300)\n"
CLIENT = "import time\nif time is None:\n    import openai\ntime.sleep(300)\n"


def gguf() -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, 7, 0) + b"weights" * 100


def test_a_stdio_mcp_server_in_plain_python_is_listed_and_its_end_is_told_sen_015(make_sensor: Callable[..., Sensor]) -> None:
    sensor = make_sensor()
    sensor.start()
    child = sensor.python("weather_tool.py", MCP_SERVER)
    found = sensor.wait(lambda: sensor.assets("mcp_server", "weather_tool.py"), LISTED_SECONDS, "MCP server")[0]["asset"]
    assert found["confidence"] >= 0.5
    assert any(evidence["type"] == "script" for evidence in found["evidence"])
    assert found["attributes"]["transport"] == "stdio"
    child.terminate()
    gone = sensor.wait(lambda: [e for e in sensor.assets("mcp_server", "weather_tool.py") if e["asset"].get("gone")],
                       LISTED_SECONDS, "end of the MCP server")
    assert gone[0]["asset"]["asset_id"] == found["asset_id"]


def test_what_ran_before_the_sensor_is_found_and_resynced(make_sensor: Callable[..., Sensor]) -> None:
    sensor = make_sensor()
    sensor.python("early_tool.py", MCP_SERVER)
    sensor.start()
    again = sensor.wait(lambda: [e["asset"] for e in sensor.assets("mcp_server", "early_tool.py") if e["asset"].get("resync_id")],
                        LISTED_SECONDS, "resync")[0]
    same = [e for e in sensor.events() if e.get("asset", {}).get("resync_id") == again["resync_id"]]
    assert len(same) == again["resync_size"]


def test_mcp_configs_are_read_without_their_secrets(make_sensor: Callable[..., Sensor]) -> None:
    sensor = make_sensor()
    secret = "ghp_0123456789abcdefghijklmnopqrstuvwxyzAB"
    (sensor.home / ".cursor" / "mcp.json").write_text(json.dumps({"mcpServers": {
        "issues": {"command": "npx", "args": ["-y", "@example/mcp-issues"], "env": {"GITHUB_TOKEN": secret}},
        "far": {"url": f"https://mcp.example.org/sse?key={secret}"}}}))
    sensor.start()
    found = sensor.wait(lambda: sensor.assets("mcp_server", "@example/mcp-issues"), LISTED_SECONDS, "configured server")[0]
    assert found["asset"]["attributes"]["credentials"] == "GITHUB_TOKEN"
    assert re.fullmatch(r"GITHUB_TOKEN: keyed hash [0-9a-f]{16}", found["asset"]["attributes"]["credential_hashes"])
    assert found["detections"][0]["category"] == "secret"
    assert sensor.assets("mcp_server", "https://mcp.example.org/sse")
    assert secret not in sensor.output.read_text()
    (sensor.home / ".cursor" / "mcp.json").unlink()
    sensor.wait(lambda: [e for e in sensor.assets("mcp_server", "@example/mcp-issues") if e["asset"].get("gone")],
                LISTED_SECONDS, "end of the configuration")


def test_an_open_model_file_is_listed_with_its_hash_sen_018(make_sensor: Callable[..., Sensor]) -> None:
    sensor = make_sensor()
    model = sensor.folder / "tiny.gguf"
    model.write_bytes(gguf())
    sensor.start()
    sensor.python("holder.py", HOLDER, str(model))
    wanted = hashlib.sha256(gguf()).hexdigest()
    found = sensor.wait(lambda: [e["asset"] for e in sensor.assets("model_file", "tiny.gguf")
                                 if e["asset"]["attributes"].get("sha256") == wanted], LISTED_SECONDS, "hashed model file")[0]
    assert found["attributes"]["path"] == str(model)
    assert found["attributes"]["tensors"] == "7"


def test_who_holds_a_gpu_is_listed_sen_019(make_sensor: Callable[..., Sensor]) -> None:
    sensor = make_sensor()
    sensor.start()
    sensor.python("train.py", HOLDER, str(sensor.gpu))
    found = sensor.wait(lambda: sensor.assets("gpu_user", "train.py"), LISTED_SECONDS, "GPU user")[0]
    assert found["asset"]["attributes"]["registered"] == "no"
    assert found["detections"][0]["rule_id"] == "shadow_ai.gpu_user"


def test_a_client_that_imports_an_sdk_is_listed_sen_015(make_sensor: Callable[..., Sensor]) -> None:
    sensor = make_sensor()
    sensor.start()
    sensor.python("client_of_openai.py", CLIENT)
    found = sensor.wait(lambda: sensor.assets("sdk_client", "client_of_openai.py"), LISTED_SECONDS, "SDK client")[0]["asset"]
    assert "openai" in found["attributes"]["libraries"]


def test_a_model_server_is_told_by_its_answer_sen_015(make_sensor: Callable[..., Sensor]) -> None:
    sensor = make_sensor("  ask_listeners: true\n")
    port = free_port()
    (sensor.signatures / "ours.yaml").write_text(
        "schema: aispm.signatures/v1\nports:\n"
        f"  - {{id: ours.port, provider: ollama, name: Ollama, category: local_model, weak: true, confidence: 0.3, port: {port}}}\n")
    sensor.start()
    sensor.python("poses_as_ollama.py", MODEL_SERVER, str(port))

    def both_kinds() -> list[dict[str, Any]]:
        return [e["asset"] for e in sensor.assets("model_server", "poses_as_ollama.py")
                if {"port", "http_answer"} <= {evidence["type"] for evidence in e["asset"]["evidence"]}]

    found = sensor.wait(both_kinds, LISTED_SECONDS, "model server")[0]
    assert found["name"].lower() == "ollama"
    assert str(port) in found["attributes"]["listen"]
    assert "together" in found["explanation"]


def test_a_reachable_target_is_reported_once_sen_017(make_sensor: Callable[..., Sensor]) -> None:
    with socket.socket() as rogue:
        rogue.bind(("127.0.0.1", 0))
        rogue.listen()
        port = rogue.getsockname()[1]
        sensor = make_sensor(f"  probe_targets: [\"127.0.0.1:{port}\"]\n")
        sensor.start()

        def findings() -> list[dict[str, Any]]:
            return [e for e in sensor.events() for d in e.get("detections", []) if d["rule_id"] == "exposure.reachable_target"]

        sensor.wait(findings, LISTED_SECONDS, "finding")
        assert findings()[0]["detections"][0]["evidence"] == f"127.0.0.1:{port}"


def test_new_signatures_are_in_force_without_a_restart(make_sensor: Callable[..., Sensor]) -> None:
    sensor = make_sensor()
    sensor.start()
    (sensor.signatures / "ours.yaml").write_text("schema: aispm.signatures/v1\nprocesses: [{id: nonsense}]\n")
    sensor.wait(lambda: "signatures.refused" in sensor.log.read_text() or None, LISTED_SECONDS, "refusal")
    (sensor.signatures / "ours.yaml").write_text(
        "schema: aispm.signatures/v1\nprocesses:\n"
        "  - {id: ours.bot, provider: corp, name: CorpBot, category: coding_agent, confidence: 0.9, names: [corpbot]}\n")
    sensor.wait(lambda: "signatures.loaded" in sensor.log.read_text() or None, LISTED_SECONDS, "reload")
    sensor.python("corpbot.py", HOLDER)
    sensor.wait(lambda: sensor.assets("coding_agent", "CorpBot"), LISTED_SECONDS, "agent known by a new signature")


def test_health_tells_of_host_posture_sen_028(make_sensor: Callable[..., Sensor]) -> None:
    sensor = make_sensor()
    sensor.start()
    features = next(e["component_health"]["features"] for e in sensor.events() if "component_health" in e)
    assert features["posture.aslr"] in {"full", "partial", "off"}
    assert features["posture.kernel"]
    assert {"posture.bpf_lsm", "posture.unprivileged_userns", "posture.seccomp"} <= set(features)


def last_health(sensor: Sensor) -> dict[str, Any]:
    found: dict[str, Any] = [e["component_health"] for e in sensor.events() if "component_health" in e][-1]
    return found


def test_what_a_full_ring_loses_is_counted_and_shown_in_health_sen_024(make_sensor: Callable[..., Sensor]) -> None:
    sensor = make_sensor("control_ring: 64KiB\n")
    sensor.start()
    if "ring_full.control" not in last_health(sensor).get("losses", {}):
        pytest.skip("no kernel records here: " + "; ".join(last_health(sensor).get("reasons", [])))
    sensor.daemon.send_signal(signal.SIGSTOP)  # nobody empties the ring
    try:
        for _ in range(500):
            subprocess.run(["/bin/true", *["x" * 200] * 4], check=True)
    finally:
        sensor.daemon.send_signal(signal.SIGCONT)
    sensor.wait(lambda: int(last_health(sensor)["losses"]["ring_full.control"]) > 0 or None, LISTED_SECONDS, "loss in health")


def test_without_cap_bpf_it_polls_and_says_so_sen_025(make_sensor: Callable[..., Sensor]) -> None:
    caps = "-bpf,-perfmon,-sys_admin"
    sensor = make_sensor()
    sensor.start("setpriv", "--bounding-set", caps, "--inh-caps", caps)
    health = last_health(sensor)
    assert health["state"] == "degraded"
    assert any("/proc polling" in reason for reason in health["reasons"])
    child = sensor.python("seen_by_polling.py", HOLDER)
    sensor.wait(lambda: [e for e in sensor.events() if "process_exec" in e and e["process"]["pid"] == child.pid] or None,
                LISTED_SECONDS, "process seen by polling")
