# SPDX-License-Identifier: Apache-2.0
"""Unmodified clients for JavaScript: installed by npm from a lock file, run with node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

INSTALL_SECONDS = 240
RUN_SECONDS = 120


def install(source: Path, target: Path, files: tuple[str, ...] = ("package.json", "package-lock.json", "clients.mjs")) -> Path:
    """`target` with the packages that `source` locks, and its other `files`; skips where npm cannot."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node or npm is not installed")
    target.mkdir(parents=True, exist_ok=True)
    for name in files:
        shutil.copy(source / name, target / name)
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=target, capture_output=True, text=True, check=False,
                          timeout=INSTALL_SECONDS)
    if done.returncode != 0:
        pytest.skip(f"npm ci failed: {done.stderr.strip()[-200:]}")
    return target


def run_checks(folder: Path, *arguments: str, expected: int, script: str = "clients.mjs") -> None:
    """Runs `script`, which prints a line of JSON with `ok` for each of `expected` checks."""
    done = subprocess.run(["node", script, *arguments], cwd=folder, capture_output=True, text=True, check=False,
                          timeout=RUN_SECONDS)
    checks = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert len(checks) == expected, done.stdout
    failed = [check for check in checks if not check["ok"]]
    assert not failed, failed
