# SPDX-License-Identifier: Apache-2.0
"""Two real gateways with one policy bundle, a real collector that people answer at, and the stand-in provider."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.server
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

from by_path import load  # noqa: E402 - the path is set above

real_gateway = load("real_gateway", Path(__file__).parents[1] / "gateway" / "conftest.py")
certificate = real_gateway.certificate
provider = real_gateway.provider
KEY: str = real_gateway.KEY
BIN: Path = real_gateway.GATEWAY.parent
os.environ.setdefault("AISPM_BIN_DIR", str(BIN))
sys.path.insert(0, str(real_gateway.ROOT / "tests" / "system" / "delivery"))

from real_collector import Collector  # noqa: E402 - the path is set above

WEBHOOK_SECRET = "s" * 32
ACTIONS = """
rules:
  - {id: large, match: {tool: refund}, when: {tool_args_match: {amount: {gt: 1000}}}, outcome: require_approval,
     approver_role: finance_manager, reason: large refunds are looked at}
  - {id: mails, match: {tool: mail}, outcome: require_approval, reason: mail is looked at}
  - {id: police, match: {tool: police}, outcome: require_human, reason: a person calls the police}
  - {id: small, match: {tool: refund}, outcome: allow}
"""


def wait_until(holds: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = holds()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"did not come true in {seconds} s")


class Notices(http.server.BaseHTTPRequestHandler):
    """Refuses the first message once, takes all others, and keeps those that are signed as they should be."""

    taken: list[dict[str, Any]] = []
    refused: list[str] = []  # approval's id

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        parts = dict(part.split("=", 1) for part in self.headers["x-aispm-signature"].split(","))
        wanted = hmac.new(WEBHOOK_SECRET.encode(), f"{parts['t']}.".encode() + body, hashlib.sha256).hexdigest()
        is_first = not Notices.refused
        if is_first:
            Notices.refused.append(json.loads(body)["approval_id"])
        elif hmac.compare_digest(wanted, parts["v1"]):
            Notices.taken.append(json.loads(body))
        self.send_response(503 if is_first else 204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class People:
    """Those who answer, by API token."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.finance = self.token("carol", "finance_manager")
        self.operator = self.token("dave")
        self.requester = self.token("tests", "finance_manager")

    def token(self, note: str, *approves: str) -> str:
        made = subprocess.run([BIN / "aispm-collector", "token", "create", "--config", self.collector.config, "--role", "operator",
                               "--note", note, *[word for role in approves for word in ("--approves", role)]],
                              check=True, capture_output=True, text=True)
        return made.stdout.strip()

    def rest(self, verb: str, path: str, token: str, body: object | None = None) -> tuple[int, Any]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.collector.http_port}{path}", method=verb,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"authorization": "Bearer " + token, "content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    def waiting(self, tool: str = "") -> list[dict[str, Any]]:
        found = self.rest("GET", "/api/v1/approvals", self.operator)[1]["approvals"]
        return [one for one in found if not tool or one["tool"] == tool]

    def answer(self, approval_id: str, answer: str, token: str = "", **more: str) -> tuple[int, Any]:
        return self.rest("POST", f"/api/v1/approvals/{approval_id}/answer", token or self.finance,
                         {"answer": "APPROVAL_ANSWER_" + answer, **more})


@pytest.fixture(scope="session", autouse=True)
def programs() -> None:
    for name in ("aispm-gateway", "aispm-collector", "aispm"):
        if not (BIN / name).exists():
            pytest.skip(f"{BIN / name} is not built")


@pytest.fixture(scope="session")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    folder = tmp_path_factory.mktemp("collector")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Notices)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (folder / "hook.secret").write_text(WEBHOOK_SECRET + "\n")
    running = Collector(folder, f"approvals:\n  notify: {{url: 'http://127.0.0.1:{server.server_port}/hook', allow_private: true, "
                                f"secret_file: {folder}/hook.secret, link: 'https://aispm.example'}}\n")
    running.start()
    yield running
    running.stop()
    server.shutdown()


@pytest.fixture(scope="session")
def people(collector: Collector) -> People:
    return People(collector)


def make_gateway(folder: Path, provider: Any, certificate: Any, collector: Collector, wait: str = "60s",
                 probe: str = "mail", more: str = "", **files: str) -> Any:
    """`files`: of its bundle, `__` for a dot; `probe`: a tool that somebody must be asked about."""
    running = real_gateway.Gateway(folder)
    token = folder / "enrolment.token"
    token.write_text(collector.enrolment_token())
    bundle = folder / "bundle"
    bundle.mkdir(mode=0o700)
    for name, text in (files or {"actions__yaml": ACTIONS}).items():
        part = bundle / name.replace("__", ".")
        part.write_text(text)
        part.chmod(0o600)
    extra = (f"report:\n  collector: {collector.grpc}\n  state_folder: {folder}/state\n  enrolment_token_file: {token}\n"
             f"bundle: {{folder: {bundle}}}\n"
             f"approvals: {{wait: {wait}, pulse: 200ms, link: 'https://aispm.example/approvals/'}}\n" + more)
    running.start(running.configure(provider.port, certificate.cert, extra))
    wait_until(lambda: is_ready(running), 120)
    wait_until(lambda: "no connection" not in str(decide(running, probe, arguments={"probe": str(folder)}).get("reason")), 30)
    return running


def is_ready(gateway: Any) -> bool:
    """Rules take their time on a busy machine."""
    with contextlib.suppress(urllib.error.HTTPError):
        return bool(urllib.request.urlopen(gateway.url + "/healthz", timeout=20).status == 200)
    return False


def decide(gateway: Any, tool: str, **body: object) -> dict[str, Any]:
    request = urllib.request.Request(gateway.url + "/aispm/v1/decide", data=json.dumps({"tool": tool, **body}).encode(),
                                     headers={"authorization": "Bearer " + KEY, "content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=90) as reply:
        answer: dict[str, Any] = json.load(reply)
    return answer


@pytest.fixture(scope="session")
def gateway(provider: Any, certificate: Any, collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    running = make_gateway(tmp_path_factory.mktemp("one"), provider, certificate, collector)
    yield running
    assert running.stop() == 0, running.log.read_text()


@pytest.fixture(scope="session")
def second(provider: Any, certificate: Any, collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    running = make_gateway(tmp_path_factory.mktemp("two"), provider, certificate, collector)
    yield running
    assert running.stop() == 0, running.log.read_text()
