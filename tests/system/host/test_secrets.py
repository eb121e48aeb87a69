# SPDX-License-Identifier: Apache-2.0
"""Secrets never appear in logs, events or the store: planted wherever texts go, then searched for in all that the running system keeps
and says, in every form that a program might write them down. DET-032."""

from __future__ import annotations

import base64
import http.client
import json
import os
import pwd
import random
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from conftest import BIN, SOURCE, Host
from planted import KINDS, Ledger, forms

MARKER = f"leak-marker-{os.getpid()}"
CONTACT = f"someone.{os.getpid()}@posteo-mail.net"
SETTLE_SECONDS = 30
# What only these hold, by their purpose: keys of the system itself, of the demo's provider, and pid files.
KEYS = ("config", "demo", "run")


def ask(host: Host, key: str, body: dict[str, Any] | bytes, path: str = "/v1/chat/completions", **headers: str) -> int:
    """A request to the gateway; gives the status."""
    connection = http.client.HTTPConnection("127.0.0.1", int(host.env["AISPM_PORT_GATEWAY"]), timeout=20)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("POST", path, content, {"content-type": "application/json", "authorization": f"Bearer {key}"}
                       | {name.replace("_", "-"): value for name, value in headers.items()})
    reply = connection.getresponse()
    reply.read()
    connection.close()
    return reply.status


def new_key(host: Host, name: str) -> str:
    """An agent's key that the gateway has heard of: it follows the collector's keys, a moment behind."""
    key: str = json.loads(host.cli("agent", "create-key", name, "--json").stdout)["key"]
    host.wait_for(lambda: ask(host, key, b"{}") == 400, SETTLE_SECONDS, "the gateway knows the agent's key")
    return key


def prompt(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **more}


def through_the_gateway(host: Host, key: str, ledger: Ledger) -> None:
    """Every kind as prompt, and every place of a request with some kind."""
    for kind in KINDS:
        assert ask(host, key, prompt(f"{MARKER} use {ledger.plant('a prompt', kind)} here")) in (200, 400)
        hidden = base64.b64encode(f"the value is {ledger.plant('a disguised prompt', kind)} as agreed".encode()).decode()
        assert ask(host, key, prompt(f"{MARKER} decode {hidden}")) in (200, 400)
        call = {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": {
            "name": "deploy", "arguments": json.dumps({"with": ledger.plant("tool arguments", kind)})}}]}
        result = {"role": "tool", "tool_call_id": "c", "content": f"done: {ledger.plant('a tool result', kind)}"}
        assert ask(host, key, {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": MARKER}, call, result]}) in (200, 400)
        system = {"role": "system", "content": f"You may use {ledger.plant('a system prompt', kind)}."}
        assert ask(host, key, {"model": "gpt-4o-mini", "messages": [system, {"role": "user", "content": MARKER}]}) in (200, 400)
    bare = ("github", "aws", "slack", "stripe")
    for kind in bare:
        ask(host, key, prompt(MARKER) | {"model": ledger.plant("a model's name", kind)})
        ask(host, key, prompt(MARKER, user=ledger.plant("the user field", kind), metadata={"k": ledger.plant("metadata", kind)}))
        ask(host, key, prompt(MARKER, tools=[{"type": "function", "function": {"name": ledger.plant("a tool's name", kind), "description": "x"}}]))
        ask(host, key, prompt(MARKER), x_aispm_session=ledger.plant("the session header", kind), user_agent=ledger.plant("the user agent", kind),
            traceparent=ledger.plant("the trace header", kind), x_request_id=ledger.plant("a header", kind))
        ask(host, key, prompt(MARKER), path="/v1/chat/completions?key=" + ledger.plant("a query", kind))
        ask(host, key, prompt(MARKER), path="/v1/models/" + ledger.plant("a path", kind))
        ask(host, key, b'{"model": "' + ledger.plant("broken JSON", kind).encode())
        ask(host, key, b'{"model": "gpt-4o-mini", "messages": [{"role": "' + ledger.plant("a role", kind).encode() + b'", "content": "x"}]}')
        ask(host, ledger.plant("a key that nobody has", kind), prompt(MARKER))
        ask(host, key, json.dumps({"events": [{"agent_log": {"level": "info", "message": "said " + ledger.plant("a log line", kind),
                                                             "fields": {"k": ledger.plant("a log field", kind)}}}]}).encode(), path="/aispm/v1/agent-events")
        ask(host, key, json.dumps({"events": [{"agent_ready": {"name": ledger.plant("an agent's name", kind), "version": "1"}}]}).encode(),
            path="/aispm/v1/agent-events")
        with socket.create_connection(("127.0.0.1", int(host.env["AISPM_PORT_GATEWAY"])), timeout=10) as raw:
            raw.sendall(ledger.plant("what is no HTTP", kind).encode() + b"\r\n\r\n")
            raw.recv(4096)


def replies_with_secrets(host: Host, key: str, ledger: Ledger) -> None:
    """The stand-in's own keys: in an answer, cut into single letters of a stream, in a tool call, a private key."""
    ledger.add("a reply", "AKIA" + "Z7QJ3XNVB5KD2M4T")
    tools = [{"type": "function", "function": {"name": "deploy", "description": "x", "parameters": {"type": "object", "properties": {}}}}]
    for stream in (False, True):
        for text in ("emit secret split=1", "emit private key", "emit secret, call tool split=3"):
            assert ask(host, key, prompt(f"{MARKER} {text}", stream=stream, **({"tools": tools} if "call tool" in text else {}))) in (200, 400)


def past_the_gateway(host: Host, ledger: Ledger, folder: Path) -> None:
    """Shadow clients, seen by the sensor: in the body, in arguments, in a header, in the environment."""
    for kind in KINDS:
        body = folder / f"body-{kind}.json"
        body.write_text(json.dumps(prompt(f"{MARKER} direct {ledger.plant('a direct prompt', kind)}", stream=kind in ("aws", "jwt"))))
        header = folder / f"header-{kind}"
        header.write_text(f"authorization: Bearer {ledger.plant('a header of a direct call', kind)}\ncontent-type: application/json\n")
        argument = ledger.plant("the arguments of a process", kind)
        subprocess.run(["curl", "-sS", "--cacert", host.ca, "-H", f"@{header}", "-H", f"x-key: {argument}", "-d", f"@{body}",
                        f"{host.provider}/v1/chat/completions"], check=True, capture_output=True, timeout=30,
                       env={"PATH": "/usr/bin:/bin", "API_TOKEN": ledger.plant("the environment of a process", kind)})


def in_a_sandbox(host: Host, ledger: Ledger, folder: Path) -> None:
    places = ("prompt", "tool", "model", "stdout", "stderr", "log", "log field", "log name", "name", "label", "path", "file", "argv", "environment")
    kinds = {"name": "slack", "label": "aws"}  # that survive the folding of names
    said = {f"sandbox {place}": ledger.plant(f"sandbox {place}", kinds.get(place) or random.Random(place).choice(("aws", "github", "slack")))
            for place in places}
    agent = folder / "leaky.py"
    agent.write_text(f"SECRETS = {json.dumps(said)!r}\n" + (Path(__file__).parent / "leaky_agent.py").read_text())
    nobody = pwd.getpwnam("nobody")
    done = subprocess.run(["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", BIN / "aispm-run", "--gateway",
                           host.state / "run" / "gateway.sock", "--agent", MARKER, "--python", SOURCE / "build" / "venv" / "bin" / "python", agent],
                          capture_output=True, text=True, check=False, timeout=90, env={**host.env, "HOME": "/tmp"}, cwd="/")
    assert done.returncode == 0, done.stderr
    assert "printed" in done.stdout


def settle(host: Host) -> None:
    """Until what was sent has arrived: the last call by the marker, and nothing waits in a spool."""
    def arrived() -> bool:
        events = host.api("/api/v1/events?kind=sandbox_exit&page_size=50")["events"]
        return any(event.get("agent_id", "").endswith(MARKER) for event in events)

    host.wait_for(arrived, SETTLE_SECONDS, "the end of the sandbox's run")
    time.sleep(3)  # health and derived views follow within seconds


@pytest.fixture(scope="module")
def ledger(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """All secrets, planted."""
    folder = Path("/tmp") / f"aispm-leak-{os.getpid()}"  # an ordinary user reads its agent there
    folder.mkdir(mode=0o755)
    made = Ledger()
    key = new_key(host, MARKER)
    try:
        through_the_gateway(host, key, made)
        replies_with_secrets(host, key, made)
        past_the_gateway(host, made, folder)
        in_a_sandbox(host, made, folder)
        assert ask(host, key, prompt(f"{MARKER} write to {CONTACT}")) == 200
        settle(host)
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=False)
    made.add("the key of an agent", key)
    return made


def paths_of_the_api(host: Host) -> list[str]:
    """Every GET of the API, those with an id for the objects that there are."""
    lists = [path for path, methods in host.api("/openapi.json")["paths"].items()
             if "get" in methods and "{" not in path and not path.endswith(":stream")]
    events = host.api("/api/v1/events?page_size=500")["events"]
    ids = [("events", event["id"]) for event in events[:60]]
    ids += [("sessions", one["session_id"]) for one in host.api("/api/v1/sessions?page_size=100")["sessions"]]
    ids += [("assets", one["id"]) for one in host.api("/api/v1/assets?page_size=200").get("assets", [])]
    return [path + "?page_size=500" for path in lists] + [f"/api/v1/{kind}/{one}" for kind, one in ids]


def fetch(host: Host, path: str) -> bytes:
    token = (host.state / "config" / "admin.token").read_text().strip()
    request = urllib.request.Request(f"http://127.0.0.1:{host.env['AISPM_PORT_HTTP']}{path}", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            content: bytes = reply.read()
            return content
    except urllib.error.HTTPError as refused:  # one that wants parameters says so
        return refused.read()


def test_they_were_found_and_told_without_themselves_det_032(host: Host, ledger: Ledger) -> None:
    """Not vacuous: each way in has detections of secrets, with rule and class."""
    events = host.api("/api/v1/detections?page_size=500")["events"]
    seen = {(event.get("source"), detection["category"]) for event in events for detection in event["detections"]}
    assert ("SOURCE_GATEWAY", "secret") in seen
    assert ("SOURCE_SENSOR", "secret") in seen
    assert len(ledger.planted) > 150


def test_nothing_that_is_kept_holds_a_secret_det_032(host: Host, ledger: Ledger) -> None:
    """Logs, spools, database with its journal, caches, names of files."""
    found = ledger.search_files([host.state], [host.state / name for name in KEYS])
    assert not found, "\n".join(sorted(set(found)))


def test_the_database_and_the_logs_were_really_read(host: Host, ledger: Ledger) -> None:
    """The same search finds what may be there: the marker in the store, a line in each log, and a secret that is put there."""
    files = {str(path.relative_to(host.state)): path.read_bytes() for path in host.state.rglob("*") if path.is_file()}
    assert any(MARKER.encode() in content for name, content in files.items() if name.startswith("collector/"))
    for part in ("collector", "gateway", "sensord"):
        assert f"program=aispm-{part}".encode() in files[f"log/{part}.log"] or b"level=" in files[f"log/{part}.log"]
    canary = host.state / "log" / "canary"
    for form, pattern in forms(ledger.planted[0].core).items():
        canary.write_bytes(b"x" + pattern + b"y")
        assert any(f"as {form}" in line for line in ledger.search_files([host.state / "log"], [])), form
    canary.unlink()


def test_nothing_the_api_answers_holds_a_secret_det_032(host: Host, ledger: Ledger) -> None:
    paths = paths_of_the_api(host)
    assert len(paths) > 60
    found = [line for path in paths for line in ledger.search(path.split("?")[0], fetch(host, path))]
    assert not found, "\n".join(sorted(set(found)))


def test_nothing_the_command_line_says_holds_a_secret_det_032(host: Host, ledger: Ledger) -> None:
    commands = ["status", "inventory", "events --limit 0", "events --json --limit 0", "assets --json", "assets", "topology", "topology --json", "coverage",
                "names", "baseline", "mcp", "session list", "session show last", "session show last --json", "agent list-keys", "orders", "orders --json"]
    said = {command: host.cli(*command.split()) for command in commands}
    assert sum(done.returncode == 0 for done in said.values()) >= len(commands) - 2, {name: done.stderr for name, done in said.items() if done.returncode}
    assert MARKER in said["events --json --limit 0"].stdout
    found = [line for name, done in said.items() for line in ledger.search(f"aispm {name}", (done.stdout + done.stderr).encode())]
    found += ledger.search("./dev logs", host.dev("logs").stdout.encode()) if not found else []
    assert not found, "\n".join(sorted(set(found)))


def provider_saw(host: Host) -> str:
    import ssl
    context = ssl.create_default_context(cafile=host.ca)
    with urllib.request.urlopen(f"{host.provider}/_seen", context=context, timeout=10) as reply:
        content: bytes = reply.read()
        return content.decode()


def test_the_provider_sees_what_policy_lets_pass_and_no_secret_det_032(host: Host, ledger: Ledger) -> None:
    """Control: a contact address goes through as it is, and a secret in a prompt arrives as its placeholder."""
    key = new_key(host, MARKER + "-2")
    mine = Ledger()
    assert ask(host, key, prompt(f"{MARKER} write to {CONTACT} with {mine.plant('a last prompt', 'github')}")) == 200
    saw = provider_saw(host)
    assert CONTACT in saw
    assert "[REDACTED" in saw or "_1>" in saw
    assert not list(mine.search("what the provider saw", saw.encode()))
