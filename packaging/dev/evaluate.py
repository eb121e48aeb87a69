# SPDX-License-Identifier: Apache-2.0
"""./dev eval: builds what scans, then lets tests/eval judge."""

from __future__ import annotations

import subprocess
import sys

import build
import packages
from ui import ROOT


def main(arguments: list[str], assume_yes: bool) -> int:
    packages.ensure(testing=True, assume_yes=assume_yes)
    with_output = sys.stdout
    try:
        sys.stdout = sys.stderr  # --json: nothing but the report on stdout
        build.programs("release", ["eval_scan"])
    finally:
        sys.stdout = with_output
    return subprocess.call([sys.executable, "-B", str(ROOT / "tests" / "eval" / "run_eval.py"), *arguments])
