# SPDX-License-Identifier: Apache-2.0
"""A real collector; skips, with the reason, where the programs under test are not built."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "delivery"))
from real_collector import Collector, binary  # noqa: E402

PRODUCER = Path(os.environ["AISPM_BUILD_DIR"]) / "tests" / "fleet_producer"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    for program in (binary("aispm-collector"), binary("aispm"), PRODUCER):
        if not program.exists():
            pytest.skip(f"{program} is not built")
    made = Collector(tmp_path_factory.mktemp("collector"))
    made.start()
    yield made
    made.stop()
