# SPDX-License-Identifier: Apache-2.0
"""Unmodified openai (also as Azure's) and @anthropic-ai/sdk clients for JavaScript. Needs node and the npm registry (or its cache)."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import KEY, ROOT, Gateway
from npm import install, run_checks


@pytest.fixture(scope="module")
def installed() -> Path:
    return install(Path(__file__).parent / "js", ROOT / "build" / "gateway-js")


def test_javascript_clients_see_answers_redactions_denials_and_notices(gateway: Gateway, installed: Path) -> None:
    run_checks(installed, gateway.url, KEY, expected=24)
