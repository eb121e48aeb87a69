# SPDX-License-Identifier: Apache-2.0
"""Real gateway, collector and stand-in provider as the tests of those start them, and the SDK that finds them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

from by_path import load  # noqa: E402 - the path is set above

# Both folders name their fixtures' file conftest.py, so this one is imported by its path.
real_gateway = load("real_gateway", Path(__file__).parents[1] / "gateway" / "conftest.py")
certificate = real_gateway.certificate
provider = real_gateway.provider

ROOT: Path = real_gateway.ROOT
BIN: Path = real_gateway.GATEWAY.parent
os.environ.setdefault("AISPM_BIN_DIR", str(BIN))
sys.path[:0] = [str(ROOT / "sdk" / "python"), str(ROOT / "tests" / "system" / "delivery")]

from real_collector import Collector  # noqa: E402 - the path is set above


@pytest.fixture(scope="session", autouse=True)
def programs() -> None:
    for name in ("aispm-gateway", "aispm-collector", "aispm"):
        if not (BIN / name).exists():
            pytest.skip(f"{BIN / name} is not built")


@pytest.fixture(scope="session")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    running = Collector(tmp_path_factory.mktemp("collector"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def gateway(provider: Any, certificate: Any, collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The gateway of the gateway's own tests, but one that reports to a real collector."""
    running = real_gateway.Gateway(tmp_path_factory.mktemp("gateway"))
    token = running.folder / "enrolment.token"
    token.write_text(collector.enrolment_token())
    report = (f"report:\n  collector: {collector.grpc}\n  state_folder: {running.folder}/state\n"
              f"  enrolment_token_file: {token}\n")
    running.start(running.configure(provider.port, certificate.cert, report))
    yield running
    assert running.stop() == 0, running.log.read_text()
