# SPDX-License-Identifier: Apache-2.0
"""Suites of others, fetched from Debian into build/fixtures and built there. Nothing of them is part of this tree."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parents[3] / "build/fixtures"
SOURCE = "linux-source-6.1"
SELFTESTS = f"{SOURCE}/tools/testing/selftests"
# Program: (source file, libraries).
PROGRAMS = {"seccomp_bpf": "seccomp/seccomp_bpf.c", "landlock_base": "landlock/base_test.c", "landlock_fs": "landlock/fs_test.c",
            "landlock_ptrace": "landlock/ptrace_test.c"}
DEEPCE_COMMIT = "a08648ded9df038e8d98de455dca4624a77b3812"
DEEPCE_SHA256 = "e824950f8a93a21bfb2851ca4ec51f442423d7d89b4372d1e12b3b2be44d84e0"
STRESS_PACKAGES = ["stress-ng", "libipsec-mb1", "libjudydebian1", "libsctp1"]


def run(words: list[str | Path], folder: Path, seconds: float = 300) -> None:
    ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)
    if ended.returncode != 0:
        raise RuntimeError(f"{words[0]} {words[1]}: {ended.stderr.strip()[-300:]}")


def download(packages: list[str], folder: Path) -> list[Path]:
    """Debian's packages; skips the test, saying why, where they cannot be had."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        run(["apt-get", "download", "-q", *packages], folder)
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"{packages[0]} cannot be fetched: {error}")
    return [next(folder.glob(f"{package}_*.deb")) for package in packages]


def selftests() -> Path:
    """The folder of the kernel's own tests of seccomp and Landlock. `NAME-quick` gives up on what hangs after a second instead of thirty."""
    folder = FIXTURES / "selftests"
    done = folder / "bin/done"
    if done.exists():
        return done.parent
    (package,) = download([SOURCE], folder)
    wanted = " ".join(f'"{SELFTESTS}/{path}"' for path in ("seccomp/*", "landlock/*", "*.h"))
    run(["sh", "-c", f"dpkg-deb --fsys-tarfile {package.name} | tar xO ./usr/src/{SOURCE}.tar.xz | tar xJ --wildcards {wanted}"], folder)
    package.unlink()
    tests = folder / SELFTESTS
    harness = (tests / "kselftest_harness.h").read_text()
    (folder / "bin").mkdir(exist_ok=True)
    try:
        for limit, suffix in ((30, ""), (1, "-quick")):
            (tests / "kselftest_harness.h").write_text(harness.replace("define TEST_TIMEOUT_DEFAULT 30", f"define TEST_TIMEOUT_DEFAULT {limit}"))
            for name, source in PROGRAMS.items():
                run(["gcc", "-O1", "-w", "-static", "-I.", "-o", folder / f"bin/{name}{suffix}", source, "-lcap", "-lpthread"], tests)
    except RuntimeError as error:
        pytest.skip(f"the kernel's tests cannot be built: {error}")
    finally:
        (tests / "kselftest_harness.h").write_text(harness)
    done.touch()
    return done.parent


def stress_ng() -> Path:
    """The folder with stress-ng and `lib`, which holds what it needs beyond the base system."""
    folder = FIXTURES / "stress-ng"
    done = folder / "root/done"
    if done.exists():
        return done.parent
    for package in download(STRESS_PACKAGES, folder):
        run(["dpkg-deb", "-x", package.name, "unpacked"], folder)
        package.unlink()
    (folder / "root/lib").mkdir(parents=True, exist_ok=True)
    run(["sh", "-c", "cp unpacked/usr/bin/stress-ng root/ && find unpacked -name '*.so*' -exec cp -a {} root/lib/ ';'"], folder)
    done.touch()
    return done.parent


def deepce() -> Path:
    """A folder with deepce.sh as its author published it. No registry has it, so AISPM_DEEPCE names a copy: tests send nothing elsewhere."""
    folder = FIXTURES / "deepce"
    script = folder / "deepce.sh"
    if not script.exists():
        given = os.environ.get("AISPM_DEEPCE")
        if not given:
            pytest.skip(f"deepce is in no registry; AISPM_DEEPCE must name a copy of stealthcopter/deepce at {DEEPCE_COMMIT[:12]}")
        folder.mkdir(parents=True, exist_ok=True)
        fetched = folder / "fetched"
        shutil.copyfile(given, fetched)
        assert hashlib.sha256(fetched.read_bytes()).hexdigest() == DEEPCE_SHA256, f"{fetched} is not the deepce.sh that is pinned here"
        fetched.rename(script)
    return folder
