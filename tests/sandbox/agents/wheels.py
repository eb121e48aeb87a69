# SPDX-License-Identifier: Apache-2.0
"""Published Python packages for the tests, in build/fixtures: fetched once, by the host's pip as the host has it configured. The product never looks there."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "build/fixtures/wheels"
PYTHON = "/usr/bin/python3"


class Unavailable(Exception):
    """They cannot be had here; the reason is for the skip message."""


def fetch(requirements: Path) -> Path:
    """A folder with the wheels of what the file names and all that these need."""
    version = hashlib.sha256(requirements.read_bytes() + Path(PYTHON).resolve().name.encode()).hexdigest()
    stamp = FOLDER / "version"
    if stamp.exists() and stamp.read_text() == version:
        return FOLDER
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    try:
        ended = subprocess.run([PYTHON, "-m", "pip", "download", "-q", "--only-binary=:all:", "--retries", "1", "-d", FOLDER, "-r", requirements],
                               capture_output=True, text=True, timeout=600, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise Unavailable(f"pip download: {problem}") from problem
    if ended.returncode != 0:
        raise Unavailable(f"pip download: {ended.stderr.strip()[-300:]}")
    for wheel in FOLDER.iterdir():
        wheel.chmod(0o644)
    stamp.write_text(version)
    return FOLDER
