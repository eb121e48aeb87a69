# SPDX-License-Identifier: Apache-2.0
"""Where a host lacks something nothing runs, and the refusal names the remedy that `aispm-run doctor` names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import RUN, Sandbox

POOR_HOST = Path(__file__).parent / "poor_host.py"
# What is taken away, the mechanism that doctor then finds missing, and words of the remedy.
LACKS = [
    ("user-namespaces", "user namespaces", "sysctl -w user.max_user_namespaces=15000"),
    ("proc", "/proc", "systempaths=unconfined"),
    ("proc-sys", "/proc/sys", "writable /proc/sys"),
    ("landlock", "landlock", "lsm=landlock,"),
    ("clone3", "namespaces", "a seccomp profile that allows clone3"),
    ("clone3-unknown", "namespaces", "a seccomp filter around this program refuses clone3"),
    ("seccomp", "seccomp", "CONFIG_SECCOMP_FILTER"),
]


@pytest.fixture
def poor_folder() -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("taking things away from a host, in namespaces of the test's own, needs root")
    if not RUN.exists():
        pytest.skip(f"{RUN} is not built")
    folder = Path("/var/tmp") / f"aispm-doctor-{os.getpid()}"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    yield folder
    shutil.rmtree(folder)


def on_poor_host(lack: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-I", str(POOR_HOST), lack, "--", str(RUN), *words], capture_output=True, text=True, timeout=60, cwd=folder,
                          env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)})


def rows(table: str) -> dict[str, str]:
    """Mechanism -> state."""
    lines = [line for line in table.splitlines() if not line.startswith("  ")]
    column = lines[0].index("mechanism"), lines[0].index("found")
    return {line[column[0]:column[1]].strip(): line.split()[0] for line in lines[1:] if line.split() and line.split()[0] in ("ok", "weaker", "MISSING")}


@pytest.mark.parametrize(("lack", "mechanism", "remedy"), LACKS)
def test_what_is_missing_is_refused_with_the_remedy_that_doctor_names(poor_folder: Path, lack: str, mechanism: str, remedy: str) -> None:
    ended = on_poor_host(lack, poor_folder, "--offline", "--", "/bin/echo", "ran")
    assert ended.returncode == 125, ended.stderr
    assert ended.stdout == ""
    assert remedy in ended.stderr
    doctor = on_poor_host(lack, poor_folder, "--offline", "doctor")
    assert doctor.returncode == 1
    found = rows(doctor.stdout)
    assert found[mechanism] == "MISSING", doctor.stdout
    assert found["trial run"] == "MISSING"
    assert remedy in doctor.stdout


def test_a_whole_host_has_nothing_missing(sandbox: Sandbox) -> None:
    for words in (["--offline", "doctor"], ["--offline", "--doctor"]):
        ended = sandbox.run(*words)
        assert ended.returncode == 0, ended.stdout
        found = rows(ended.stdout)
        assert "MISSING" not in found.values()
        assert {"kernel", "namespaces", "landlock", "seccomp", "/proc", "control groups", "audit", "gateway", "trial run"} <= set(found)
        if sandbox.kind == "user":
            assert found["audit"] == "weaker"


def test_a_program_called_doctor_can_be_run(sandbox: Sandbox) -> None:
    program = sandbox.folder / "doctor"
    program.write_text("#!/bin/sh\necho a program\n")
    program.chmod(0o755)
    assert sandbox.run("--offline", "--ro", program, "--", "./doctor").stdout == "a program\n"


def test_doctor_prints_the_app_armor_profile_that_is_shipped() -> None:
    """The words of the remedy are in the program; no host of ours has the restriction itself."""
    shipped = Path(__file__).parents[2] / "packaging/apparmor/aispm-run"
    if not RUN.exists():
        pytest.skip(f"{RUN} is not built")
    assert shipped.read_bytes() in RUN.read_bytes()
