# SPDX-License-Identifier: Apache-2.0
"""In continuous integration a failed case of a script is tried once more, and told."""

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(os.environ["AISPM_SOURCE_DIR"]) / "tests" / "support" / "retries"
CASES = """
import os
from pathlib import Path

def test_fails_at_first():
    seen = Path(__file__).with_name("seen")
    first = not seen.exists()
    seen.touch()
    assert not first, "the first time"

def test_what_is_started_has_no_plugin():
    assert "PYTEST_ADDOPTS" not in os.environ and "PYTHONPATH" not in os.environ
"""


def run(folder: Path, cases: str, ci: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_cases.py").write_text(cases)
    environment = {**os.environ, "PYTHONPATH": str(FOLDER), "PYTEST_ADDOPTS": "-p second_try", "CI": ci}
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder, f"--junitxml={folder}/cases.xml"],
                          env=environment, capture_output=True, text=True, timeout=60)


def test_a_case_that_passes_at_the_second_try_passes_and_is_told(tmp_path: Path) -> None:
    ended = run(tmp_path, CASES, "true")
    assert ended.returncode == 0, ended.stdout
    told = (tmp_path / "cases.retried").read_text()
    assert "test_fails_at_first" in told and "the first time" in told
    assert 'tests="2"' in (tmp_path / "cases.xml").read_text()


def test_a_case_that_fails_twice_fails(tmp_path: Path) -> None:
    ended = run(tmp_path, "def test_never():\n    assert False\n", "true")
    assert ended.returncode == 1, ended.stdout
    assert 'failures="1"' in (tmp_path / "cases.xml").read_text()


def test_elsewhere_nothing_is_tried_again(tmp_path: Path) -> None:
    ended = run(tmp_path, CASES, "")
    assert ended.returncode == 1, ended.stdout
    assert not (tmp_path / "cases.retried").exists()
