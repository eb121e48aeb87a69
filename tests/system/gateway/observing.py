# SPDX-License-Identifier: Apache-2.0
"""A gateway whose operators' port, scan API and export are looked at, and a receiver of OTLP that decodes with OpenTelemetry's own messages."""

from __future__ import annotations

import hashlib
import http.client
import http.server
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from conftest import KEY, Certificate, Gateway, Provider, free_port
from otlp_receiver import Collector, receiving
from detecting import start

TENANT_KEY = "aispm-test-" + "t" * 32
TOKEN = "of-the-operator-" + "0" * 32
PAGE = "https://console.example.com"
POLICY = """
defaults: {mode: enforce, store_text: false, fail: closed}
rules:
  - {id: secrets, match: {category: secret, direction: reply}, outcome: redact, reason: secrets are cut out}
  - {id: injection, match: {category: prompt_injection, direction: request, severity: high}, outcome: deny, reason: takes over the model}
"""
STRICT = """
defaults: {mode: enforce, store_text: false, fail: closed}
rules:
  - {id: everything, match: {severity: low}, outcome: deny, reason: nothing passes}
"""
INJECTION = """
pack: attacks
category: prompt_injection
rules:
  - {id: injection.override, severity: critical, confidence: 0.9, caseless: true, patterns: ['ignore all previous instructions'],
     message: m, hits: [ignore all previous instructions], misses: [m]}
"""


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with receiving() as made:
        yield made


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> dict:
        return json.loads(self.text)


def call(port: int, method: str, path: str, body: object = None, key: str = KEY, headers: dict[str, str] | None = None) -> Answer:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    all_headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {}) | (headers or {})
    link.request(method, path, body=None if body is None else body if isinstance(body, str) else json.dumps(body), headers=all_headers)
    reply = link.getresponse()
    answer = Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read().decode())
    link.close()
    return answer


def until(claim: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 30
    while not claim():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@dataclass
class Observed:
    gateway: Gateway
    admin_port: int

    def ask(self, method: str, path: str, body: object = None, **more: object) -> Answer:
        return call(self.gateway.port, method, path, body, **more)

    def admin(self, method: str, path: str, body: object = None, **more: object) -> Answer:
        return call(self.admin_port, method, path, body, **({"key": TOKEN} | more))

    def scan(self, content: str, kind: str = "input", **more: object) -> Answer:
        key = more.pop("key", KEY)
        return self.ask("POST", f"/api/v1/scan/{kind}", {"content": content} | more, key=key)


@pytest.fixture(scope="module")
def observed(provider: Provider, certificate: Certificate, collector: Collector,
             tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    folder = tmp_path_factory.mktemp("observe")
    (folder / "strict.yaml").write_text(STRICT)
    (folder / "admin.token").write_text(TOKEN + "\n")
    admin_port = free_port()
    extra = (f"admin: {{socket: {folder}/admin.sock, rules_folder: {folder}/given, listen: '127.0.0.1:{admin_port}', "
             f"token_file: {folder}/admin.token}}\n"
             f"scan:\n  policies:\n    strict: {{file: {folder}/strict.yaml}}\n"
             f"    theirs: {{file: {folder}/strict.yaml, tenants: [other]}}\n"
             f"observe:\n  cors: {{origins: ['{PAGE}']}}\n"
             f"  otlp: {{origin: 'http://127.0.0.1:{collector.port}', path: /otel, allow_private: true, interval: 100ms}}\n")
    running = start(folder, provider, certificate, POLICY, extra)
    assert running.stop() == 0
    (folder / "packs" / "attacks.yaml").write_text(INJECTION)
    (folder / "keys.yaml").write_text("keys:\n" + "".join(
        f"  - {{sha256: {hashlib.sha256(key.encode()).hexdigest()}, agent: tests/{agent}, tenant: '{tenant}'}}\n"
        for key, agent, tenant in ((KEY, "agent", ""), (TENANT_KEY, "tenant", "acme"))))
    running.start(folder / "gateway.yaml")
    yield Observed(running, admin_port)
    assert running.stop() == 0, running.log.read_text()
