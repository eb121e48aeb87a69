# SPDX-License-Identifier: Apache-2.0
"""A capture of this test's children, and a TLS server that only they can reach."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import fixtures
import pytest
from capture import Dump
from provider import Provider

BUILD = Path(os.environ["AISPM_BUILD_DIR"])


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    if os.geteuid() != 0:
        pytest.skip("not root: capture needs root")
    if not shutil.which("nsenter") or not shutil.which("ip"):
        pytest.skip("nsenter (util-linux) and ip (iproute2) are needed to keep clients off the network")
    made = Provider(tmp_path_factory.mktemp("provider"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def dump(provider: Provider) -> Iterator[Dump]:
    # Before the capture starts: downloads are children of this test too, and hundreds of megabytes of their plaintext, beside
    # compilers on all processors, fill its ring. What cannot be had is skipped, with the reason, by the test that wants it.
    for name in [*fixtures.PUBLISHED, *fixtures.BUILT, *fixtures.PACKAGED]:
        with contextlib.suppress(fixtures.Unavailable):
            fixtures.get(name)
    started = Dump(BUILD / "tests" / "dump_plaintext")
    yield started
    assert started.close() == 0, "records were lost"
