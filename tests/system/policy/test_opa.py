# SPDX-License-Identifier: Apache-2.0
"""The shipped Rego modules under the real `opa`, built from its Go module: the same table that our own engine is held to (POL-011)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
OPA = "github.com/open-policy-agent/opa@v1.22.2"
BUILD_SECONDS = 1500


@pytest.fixture(scope="session")
def opa() -> Path:
    folder = ROOT / "build" / "tools" / "opa-1.22.2"
    if not (folder / "opa").exists():
        if shutil.which("go") is None:
            pytest.skip("no Go toolchain to build opa with (apt install golang-go)")
        built = subprocess.run(["go", "install", OPA], env={**os.environ, "GOBIN": str(folder)}, capture_output=True, text=True,
                               timeout=BUILD_SECONDS, check=False)
        if built.returncode != 0:
            pytest.skip(f"opa cannot be built here: {built.stderr.strip().splitlines()[-1:]}")
    return folder / "opa"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_opa_decides_the_table(opa: Path) -> None:
    done = run(opa, "test", "policies/rego", "--verbose")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_all_cases: PASS" in done.stdout
    assert "test_every_case_is_judged: PASS" in done.stdout


def test_modules_are_strict_and_formatted(opa: Path) -> None:
    assert run(opa, "check", "--strict", "policies/rego").returncode == 0
    assert run(opa, "fmt", "--list", "policies/rego").stdout == ""
