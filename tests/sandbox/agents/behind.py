# SPDX-License-Identifier: Apache-2.0
"""The fixtures of stage.py and fleet.py, as a plugin of the tests beside this file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_provider import Provider
from conftest import BUILD
from fleet import Fleet, binary
from stage import Gateway, StandIn


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path("/var/tmp") / f"aispm-agents-{os.getpid()}"
    made.mkdir()
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def provider(folder: Path) -> Iterator[Provider]:
    made = Provider(folder)
    yield made
    made.close()


@pytest.fixture(scope="module")
def gateway(folder: Path, provider: Provider) -> Iterator[Gateway]:
    if not (BUILD / "bin/aispm-gateway").exists():
        pytest.skip("aispm-gateway is not built")
    made = Gateway(folder, provider)
    yield made
    made.close()


@pytest.fixture(scope="module")
def stand_in(folder: Path, provider: Provider) -> Iterator[StandIn]:
    made = StandIn(folder, provider)
    yield made
    made.close()


@pytest.fixture(scope="module")
def fleet(provider: Provider) -> Iterator[Fleet]:
    for name in ("aispm-collector", "aispm-gateway", "aispm-sensord", "aispm"):
        if not binary(name).exists():
            pytest.skip(f"{binary(name)} is not built")
    folder = Path("/var/tmp") / f"aispm-fleet-{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o711)  # the gateway's socket is for all users
    made = Fleet(folder, provider)
    try:
        if os.geteuid() == 0:
            made.start_sensor()
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)
