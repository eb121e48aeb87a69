# SPDX-License-Identifier: Apache-2.0
"""A gateway with packs of its own and a guard model over HTTP, for tests of detection."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest
from conftest import KEY, Certificate, Gateway, Provider

# Another session for each test: placeholders are kept by session.
SESSION = "0190f4a2-7c1e-7abc-8def-0123456789a"
REPLY_POLICY = """
defaults: {mode: enforce, store_text: false, fail: closed}
rules:
  - {id: secrets, match: {category: secret, direction: reply}, outcome: redact, reason: secrets are cut out}
"""
VAULT_POLICY = """
defaults: {mode: enforce, store_text: false, fail: closed, redaction: placeholder, vault: VAULT}
rules:
  - {id: contacts, match: {rule_id: 'pii.email'}, outcome: redact, reason: addresses stay here}
"""
GUARD_POLICY = """
defaults: {mode: enforce, store_text: false, fail: FAIL, opinions: OPINIONS}
rules:
  - {id: harm, match: {category: harmful, severity: high}, outcome: deny, reason: the guard model says no}
"""


# Few rules, so that a gateway of a test's own starts at once.
PACK = """
pack: few
category: secret
rules:
  - {id: secret.aws_access_key, severity: high, confidence: 0.9, patterns: ['AKIA[A-Z2-7]{16}'], message: m,
     hits: ['AKIA{+}Z7QJ3XNVB5KD2M4T'], misses: [m]}
  - {id: pii.email, category: pii, severity: low, confidence: 0.9, patterns: ['[a-z]{1,20}@[a-z.]{3,40}'], mask: last, message: m,
     hits: [bob@shop.example.net], misses: [m]}
"""


def start(folder: Path, provider: Provider, certificate: Certificate, policy: str, extra: str = "") -> Gateway:
    running = Gateway(folder)
    (folder / "packs").mkdir()
    (folder / "packs" / "few.yaml").write_text(PACK)
    return running.start(running.configure(provider.port, certificate.cert, extra=extra, policy=policy, packs=folder / "packs"))


def ask(gateway: Gateway, prompt: str, dialect: str = "openai", stream: bool = False, session: str = "0") -> str:
    asked = [{"role": "user", "content": prompt}]
    headers = {"x-aispm-session": SESSION + session}
    if dialect == "openai":
        client = openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, timeout=30, max_retries=0, default_headers=headers)
        if not stream:
            return client.chat.completions.create(model="m", messages=asked).choices[0].message.content or ""
        events = client.chat.completions.create(model="m", messages=asked, stream=True)
        return "".join(event.choices[0].delta.content or "" for event in events if event.choices)
    other = anthropic.Anthropic(base_url=gateway.url, api_key=KEY, timeout=30, max_retries=0, default_headers=headers)
    if not stream:
        return other.messages.create(model="m", max_tokens=99, messages=asked).content[0].text
    with other.messages.stream(model="m", max_tokens=99, messages=asked) as events:
        return "".join(events.text_stream)


everywhere = pytest.mark.parametrize(("dialect", "stream"), [("openai", False), ("openai", True), ("anthropic", False),
                                                             ("anthropic", True)])


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    is_gone = False

    def leave(self) -> None:
        """Takes no new connections and answers on no old one."""
        self.is_gone = True
        self.shutdown()
        self.server_close()


class JsonHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, body: object) -> None:
        reply = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: object) -> None:
        pass


class GuardModel(Server):
    """An OpenAI-compatible server whose answer and slowness a test chooses."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), GuardHandler)
        self.answer = "safe"
        self.unsafe_when = ""  # says so of texts with this word
        self.status = 200
        self.delay = 0.0
        self.asked: list[dict[str, object]] = []


class GuardHandler(JsonHandler):
    server: GuardModel

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append({"path": self.path, "authorization": self.headers.get("authorization"), **body})
        time.sleep(self.server.delay)
        if self.server.is_gone:
            self.close_connection = True
            return
        said = self.server.answer
        if self.server.unsafe_when and self.server.unsafe_when in json.dumps(body):
            said = "unsafe\nS9"
        self.answer(self.server.status, {"id": "g", "object": "chat.completion", "created": 1, "model": "guard", "choices": [
            {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}]})


@contextlib.contextmanager
def serving(server: Server) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield
    server.leave()
    thread.join()


@pytest.fixture
def guard() -> Iterator[GuardModel]:
    server = GuardModel()
    with serving(server):
        yield server


def with_guard(folder: Path, provider: Provider, certificate: Certificate, guard: GuardModel, fail: str = "closed",
               opinions: str = "wait", form: str = "llama_guard") -> Gateway:
    (folder / "guard.key").write_text("guard-key\n")
    extra = (f"detect:\n  guard_model: {{origin: 'http://127.0.0.1:{guard.server_port}', model: guard, form: {form}, deadline: 1s,\n"
             f"                allow_private: true, key_file: {folder}/guard.key}}\n")
    return start(folder, provider, certificate, GUARD_POLICY.replace("FAIL", fail).replace("OPINIONS", opinions), extra)


def call(gateway: Gateway, path: str, body: object = None, key: str = KEY) -> tuple[int, dict[str, object]]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(gateway.url + path, data=data, headers={"authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)
