# SPDX-License-Identifier: Apache-2.0
"""Vercel's `ai` with its OpenAI, Anthropic and Google providers, and ollama for JavaScript, unmodified. Needs node and the npm registry (or its cache)."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import KEY, ROOT, Gateway
from npm import install, run_checks


@pytest.fixture(scope="module")
def installed() -> Path:
    return install(Path(__file__).parent / "js_frameworks", ROOT / "build" / "gateway-frameworks")


def test_javascript_frameworks_see_answers_redactions_denials_and_notices(gateway: Gateway, installed: Path) -> None:
    run_checks(installed, gateway.url, KEY, expected=47)
