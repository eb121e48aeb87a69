# SPDX-License-Identifier: Apache-2.0
"""SBX-033: `aispm-run -- claude`, codex and opencode, as published and without options, work in a project behind a real gateway."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_provider import CONTENT, DONE, Provider
from conftest import BUILD, ORDINARY_UID, Sandbox

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/system/runtimes"))
import fixtures  # noqa: E402

PROMPT = "write the file and say pong"
PROVIDER_KEY = "sk-of-the-provider"
# What each is started with, as a user would to have it work without questions.
AGENTS = {
    "claude": ("-p", PROMPT, "--permission-mode", "acceptEdits"),
    "codex": ("exec", "-m", "gpt-5", PROMPT),
    "opencode": ("run", "-m", "anthropic/claude-sonnet-4-5", PROMPT),
}


class Gateway:
    """A real aispm-gateway: it alone holds the providers' key."""

    def __init__(self, folder: Path, provider: Provider) -> None:
        self.folder = folder
        self.socket = folder / "gateway.sock"
        (folder / "keys.yaml").write_text("keys: []\n")
        (folder / "policy.yaml").write_text("defaults: {mode: monitor, store_text: false, fail: closed}\nrules: []\n")
        (folder / "key").write_text(PROVIDER_KEY + "\n")
        (folder / "key").chmod(0o600)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = port = int(probe.getsockname()[1])
        text = (f"listen: 127.0.0.1:{port}\nsocket: {self.socket}\nworkers: 1\npolicy: {folder}/policy.yaml\n"
                f"packs: {ROOT}/policies/detect\nkeys_file: {folder}/keys.yaml\naudit: best_effort\nproviders:\n")
        for name in ("openai", "anthropic"):
            text += (f"  - {{name: {name}, dialect: {name}, origin: 'https://localhost:{provider.port}', ca_file: {provider.certificate}, "
                     f"key_file: {folder}/key, allow_private: true}}\n")
        (folder / "gateway.yaml").write_text(text)
        self.log = (folder / "gateway.log").open("wb")
        self.process = subprocess.Popen([BUILD / "bin/aispm-gateway", "--config", folder / "gateway.yaml"], stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60
        while not self.socket.exists():
            assert self.process.poll() is None and time.monotonic() < deadline, (folder / "gateway.log").read_text()
            time.sleep(0.05)

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.log.close()


class StandIn:
    """The gateway's side of the socket for routes that aispm-gateway does not serve: says hello, takes events, passes calls on."""

    def __init__(self, folder: Path, provider: Provider) -> None:
        self.socket = folder / "stand-in.sock"
        self.provider = provider
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(self.socket))
        self.socket.chmod(0o777)
        self.server.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                peer, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer: socket.socket) -> None:
        with peer, peer.makefile("rb") as stream:
            head = stream.read(16)
            stream.read(struct.unpack(">H", head[14:])[0])
            while line := stream.readline().decode():
                headers = dict(field.decode().lower().strip().split(": ", 1) for field in iter(stream.readline, b"\r\n"))
                body = stream.read(int(headers.get("content-length", "0")))
                method, path = line.split()[:2]
                kind, reply = "application/json", b'{"agent_id": "tester/codex", "dialects": "openai anthropic"}'
                if path == "/aispm/v1/events":
                    reply = json.dumps({"accepted": len(json.loads(body)["events"])}).encode()
                elif method == "POST":
                    call = http.client.HTTPSConnection("localhost", self.provider.port, context=ssl.create_default_context(cafile=self.provider.certificate))
                    call.request(method, path, body, {"Content-Type": "application/json", "Authorization": f"Bearer {PROVIDER_KEY}"})
                    answer = call.getresponse()
                    kind, reply = answer.headers["content-type"], answer.read()
                peer.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(reply)}\r\n\r\n".encode() + reply)

    def close(self) -> None:
        self.server.close()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path("/var/tmp") / f"aispm-agents-{os.getpid()}"
    made.mkdir()
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def provider(folder: Path) -> Iterator[Provider]:
    made = Provider(folder)
    yield made
    made.close()


@pytest.fixture(scope="module")
def gateway(folder: Path, provider: Provider) -> Iterator[Gateway]:
    if not (BUILD / "bin/aispm-gateway").exists():
        pytest.skip("aispm-gateway is not built")
    made = Gateway(folder, provider)
    yield made
    made.close()


@pytest.fixture(scope="module")
def stand_in(folder: Path, provider: Provider) -> Iterator[StandIn]:
    made = StandIn(folder, provider)
    yield made
    made.close()


def serves(gateway: Gateway, path: str) -> bool:
    call = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    call.request("POST", path, b"{}", {"Content-Type": "application/json"})
    return call.getresponse().status != 404


@pytest.fixture(params=AGENTS)
def agent(request: pytest.FixtureRequest) -> tuple[str, Path]:
    try:
        return request.param, fixtures.get(request.param)
    except fixtures.Unavailable as reason:
        pytest.skip(f"{request.param}: {reason}")


@pytest.fixture
def project(sandbox: Sandbox) -> Path:
    folder = sandbox.folder / "project"
    folder.mkdir()
    subprocess.run(["git", "init", "-q", folder], check=True)
    (folder / "README").write_text("a project\n")
    if sandbox.prefix:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, ORDINARY_UID, ORDINARY_UID)
    return folder


def test_it_edits_the_project_through_the_gateway(agent: tuple[str, Path], sandbox: Sandbox, project: Path, provider: Provider, gateway: Gateway,
                                               stand_in: StandIn) -> None:
    name, program = agent
    # Codex speaks the Responses API alone. Where the gateway does not serve it yet, the rest is tried with a stand-in.
    between = stand_in if name == "codex" and not serves(gateway, "/v1/responses") else gateway
    print(f"{name}: through {type(between).__name__}")
    provider.seen.clear()
    provider.target = str(project / "made.txt")
    before = {path.name for path in project.iterdir()}
    # Real keys of the caller, which must not reach the agent or the provider.
    environment = sandbox.environment({"PATH": f"{program.parent}:/usr/bin:/bin", "ANTHROPIC_API_KEY": "sk-ant-callers", "OPENAI_API_KEY": "sk-callers"})
    ended = subprocess.run(sandbox.command("--gateway", between.socket, "--events", sandbox.folder / "events.jsonl", "--", name, *AGENTS[name]), env=environment,
                           cwd=project, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180)
    told = f"{ended.returncode}\n{ended.stdout[-2000:]}\n{ended.stderr[-3000:]}\n{sandbox.denials()}"
    assert ended.returncode == 0, told
    assert DONE in ended.stdout, told
    made = project / "made.txt"
    assert made.exists(), f"{told}\noffered: {[[tool.get('name', tool.get('type')) for tool in call.get('tools') or []] for _, _, call in provider.seen]}"
    assert made.read_text() == CONTENT
    assert made.stat().st_uid == project.stat().st_uid
    calls = [(path, headers) for path, headers, request in provider.seen if request.get("tools")]
    assert len(calls) >= 2, "the model's answers did not come through the gateway"
    for _, headers in calls:
        assert PROVIDER_KEY in headers.get("authorization", "") + headers.get("x-api-key", "")
        assert "callers" not in str(headers)
        assert "aispm-sandbox" not in str(headers)
    assert {path.name for path in project.iterdir()} == before | {"made.txt"}, "something was left in the project"
    start = sandbox.events()[0]["sandbox_start"]
    assert start["profile"] == "coding-agent"
    assert not (sandbox.folder / ".claude.json").exists()
    assert not (sandbox.folder / ".codex").exists()
