# SPDX-License-Identifier: Apache-2.0
"""Skips, with the reason, where the programs under test are not built."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from real_collector import Collector, binary


@pytest.fixture()
def collector(tmp_path: Path) -> Iterator[Collector]:
    for name in ("aispm-collector", "aispm"):
        if not binary(name).exists():
            pytest.skip(f"{binary(name)} is not built")
    made = Collector(tmp_path)
    made.start()
    yield made
    made.stop()
