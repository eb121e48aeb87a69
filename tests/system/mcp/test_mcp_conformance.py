# SPDX-License-Identifier: Apache-2.0
"""The MCP conformance suite through the gateway gives what it gives directly against the same server, and the MCP inspector is served.
Both are npm packages that want a newer node than many systems have; that comes from npm, too. Takes about a minute, without installation."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import HERE, KEY, load, real_gateway, wait_for_rules
from npm import install

renaming = load("mcp_renaming", HERE / "renaming.py")
POLICY = "defaults: {mode: enforce, store_text: false, fail: closed}\nrules: []\n"
# What passes directly and does not through the gateway, and why.
KNOWN = {"2025-11-25": {"server-sse-multiple-streams": "it names another version than its session agreed on, which is refused here"},
         "2026-07-28": {"input-required-result-ignore-extra-params": "it answers without the requestState of a question, so nobody asked here"}}
# How many scenarios the server has all for, so that a server that breaks is no agreement.
LEAST = {"2025-11-25": 27, "2026-07-28": 33}


@pytest.fixture(scope="module")
def installed() -> Path:
    folder = install(HERE / "conformance", real_gateway.ROOT / "build" / "mcp-conformance", ("package.json", "package-lock.json"))
    node = folder / "node_modules" / "node" / "bin" / "node"
    if not node.exists() or subprocess.run([node, "--version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("npm brought no node that runs here")
    return folder


@pytest.fixture(scope="module")
def suite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = real_gateway.free_port()
    log = tmp_path_factory.mktemp("suite") / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, str(HERE / "conformance_server.py"), str(port)], stdout=out, stderr=out)
    real_gateway.wait_for_port(port, process, log)
    yield port
    process.terminate()
    process.wait(timeout=20)


@pytest.fixture(scope="module")
def before_suite(provider: Any, certificate: Any, suite_server: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    running = real_gateway.Gateway(tmp_path_factory.mktemp("before"))
    extra = (f"mcp:\n  servers:\n    - {{name: suite, origin: 'http://127.0.0.1:{suite_server}', allow_private: true, agents: ['tests/*'], "
             "prompts: ['*'], resources: ['*'], grants: [sampling, elicitation, roots]}\n")
    running.start(running.configure(provider.port, certificate.cert, extra, policy=POLICY))
    wait_for_rules(running)
    yield running
    assert running.stop() == 0, running.log.read_text()


def run_suite(installed: Path, url: str, version: str, folder: Path) -> dict[str, list[tuple[str, str]]]:
    """The checks of each scenario with what became of them."""
    suite = installed / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    subprocess.run([installed / "node_modules" / "node" / "bin" / "node", suite, "server", "--url", url, "--suite", "all", "--spec-version", version,
                    "-o", folder],
                   check=False, capture_output=True, timeout=300)
    results: dict[str, list[tuple[str, str]]] = {}
    for file in folder.glob("*/checks.json"):
        scenario = re.sub(r"^server-|-\d{4}-\d\d-\d\dT.*$", "", file.parent.name)
        if file.parent.name.startswith("server-server-"):
            scenario = "server-" + scenario.removeprefix("server-")
        results[scenario] = [(check["id"], check["status"]) for check in json.loads(file.read_text()) if check["status"] in ("SUCCESS", "FAILURE")]
    return results


def passes(checks: list[tuple[str, str]]) -> bool:
    return bool(checks) and all(status == "SUCCESS" for _, status in checks)


@pytest.mark.parametrize("version", sorted(KNOWN))
def test_the_suite_says_the_same_through_the_gateway(installed: Path, before_suite: Any, suite_server: int, tmp_path: Path, version: str) -> None:
    direct = run_suite(installed, f"http://127.0.0.1:{suite_server}/mcp", version, tmp_path / "direct")
    with renaming.serve(before_suite.port, KEY, "suite") as url:
        through = run_suite(installed, url, version, tmp_path / "through")
    assert set(direct) == set(through)
    passed = {scenario for scenario, checks in direct.items() if passes(checks)}
    assert len(passed) >= LEAST[version], sorted(set(direct) - passed)
    lost = {scenario: through[scenario] for scenario in passed if through[scenario] != direct[scenario]}
    assert set(lost) == set(KNOWN[version]), lost


def inspect(installed: Path, url: str, method: str, *more: str) -> Any:
    inspector = installed / "node_modules" / "@modelcontextprotocol" / "inspector" / "cli" / "build" / "cli.js"
    done = subprocess.run([installed / "node_modules" / "node" / "bin" / "node", inspector, "--cli", url, "--transport", "http", "--method", method,
                           *more], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_inspector_is_served(installed: Path, before_suite: Any) -> None:
    with renaming.serve(before_suite.port, KEY, "suite") as url:
        assert "test_simple_text" in [tool["name"] for tool in inspect(installed, url, "tools/list")["tools"]]
        called = inspect(installed, url, "tools/call", "--tool-name", "test_simple_text")
        assert called["content"] == [{"type": "text", "text": "This is a simple text response for testing."}]
        assert "test://static-text" in [one["uri"] for one in inspect(installed, url, "resources/list")["resources"]]
        read = inspect(installed, url, "resources/read", "--uri", "test://static-text")
        assert read["contents"][0]["text"] == "This is the content of the static text resource."
        assert "test_simple_prompt" in [one["name"] for one in inspect(installed, url, "prompts/list")["prompts"]]
