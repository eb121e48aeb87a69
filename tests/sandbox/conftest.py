# SPDX-License-Identifier: Apache-2.0
"""Runs aispm-run as root and as an ordinary user, and reads the events it reports."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

BUILD = Path(os.environ.get("AISPM_BUILD_DIR", Path(__file__).parents[2] / "build/dev"))
RUN = BUILD / "bin/aispm-run"
PROBE = BUILD / "tests/sandbox_probe"
ORDINARY_UID = 65534
# A socket of a warm pool: then all tests ask it first (test_pool.py).
POOL = os.environ.get("AISPM_TEST_POOL", "")
POOL_WORDS = ["--pool", "--pool-socket", POOL] if POOL else []


@dataclass
class Sandbox:
    """aispm-run for one kind of caller."""

    kind: str
    prefix: list[str]
    folder: Path

    def command(self, *words: str | Path) -> list[str]:
        return [*self.prefix, str(RUN), *POOL_WORDS, *map(str, words)]

    def environment(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LANG": "C.UTF-8"} | (extra or {})

    def run(self, *words: str | Path, env: dict[str, str] | None = None, timeout: float = 30, **more) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words), env=self.environment(env), cwd=self.folder, timeout=timeout,
                              capture_output=True, text=True, **more)

    def events(self, name: str = "events.jsonl") -> list[dict]:
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]

    def denials(self) -> dict[tuple[str, str, str], int]:
        """(kind, target, protocol) -> how often."""
        found: dict[tuple[str, str, str], int] = {}
        for event in self.events():
            if denial := event.get("sandbox_denial"):
                key = (denial["kind"], denial["target"], denial.get("protocol", ""))
                found[key] = found.get(key, 0) + int(denial["count"])
        return found


@pytest.fixture(params=["root", "user"])
def sandbox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    if not RUN.exists():
        pytest.skip(f"{RUN} is not built")
    is_root = os.geteuid() == 0
    if request.param == "root" and not is_root:
        pytest.skip("root mode needs root")
    # Not below pytest's own folder, which is 0700: the ordinary user must be able to enter.
    folder = Path("/var/tmp") / f"aispm-sandbox-{os.getpid()}-{request.param}-{abs(hash(request.node.name)) % 10**8}"
    folder.mkdir()
    folder.chmod(0o755)
    prefix: list[str] = []
    if request.param == "user" and is_root:
        if not shutil.which("setpriv"):
            pytest.skip("setpriv (util-linux) is needed to become an ordinary user")
        os.chown(folder, ORDINARY_UID, ORDINARY_UID)
        prefix = ["setpriv", f"--reuid={ORDINARY_UID}", f"--regid={ORDINARY_UID}", "--clear-groups", "--"]
    box = Sandbox(request.param, prefix, folder)
    trial = box.run("--offline", "--", "/bin/true")
    if trial.returncode == 125:
        shutil.rmtree(folder)
        pytest.skip(f"this host cannot run it: {trial.stderr.strip()}")
    yield box
    shutil.rmtree(folder)
