# SPDX-License-Identifier: Apache-2.0
"""The product on one host: what a newcomer sees after ./dev up --demo, with real programs, clients and system calls."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import SOURCE, Host, free_port

SEEN_SECONDS = 2.0  # the product's promise for shadow AI

OPENAI = """
import openai, sys
c = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="sk-x")
print(c.chat.completions.create(model=sys.argv[2], messages=[{"role": "user", "content": "hello"}]).choices[0].message.content)
"""
OPENAI_STREAM = """
import openai, sys
c = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="sk-x")
for part in c.chat.completions.create(model=sys.argv[2], stream=True, messages=[{"role": "user", "content": "hello"}]):
    pass
print("done")
"""
ANTHROPIC = """
import anthropic, sys
c = anthropic.Anthropic(base_url=sys.argv[1], api_key="sk-x")
print(c.messages.create(model=sys.argv[2], max_tokens=50, messages=[{"role": "user", "content": "hello"}]).content[0].text)
"""


def processes(host: Host) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = host.api("/api/v1/processes?page_size=500").get("processes", [])
    return listed


def session_of(host: Host, agent: str) -> dict[str, Any]:
    sessions = [s for s in host.api("/api/v1/sessions?page_size=200")["sessions"] if s["agent_id"].endswith(agent)]
    assert sessions, f"no session of {agent}"
    story: dict[str, Any] = host.api(f"/api/v1/sessions/{sessions[0]['session_id']}")
    return story


# --- ./dev ---------------------------------------------------------------------------------------------------------------


def test_up_prints_dashboard_and_token(host: Host) -> None:
    assert f"http://127.0.0.1:{host.env['AISPM_PORT_HTTP']}/" in host.output
    assert (host.state / "config" / "admin.token").read_text().strip() in host.output
    assert str(host.state) in host.output


def test_up_is_idempotent(host: Host) -> None:
    before = {path.name: path.read_text() for path in (host.state / "run").glob("*.pid")}
    done = host.dev("up", "--yes", "--demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name: path.read_text() for path in (host.state / "run").glob("*.pid")} == before


def test_up_names_the_process_that_has_the_port(host: Host, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        env = {**host.env, "AISPM_STATE": str(tmp_path / "state"), "AISPM_PORT_HTTP": str(taken.getsockname()[1]),
               "AISPM_PORT_GRPC": str(free_port()), "AISPM_PORT_GATEWAY": str(free_port())}
        done = Host(env, tmp_path / "state").dev("up", "--yes")
    assert done.returncode != 0
    assert f"(pid {os.getpid()})" in done.stderr
    assert "AISPM_PORT_HTTP" in done.stderr


def test_up_without_root_says_what_to_do(host: Host) -> None:
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-B", "-c",
                           f"import sys; sys.path.insert(0, {str(SOURCE / 'packaging/dev')!r}); import up; up._check_host()"],
                          capture_output=True, text=True, check=False, env=host.env)
    if "Permission denied" in done.stderr or "No module named" in done.stderr:
        pytest.skip("the clone lies in a folder that ordinary users cannot read")
    assert "not root" in done.stderr


@pytest.mark.parametrize("command", ["up", "down", "status", "logs", "build", "bench", "lint", "doctor", "clean", "test"])
def test_every_command_has_help(host: Host, command: str) -> None:
    done = host.dev(command, "--help")
    assert done.returncode == 0
    assert len(done.stdout) > 80


def test_status_and_logs(host: Host) -> None:
    done = host.dev("status")
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(part in done.stdout for part in ("collector", "gateway", "sensord"))
    assert "program=" in host.dev("logs", "gateway").stdout
    assert "there are" in host.dev("logs", "nonsense").stderr


# --- shadow AI -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "program", "provider"), [
    ("openai", OPENAI, "openai"), ("openai-stream", OPENAI_STREAM, "openai"), ("anthropic", ANTHROPIC, "anthropic")])
def test_an_unmodified_client_shows_up_as_unsanctioned_sen_014(host: Host, tmp_path: Path, name: str, program: str,
                                                      provider: str) -> None:
    script = tmp_path / f"agent-{name}.py"
    script.write_text(program)
    model = f"gpt-4o-{os.getpid()}-{name}"
    child = subprocess.Popen([sys.executable, str(script), host.provider, model], env={**host.env, "SSL_CERT_FILE": host.ca},
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = child.communicate(timeout=60)
    ended = time.monotonic()
    assert child.returncode == 0, err
    assert out.strip()
    found = host.wait_for(lambda: [p for p in processes(host) if model in p.get("models", [])], SEEN_SECONDS,
                          f"process with model {model}")[0]
    assert time.monotonic() - ended < SEEN_SECONDS + 1
    assert found["process"]["pid"] == child.pid
    assert found["verdict"] == "unsanctioned"
    assert found["process"]["user"] == "root"
    assert any(provider in p for p in found["providers"]), found
    assert str(script) in found["process"]["argv"]
    assert found["hostname"] == socket.gethostname()
    calls = host.wait_for(
        lambda: [e["llm_call"] for e in host.api("/api/v1/events?kind=llm_call&source=sensor&page_size=500")["events"]
                 if e["llm_call"]["request_model"] == model], SEEN_SECONDS, "its LLM call")
    assert re.fullmatch(r"[0-9a-f]{64}", calls[0]["prompt_sha256"])


def test_curl_as_api_openai_com_is_provider_openai(host: Host) -> None:
    model = f"gpt-4o-curl-{os.getpid()}"
    port = host.env["AISPM_PORT_PROVIDER"]
    subprocess.run(["curl", "-sS", "--cacert", host.ca, "--resolve", f"api.openai.com:{port}:127.0.0.1", "-H",
                    "Content-Type: application/json", "-d",
                    json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]}),
                    f"https://api.openai.com:{port}/v1/chat/completions"], check=True, capture_output=True, timeout=20)
    found = host.wait_for(lambda: [p for p in processes(host) if model in p.get("models", [])], SEEN_SECONDS, "curl")[0]
    assert "openai" in found["providers"]
    assert found["process"]["comm"] == "curl"
    calls = host.wait_for(
        lambda: [e for e in host.api("/api/v1/events?kind=llm_call&source=sensor&page_size=500")["events"]
                 if e["llm_call"]["request_model"] == model], SEEN_SECONDS, "its LLM call")
    call = calls[0]["llm_call"]
    assert int(call["input_tokens"]) > 0
    assert int(call["output_tokens"]) > 0
    assert re.fullmatch(r"[0-9a-f]{64}", call["prompt_sha256"])
    assert call.get("prompt_text", "") == ""  # not stored unless policy says so
    assert call["status"] == 200


def test_the_gateway_itself_is_sanctioned(host: Host) -> None:
    assert not [p for p in processes(host) if p["process"]["comm"].startswith("aispm-gate") and p["verdict"] != "sanctioned"]


# --- the sandboxed agent's story ------------------------------------------------------------------------------------------


def test_demonstrators_behave(host: Host) -> None:
    assert "Paris" in host.output or "reply:" in host.output
    assert "[REDACTED" in host.output
    assert "refused (400)" in host.output
    assert "direct connection: [Errno 111]" in host.output
    assert "child: Linux" in host.output


def test_a_sandboxed_run_reads_as_one_story(host: Host) -> None:
    def complete() -> dict[str, Any] | None:
        story = session_of(host, "demo-agent")
        kinds = {kind for event in story["events"] for kind in event}
        return story if {"sandbox_start", "sandbox_exit", "llm_call", "sandbox_denial", "process_exec"} <= kinds else None

    story = host.wait_for(complete, 5, "a session with all its parts")
    events = story["events"]
    outcomes = [e["decision"]["outcome"] for e in events if "llm_call" in e and e.get("source") == "SOURCE_GATEWAY"]
    assert outcomes == ["OUTCOME_ALLOW", "OUTCOME_REDACT", "OUTCOME_DENY"]
    redacted = next(e for e in events if e.get("decision", {}).get("outcome") == "OUTCOME_REDACT")
    assert redacted["detections"][0]["category"] == "secret"
    assert "Z7QJ3XNVB5KD2M4T" not in json.dumps(story)
    denied = [e["sandbox_denial"]["target"] for e in events if "sandbox_denial" in e]
    assert "93.184.216.34:443" in denied
    assert any("uname" in e["process"]["exe"] for e in events if "process_exec" in e)
    times = [e["time"] for e in events]
    assert times == sorted(times)
    assert not story["session"]["running"]
    assert story["session"]["exit_code"] == 0


def test_what_left_the_host_was_redacted(host: Host) -> None:
    """The stand-in echoes nothing; its log of requests would hold the key if the gateway had let it through."""
    assert "Z7QJ3XNVB5KD2M4T" not in (host.state / "log" / "provider.log").read_text(errors="replace")


# --- command line ---------------------------------------------------------------------------------------------------------


def test_cli_status_and_inventory(host: Host) -> None:
    status = json.loads(host.cli("status", "--json").stdout)
    assert {part["component"] for part in status["components"]} >= {"sensord", "gateway"}
    assert all(part.get("connected") for part in status["components"])
    table = host.cli("inventory", "processes")
    assert table.returncode == 0
    assert "unsanctioned" in table.stdout


def test_cli_shows_the_session(host: Host) -> None:
    story = session_of(host, "demo-agent")
    shown = host.cli("session", "show", story["session"]["session_id"])
    assert shown.returncode == 0, shown.stderr
    for word in ("93.184.216.34:443", "uname", "deny", "redact"):
        assert word in shown.stdout.lower(), word


def test_cli_without_a_token_is_refused(host: Host) -> None:
    done = subprocess.run([Path(os.environ["AISPM_BIN_DIR"]) / "aispm", "status"], capture_output=True, text=True, check=False,
                          env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AISPM_TOKEN": "aispm-token-of-nobody",
                               "AISPM_COLLECTOR": f"127.0.0.1:{host.env['AISPM_PORT_GRPC']}",
                               "AISPM_CA_FILE": str(host.state / "collector" / "pki" / "ca.crt")})
    assert done.returncode == 1
    assert "token" in (done.stderr + done.stdout).lower()


# --- when something dies --------------------------------------------------------------------------------------------------


def test_health_says_that_nothing_was_lost(host: Host) -> None:
    for part in host.api("/api/v1/status")["components"]:
        assert part.get("lost_events", 0) in (0, "0"), part
        losses = part.get("health", {}).get("losses", {})
        assert not {k: v for k, v in losses.items() if int(v) and "ring" in k}, part["component"]


def test_a_killed_collector_comes_back_with_everything(host: Host) -> None:
    pid = int((host.state / "run" / "collector.pid").read_text().split()[0])
    os.kill(pid, 9)
    model = f"gpt-4o-outage-{os.getpid()}"
    port = host.env["AISPM_PORT_PROVIDER"]
    subprocess.run(["curl", "-sS", "--cacert", host.ca, "-H", "Content-Type: application/json", "-d",
                    json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]}),
                    f"https://localhost:{port}/v1/chat/completions"], check=True, capture_output=True, timeout=20)
    time.sleep(0.5)  # the event is made while nobody listens
    done = host.dev("up", "--yes", "--demo")
    assert done.returncode == 0, done.stdout + done.stderr
    host.wait_for(lambda: [p for p in processes(host) if model in p.get("models", [])], 15, "the call made during the outage")
