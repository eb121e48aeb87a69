# SPDX-License-Identifier: Apache-2.0
"""Pytest plugin of builds with sanitizers: programs that tests start report into one folder, and a test during which a report comes fails with it.

A daemon may die of a report where nobody asks for its exit code, or start again behind a test's back. CMake loads this (packaging/cmake/AispmSanitizers.cmake).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

OPTIONS = ("ASAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS")
MAX_SHOWN = 20_000


class ReportWatch:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: set[Path] = set()

    def news(self) -> str:
        """Reports that came since the last call."""
        found = sorted(set(self.folder.iterdir()) - self.seen)
        self.seen.update(found)
        return "\n".join(f"{path}:\n{path.read_text(errors='replace')[:MAX_SHOWN]}" for path in found)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """After each of setup, call and teardown; the last teardown ends the fixtures of the session, too."""
        report = yield
        if text := self.news():
            report.outcome = "failed"
            report.longrepr = f"{report.longrepr or ''}\nA sanitizer reports:\n{text}"
        return report


def pytest_configure(config: pytest.Config) -> None:
    reports = Path(os.environ["AISPM_SANITIZER_REPORTS"])
    reports.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=reports))  # a pid alone comes again
    folder.chmod(0o1777)  # programs that gave up root report, too
    for name in OPTIONS:
        # pytest may have been started by one that is watched.
        kept = [part for part in os.environ.get(name, "").split(":") if part and not part.startswith("log_path=")]
        os.environ[name] = ":".join([*kept, f"log_path={folder}/report"])
    config.pluginmanager.register(ReportWatch(folder))
