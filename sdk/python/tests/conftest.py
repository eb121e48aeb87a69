# SPDX-License-Identifier: Apache-2.0
"""A fake gateway that the SDK finds through its environment."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

from fake_gateway import FakeGateway  # noqa: E402 - the path is set above

SESSION = "0190f4a2-7c1e-7abc-8def-0123456789ab"


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGateway]:
    with FakeGateway() as running:
        monkeypatch.setenv("AISPM_GATEWAY_URL", running.url)
        monkeypatch.setenv("AISPM_API_KEY", "aispm-key")
        monkeypatch.setenv("AISPM_SESSION_ID", SESSION)
        yield running
