# SPDX-License-Identifier: Apache-2.0
"""The unmodified @google/genai client for JavaScript. Needs node and the npm registry (or its cache)."""

from __future__ import annotations

from pathlib import Path

from conftest import KEY, ROOT, Gateway
from npm import install, run_checks


def test_googles_javascript_client_sees_answers_redactions_denials_and_notices(gateway: Gateway) -> None:
    installed = install(Path(__file__).parent / "js_gemini", ROOT / "build" / "gateway-js-gemini")
    run_checks(installed, gateway.url, KEY, expected=10)
