# SPDX-License-Identifier: Apache-2.0
"""Unmodified openai and @anthropic-ai/sdk clients for JavaScript. Needs node and the npm registry (or its cache)."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import KEY, ROOT, Gateway

SOURCE = Path(__file__).parent / "js"
INSTALLED = ROOT / "build" / "gateway-js"


@pytest.fixture(scope="module")
def installed() -> Path:
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node or npm is not installed")
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "clients.mjs"):
        shutil.copy(SOURCE / name, INSTALLED / name)
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=INSTALLED, capture_output=True, text=True, check=False,
                          timeout=240)
    if done.returncode != 0:
        pytest.skip(f"npm ci failed: {done.stderr.strip()[-200:]}")
    return INSTALLED


def test_javascript_clients_see_answers_redactions_denials_and_notices(gateway: Gateway, installed: Path) -> None:
    done = subprocess.run(["node", "clients.mjs", gateway.url, KEY], cwd=installed, capture_output=True, text=True, check=False,
                          timeout=120)
    checks = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert len(checks) == 16, done.stdout
    assert [check for check in checks if not check["ok"]] == []
