# SPDX-License-Identifier: Apache-2.0
"""Unmodified MCP clients for JavaScript, SDK v1 and v2. Needs node and the npm registry (or its cache)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import HERE, KEY, real_gateway
from npm import install, run_checks


@pytest.fixture(scope="module")
def installed() -> Path:
    return install(HERE / "js", real_gateway.ROOT / "build" / "mcp-js")


def test_both_generations_of_the_javascript_sdk(gateway: Any, installed: Path) -> None:
    run_checks(installed, gateway.url, KEY, expected=21)
