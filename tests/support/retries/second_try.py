# SPDX-License-Identifier: Apache-2.0
"""Pytest plugin of scripts that share the machine with whatever else runs on it: in continuous integration a failed case is tried once more.

Only the case: a whole program tried again costs ten minutes and hides the other half of its failures. What failed first, and how, goes beside the JUnit
file into <name>.retried, which ./dev test shows. CMake loads this (packaging/cmake/AispmLayers.cmake).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

MAX_SHOWN = 4_000


class FirstFailures:
    def __init__(self, path: Path) -> None:
        self.path = path
        path.unlink(missing_ok=True)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome == "rerun":  # pytest-rerunfailures' word for a failure that is tried again
            with self.path.open("a") as out:
                out.write(f"{report.nodeid}\n{str(report.longrepr)[-MAX_SHOWN:].strip()}\n\n\n")


def _forget_own_environment() -> None:
    """What tests start is not to be loaded with this plugin."""
    os.environ.pop("PYTEST_ADDOPTS", None)
    own = str(Path(__file__).parent)
    kept = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry and entry != own]
    os.environ.pop("PYTHONPATH", None)
    if kept:
        os.environ["PYTHONPATH"] = os.pathsep.join(kept)


def pytest_configure(config: pytest.Config) -> None:
    _forget_own_environment()
    results = config.getoption("xmlpath")
    if os.environ.get("CI") == "true" and results:
        config.option.reruns = 1
        config.pluginmanager.register(FirstFailures(Path(results).with_suffix(".retried")))
