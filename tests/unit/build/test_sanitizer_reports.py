# SPDX-License-Identifier: Apache-2.0
"""Builds with sanitizers: no report passes unseen, whoever made it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "support" / "sanitizers"
# A daemon that ends behind the tests' backs, as a sanitizer ends it: with a file where log_path says.
DAEMON = """
import os, subprocess, pytest
REPORT = "for o in $(echo $TSAN_OPTIONS | tr : ' '); do case $o in log_path=*) echo data race > ${o#log_path=}.$$;; esac; done"
@pytest.fixture(scope="session")
def daemon():
    yield
    subprocess.run(["sh", "-c", REPORT])
def test_quiet(): pass
def test_with_daemon(daemon): pass
"""


def run_pytest(tmp_path: Path, text: str, *program: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_made.py").write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(FOLDER), "PYTEST_ADDOPTS": "-p sanitizer_reports", "TSAN_OPTIONS": "history_size=3",
                   "AISPM_SANITIZER_REPORTS": str(tmp_path / "reports")}
    return subprocess.run([sys.executable, *(program or ("-m", "pytest")), "-q", "-p", "no:cacheprovider", tmp_path], env=environment, capture_output=True,
                          text=True, check=False, timeout=60)


def test_a_report_of_a_daemon_fails_the_test_that_it_came_in(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, DAEMON)
    assert done.returncode == 1, done.stdout
    assert "A sanitizer reports:" in done.stdout and "data race" in done.stdout
    assert "2 passed, 1 error" in done.stdout, done.stdout


def test_a_run_with_the_pid_of_an_earlier_one_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """Pids come round again, and folders of reports stay."""
    program = "import os, sys; os.getpid = lambda: 7\nimport pytest; sys.exit(pytest.main(sys.argv[1:]))"
    for _ in range(2):
        done = run_pytest(tmp_path, DAEMON.replace("data race >", "data race; : "), "-c", program)
        assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout + done.stderr
    assert len(list((tmp_path / "reports").iterdir())) == 2


def test_without_a_report_tests_pass(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, DAEMON.replace("data race >", "data race; : "))
    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout


@pytest.mark.parametrize(("sanitizer", "body", "words"), [
    ("address", "int* a = new int[2]; delete[] a; return a[argc];", "heap-use-after-free"),
    ("address", "volatile void* lost = new int; lost = nullptr; return 0;", "LeakSanitizer"),
    ("undefined", "int big = 0x7fffffff; big += argc; return big == 5;", "integer overflow"),
    ("address,undefined", "int big = 0x7fffffff; big += argc; return big == 5;", "integer overflow"),
    ("thread", "int n = 0; std::thread t([&] { ++n; }); ++n; t.join(); return 0;", "data race"),
])
def test_a_program_ends_with_its_own_code_after_a_report(tmp_path: Path, sanitizer: str, body: str, words: str) -> None:
    """With the options and suppressions that every program of such a build carries."""
    suppressions = (FOLDER / "tsan.supp").read_text()
    (tmp_path / "defaults.cpp").write_text((FOLDER / "defaults.cpp.in").read_text().replace("@AISPM_TSAN_SUPPRESSIONS@", suppressions))
    (tmp_path / "main.cpp").write_text(f"#include <thread>\nint main(int argc, char**) {{ (void)argc; {body} }}\n")
    subprocess.run(["g++", f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", "-O0", "-o", tmp_path / "program", tmp_path / "main.cpp", tmp_path / "defaults.cpp"],
                   check=True, timeout=120)
    clean = {name: value for name, value in os.environ.items() if not name.endswith("SAN_OPTIONS")}
    done = subprocess.run([tmp_path / "program"], env=clean, capture_output=True, text=True, check=False, timeout=60)
    if "unexpected memory mapping" in done.stderr:  # ThreadSanitizer before version 14 on kernels with vm.mmap_rnd_bits=32
        pytest.skip("ThreadSanitizer cannot run with this kernel's vm.mmap_rnd_bits; `sysctl vm.mmap_rnd_bits=28`")
    assert (done.returncode, words in done.stderr) == (66, True), done.stderr
    watched = dict.fromkeys(("ASAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS"), f"log_path={tmp_path}/report")
    reported = subprocess.run([tmp_path / "program"], env={**clean, **watched}, capture_output=True, check=False, timeout=60)
    reports = "".join(path.read_text() for path in tmp_path.glob("report.*"))
    assert (reported.returncode, words in reports) == (66, True), reports
