# SPDX-License-Identifier: Apache-2.0
"""A real gateway with its MCP endpoint before servers of the official SDK: one answers in JSON, one in
streams, one speaks nothing before 2026-07-28."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

from by_path import load  # noqa: E402 - the path is set above

real_gateway = load("real_gateway", Path(__file__).parents[1] / "gateway" / "conftest.py")
certificate = real_gateway.certificate
provider = real_gateway.provider
KEY: str = real_gateway.KEY
OTHER_KEY = "aispm-test-" + "o" * 32
HERE = Path(__file__).parent
FORMS = ("json", "sse", "modern")

POLICY = """
defaults: {mode: enforce, store_text: false, fail: closed}
rules:
  - {id: secrets, match: {category: secret}, outcome: redact, reason: secrets are cut out}
  - {id: injection, match: {category: prompt_injection}, outcome: deny, reason: this tries to take over the model}
"""
ACTIONS = """
rules:
  - {id: no-removal, match: {tool: remove, tool_provider: json}, outcome: deny, reason: nothing is removed}
  - {id: refunds, match: {tool: refund}, outcome: require_approval, reason: refunds are looked at}
  - {id: no-secret-letters, match: {tool: resources/read}, when: {tool_args_match: {uri: {eq: 'office://letters/secret'}}}, outcome: deny, reason: it is secret}
  - {id: no-thoughts, match: {tool: sampling/createMessage}, when: {tool_args_match: {'messages.*.content.text': {eq: denied by policy}}}, outcome: deny, reason: no such thoughts}
  - {id: rest, match: {tool: '*'}, outcome: allow}
"""
TOOLS = "builtin: false\nrequire_registration: false\n"


class McpServer:
    def __init__(self, folder: Path, form: str) -> None:
        self.port: int = real_gateway.free_port()
        log = folder / f"server-{form}.log"
        with log.open("wb") as out:
            self.process = subprocess.Popen([sys.executable, str(HERE / "server.py"), str(self.port), form], stdout=out, stderr=out)
        real_gateway.wait_for_port(self.port, self.process, log)

    def calls(self, tool: str) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_calls", timeout=10) as reply:
            return [call for call in json.load(reply) if call["tool"] == tool]

    def change(self) -> None:
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{self.port}/_change", method="POST"), timeout=10).close()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, McpServer]]:
    folder = tmp_path_factory.mktemp("servers")
    running = {form: McpServer(folder, form) for form in FORMS}
    yield running
    for server in running.values():
        server.stop()


class Changing:
    """A server whose resources change when it is told to: changing_server.py."""

    def __init__(self, folder: Path, form: str) -> None:
        self.form = form
        self.port: int = real_gateway.free_port()
        self.log = folder / f"changing-{form}.log"
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen([sys.executable, str(HERE / "changing_server.py"), str(self.port), self.form], stdout=out, stderr=out)
        real_gateway.wait_for_port(self.port, self.process, self.log)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)

    def ask(self, path: str, **query: str) -> Any:
        url = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(urllib.request.Request(url, method="GET" if path in ("/_state", "/_sessions") else "POST"), timeout=60) as reply:
            return json.load(reply)


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Changing]]:
    folder = tmp_path_factory.mktemp("changing")
    running = {form: Changing(folder, form) for form in ("sessions", "modern", "plain")}
    yield running
    for server in running.values():
        server.stop()


def write_private(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


def wait_for_rules(running: Any) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.HTTPError):
            if urllib.request.urlopen(running.url + "/healthz", timeout=20).status == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the gateway's rules were not loaded in 180 s: " + running.log.read_text())


@pytest.fixture(scope="session")
def gateway(provider: Any, certificate: Any, servers: dict[str, McpServer], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("gateway")
    running = real_gateway.Gateway(folder)
    (folder / "bundle").mkdir(mode=0o700)
    write_private(folder / "bundle" / "actions.yaml", ACTIONS)
    write_private(folder / "bundle" / "tools.yaml", TOOLS)
    extra = f"bundle: {{folder: {folder}/bundle}}\nmcp:\n  servers:\n"
    write_private(folder / "office.key", "modern-key\n")
    grants = {"sse": "sampling, elicitation, roots", "modern": "sampling, elicitation, roots", "json": ""}
    for name, server in servers.items():
        extra += (f"    - {{name: {name}, origin: 'http://127.0.0.1:{server.port}', allow_private: true, agents: ['tests/*'], "
                  f"tools: [send, fetch, poisoned, hidden, remove, refund, fails, samples, changing, count, waits, mails, plan, think, look], "
                  f"prompts: [letter, poisoned, bad], resources: ['office://*'], list_age: 100ms, grants: [{grants[name]}]"
                  + (f", header: X-Office-Key, key_file: {folder}/office.key" if name == "modern" else "") + "}\n")
    config = running.configure(provider.port, certificate.cert, extra, policy=POLICY)
    with (folder / "keys.yaml").open("a") as keys:
        keys.write(f"  - sha256: {hashlib.sha256(OTHER_KEY.encode()).hexdigest()}\n    agent: others/agent\n")
    running.start(config)
    wait_for_rules(running)
    yield running
    assert running.stop() == 0, running.log.read_text()
