# SPDX-License-Identifier: Apache-2.0
"""The units for systemd: each line is one that systemd takes, and each program is one that we build."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(os.environ["AISPM_SOURCE_DIR"])
UNITS = sorted((ROOT / "packaging/systemd").glob("*.service"))


def test_all_daemons_have_a_unit() -> None:
    assert {unit.stem for unit in UNITS} == {"aispm-collector", "aispm-gateway", "aispm-pool", "aispm-sensord"}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_takes_it(unit: Path, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze (systemd) is not installed")
    text = unit.read_text()
    named = set(re.findall(r"/usr/bin/(aispm-[a-z]+)", text))
    assert named == {unit.stem}
    # What it starts is not installed here: any program stands for it.
    tried = tmp_path / unit.name
    tried.write_text(re.sub(r"/usr/bin/aispm-[a-z]+", "/bin/true", text))
    checked = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", tried], capture_output=True, text=True, check=False)
    said = [line for line in (checked.stdout + checked.stderr).splitlines() if unit.name in line]
    assert (checked.returncode, said) == (0, []), checked.stderr


def test_a_wrong_line_would_be_found(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze (systemd) is not installed")
    tried = tmp_path / "aispm-wrong.service"
    tried.write_text("[Service]\nExecStart=/bin/true\nProtectSystem=perhaps\n")
    checked = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", tried], capture_output=True, text=True, check=False)
    assert "aispm-wrong.service:3: " in checked.stdout + checked.stderr
