# SPDX-License-Identifier: Apache-2.0
"""Unmodified MCP clients for JavaScript, SDK v1 and v2. Needs node and the npm registry (or its cache)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import HERE, KEY, Changing, real_gateway
from npm import install, run_checks
from test_mcp_subscriptions import start_gateway


@pytest.fixture(scope="module")
def installed() -> Path:
    return install(HERE / "js", real_gateway.ROOT / "build" / "mcp-js", ("package.json", "package-lock.json", "clients.mjs", "changes.mjs"))


def test_both_generations_of_the_javascript_sdk(gateway: Any, installed: Path) -> None:
    run_checks(installed, gateway.url, KEY, expected=21)


def test_both_generations_hear_of_changes(changing: dict[str, Changing], provider: Any, certificate: Any, installed: Path, tmp_path: Path) -> None:
    server = changing["sessions"]
    running = start_gateway(tmp_path, provider, certificate, [server])
    run_checks(installed, running.url, KEY, f"http://127.0.0.1:{server.port}", expected=12, script="changes.mjs")
    assert running.stop() == 0, running.log.read_text()
