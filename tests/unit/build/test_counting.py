# SPDX-License-Identifier: Apache-2.0
"""./dev test counts what really ran: cases, skips with reasons, and programs that died."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(os.environ["AISPM_SOURCE_DIR"]) / "packaging" / "dev"))

import testing


def ctest_report(folder: Path, programs: dict[str, str]) -> Path:
    cases = "".join(f'<testcase name="{name}" status="{status}"/>' for name, status in programs.items())
    path = folder / "ctest.report"
    path.write_text(f"<testsuite>{cases}</testsuite>")
    return path


def test_single_cases_are_counted_with_their_skips(tmp_path: Path) -> None:
    (tmp_path / "unit_a.xml").write_text(
        '<testsuites><testsuite><testcase classname="A" name="x"/>'
        '<testcase classname="A" name="y"><skipped message="no root"/></testcase>'
        '<testcase classname="A" name="z"><failure message="broken"/></testcase></testsuite></testsuites>')
    tally = testing.count(tmp_path, ctest_report(tmp_path, {"unit_a": "fail"}))
    assert tally.line() == "1 passed, 1 failed, 1 skipped"
    assert "no root" in tally.skipped[0]


def test_a_program_that_died_after_its_cases_passed_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "unit_a.xml").write_text('<testsuite><testcase classname="A" name="x"/></testsuite>')
    tally = testing.count(tmp_path, ctest_report(tmp_path, {"unit_a": "fail"}))
    assert tally.line() == "1 passed, 1 failed, 0 skipped"


def test_a_program_without_cases_counts_as_one(tmp_path: Path) -> None:
    tally = testing.count(tmp_path, ctest_report(tmp_path, {"fuzz_a": "run", "fuzz_b": "fail"}))
    assert tally.line() == "1 passed, 1 failed, 0 skipped"


def test_an_unreadable_result_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "unit_a.xml").write_text("<testsuite>")
    tally = testing.count(tmp_path, ctest_report(tmp_path, {"unit_a": "run"}))
    assert tally.line() == "0 passed, 1 failed, 0 skipped"
