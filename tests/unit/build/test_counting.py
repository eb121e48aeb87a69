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


def test_tells_which_lines_of_ctest_are_failed_tries() -> None:
    assert testing.failed_try("3/5 Test #3: flaky-name .......................***Failed    0.01 sec\n") == "flaky-name"
    assert testing.failed_try("    Test #4: slow .............................***Timeout   1.01 sec\n") == "slow"
    assert testing.failed_try("5/5 Test #5: crash ............................***Exception: SegFault  0.00 sec\n") == "crash"
    assert testing.failed_try("    Test #3: flaky-name .......................   Passed    0.01 sec\n") is None
    assert testing.failed_try("6/6 Test #6: absent ...........................***Skipped   0.00 sec\n") is None
    assert testing.failed_try("a test printed Test #1: x ....***Failed\n") is None


def test_names_programs_that_passed_at_the_second_try_only(tmp_path: Path) -> None:
    report = tmp_path / "ctest.report"
    report.write_text('<testsuite><testcase name="flaky" status="run"/><testcase name="steady" status="run"/>'
                      '<testcase name="broken" status="fail"/></testsuite>')
    tally = testing.count(tmp_path, report, {"flaky", "broken"})
    assert tally.retried == ["flaky"]
    assert tally.line() == "2 passed, 1 failed, 0 skipped"
