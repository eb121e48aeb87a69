# SPDX-License-Identifier: Apache-2.0
"""Unmodified MCP clients for JavaScript, SDK v1 and v2. Needs node and the npm registry (or its cache)."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import HERE, KEY, real_gateway

INSTALLED: Path = real_gateway.ROOT / "build" / "mcp-js"


@pytest.fixture(scope="module")
def installed() -> Path:
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node or npm is not installed")
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "clients.mjs"):
        shutil.copy(HERE / "js" / name, INSTALLED / name)
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=INSTALLED, capture_output=True, text=True, check=False,
                          timeout=240)
    if done.returncode != 0:
        pytest.skip(f"npm ci failed: {done.stderr.strip()[-200:]}")
    return INSTALLED


def test_both_generations_of_the_javascript_sdk(gateway: Any, installed: Path) -> None:
    done = subprocess.run(["node", "clients.mjs", gateway.url, KEY], cwd=installed, capture_output=True, text=True, check=False,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    checks = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(checks) == 21, done.stdout
    assert [check for check in checks if not check["ok"]] == []
