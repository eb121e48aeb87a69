# SPDX-License-Identifier: Apache-2.0
"""A real collector, a real gateway that follows it, and a stand-in provider; skips, with the reason, where they are not built."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "delivery"))
sys.path.insert(0, str(Path(__file__).parents[2] / "support"))
from programs import free_port, wait_for, wait_for_port  # noqa: E402
from real_collector import Collector, binary  # noqa: E402

ROOT = Path(os.environ.get("AISPM_SOURCE_DIR", Path(__file__).resolve().parents[3]))
PROVIDER = ROOT / "sdk" / "examples" / "demo" / "provider.py"
RULES = "defaults: {mode: enforce, store_text: false, fail: closed}\nrules: []\n"
AGENT = "tests/frozen"


@dataclass
class Answer:
    status: int
    body: Any


@dataclass
class Gateway:
    folder: Path
    collector: Collector
    provider: int
    certificate: Path
    extra: str = ""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "gw.sock"

    def start(self) -> None:
        (self.folder / "rules.yaml").write_text(RULES)
        (self.folder / "provider.key").write_text("sk-of-the-provider\n")
        (self.folder / "packs").mkdir(exist_ok=True)
        (self.folder / "packs" / "secrets.yaml").write_text((ROOT / "policies" / "detect" / "secrets.yaml").read_text())
        token = self.folder / "token"
        if not token.exists():
            token.write_text(self.collector.enrolment_token() + "\n")
            token.chmod(0o600)
        config = self.folder / "gateway.yaml"
        config.write_text(
            f"listen: 127.0.0.1:{self.port}\nsocket: {self.socket}\nworkers: 2\npolicy: {self.folder}/rules.yaml\n"
            f"packs: {self.folder}/packs\ncache_folder: {self.folder}/cache\naudit: best_effort\n{self.extra}"
            f"report:\n  collector: {self.collector.grpc}\n  state_folder: {self.folder}/state\n"
            f"  enrolment_token_file: {token}\n"
            f"providers:\n  - {{name: openai, dialect: openai, origin: 'https://localhost:{self.provider}',\n"
            f"     ca_file: {self.certificate}, key_file: {self.folder}/provider.key, allow_private: true}}\n")
        log = self.folder / "gateway.log"
        with log.open("ab") as out:
            self.process = subprocess.Popen([str(binary("aispm-gateway")), "--config", str(config)], stdout=out, stderr=out)
        wait_for_port(self.port, self.process, log)

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)
        self.process = None

    def request(self, key: str, text: str, stream: bool = False) -> urllib.request.Request:
        body = {"model": "gpt-x", "stream": stream, "messages": [{"role": "user", "content": text}]}
        return urllib.request.Request(f"http://127.0.0.1:{self.port}/v1/chat/completions", data=json.dumps(body).encode(),
                                      headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"})

    def ask(self, key: str, text: str = "hello") -> Answer:
        try:
            with urllib.request.urlopen(self.request(key, text), timeout=30) as reply:
                return Answer(reply.status, json.load(reply))
        except urllib.error.HTTPError as error:
            return Answer(error.code, json.loads(error.read()))


@dataclass
class World:
    collector: Collector
    gateway: Gateway
    key: str

    @property
    def http_port(self) -> int:
        return int([line for line in self.collector.config.read_text().splitlines() if "port:" in line][0].split(":")[1])

    def rest(self, method: str, path: str, body: Any = None, token: str | None = None) -> Answer:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}{path}", method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token or self.collector.bootstrap['admin_token']}"})
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:
                return Answer(reply.status, json.load(reply))
        except urllib.error.HTTPError as error:
            return Answer(error.code, json.loads(error.read()))

    def push(self, policy: str, **files: str) -> Answer:
        """Files by name, `__` for a dot."""
        made = [{"path": name.replace("__", "."), "content": base64.b64encode(text.encode()).decode()}
                for name, text in files.items()]
        return self.rest("POST", f"/api/v1/policies/{policy}/versions", {"files": made})

    def promote(self, policy: str, stage: str, **more: Any) -> Answer:
        return self.rest("POST", f"/api/v1/policies/{policy}/stage",
                         {"stage": f"POLICY_STAGE_{stage}", "reason": "a test says so", **more})

    def states(self, policy: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.rest("GET", f"/api/v1/policies/{policy}").body["states"]
        return found

    def freeze(self, scope: str, value: str = "", **more: Any) -> dict[str, Any]:
        made = self.rest("POST", "/api/v1/freezes", {"freeze": {"scope": f"FREEZE_SCOPE_{scope}", "value": value,
                                                                "reason": "a test says so", **more}})
        assert made.status == 200, made.body
        body: dict[str, Any] = made.body
        return body

    def lift(self, freeze: dict[str, Any]) -> None:
        assert self.rest("POST", f"/api/v1/freezes/{freeze['id']}/lift", {"reason": "over"}).status == 200

    def freeze_states(self, freeze: dict[str, Any]) -> list[dict[str, Any]]:
        for one in self.rest("GET", "/api/v1/freezes?with_past=true").body["freezes"]:
            if one["id"] == freeze["id"]:
                states: list[dict[str, Any]] = one["states"]
                return states
        return []


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    folder = tmp_path_factory.mktemp("provider")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key", "-out",
                    folder / "crt"], check=True, capture_output=True)
    port = free_port()
    with (folder / "log").open("wb") as out:
        process = subprocess.Popen([sys.executable, str(PROVIDER), "--port", str(port), "--cert", str(folder / "crt"), "--key",
                                    str(folder / "key")], stdout=out, stderr=out)
    wait_for_port(port, process, folder / "log")
    yield port, folder / "crt"
    process.terminate()
    process.wait(timeout=10)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, provider: tuple[int, Path]) -> Iterator[World]:
    for program in ("aispm-collector", "aispm-gateway", "aispm"):
        if not binary(program).exists():
            pytest.skip(f"{binary(program)} is not built")
    folder = tmp_path_factory.mktemp("c")
    collector = Collector(folder)
    collector.start()
    (folder / "gw").mkdir()
    nobody = "mcp: {servers: [{name: nobody, origin: 'http://127.0.0.1:1', allow_private: true, agents: ['*'], tools: ['*']}]}\n"
    gateway = Gateway(folder / "gw", collector, *provider, extra=nobody)
    gateway.start()
    key = str(collector.cli("agent", "create-key", AGENT)["key"])
    made = World(collector, gateway, key)
    wait_for(lambda: gateway.ask(key).status == 200, 60, "the gateway knows the agent's key")
    yield made
    gateway.stop()
    collector.stop()
