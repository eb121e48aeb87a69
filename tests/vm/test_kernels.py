# SPDX-License-Identifier: Apache-2.0
"""Debian's stock cloud kernels: CO-RE portability by the sensor's self-test, and enforcement with the LSM programs that hosts
without BPF LSM cannot run. SEN-002, SEN-003, SEN-004, SEN-005, SEN-020, SEN-022, SEN-030."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import guest
import pytest

BUILD = Path(os.environ["AISPM_BUILD_DIR"])
SENSORD = Path(os.environ["AISPM_BIN_DIR"]) / "aispm-sensord"
ENFORCE = BUILD / "tests" / "kernel_enforce"
KERNELS = {"6.1": r"linux-image-6\.1\.0-\d+-cloud-amd64", "6.12": r"linux-image-6\.12\.\d+\+deb\d+-cloud-amd64"}
SELFTEST = "/bin/aispm-sensord --selftest; echo SELFTEST=$?"
ENFORCEMENT = "; /bin/kernel_enforce; echo ENFORCE=$?"


@dataclass(frozen=True)
class Run:
    kernel: str
    console: str

    def exit_code(self, name: str) -> int | None:
        found = re.search(rf"^{name}=(\d+)", self.console, re.MULTILINE)
        return int(found.group(1)) if found else None


@pytest.fixture(scope="module", params=sorted(KERNELS))
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    if not ENFORCE.exists():
        pytest.skip(f"{ENFORCE} is not built")
    programs = [SENSORD, ENFORCE, Path("/usr/bin/true"), Path("/usr/bin/bash")]
    # The package is kept beside the presets, so that a second run needs no download.
    try:
        kernel = guest.fetch_kernel(BUILD.parent / "kernels" / request.param, KERNELS[request.param])
        image = guest.make_initramfs(tmp_path_factory.mktemp("guest"), programs, SELFTEST + ENFORCEMENT)
        outcome = guest.boot(kernel, image)
    except guest.CannotBoot as reason:
        pytest.skip(str(reason))
    if outcome.exit_code is None and "Kernel panic" not in outcome.console:
        pytest.skip(f"the guest did not end within {guest.BOOT_SECONDS} s: software emulation is too slow here")
    return Run(request.param, outcome.console.replace("\r", ""))


def test_the_self_test_passes(run: Run) -> None:
    assert run.exit_code("SELFTEST") == 0, run.console[-6000:]


def test_the_programs_ran_on_ebpf_and_not_degraded(run: Run) -> None:
    assert "/proc polling" not in run.console, run.console[-6000:]
    assert "kernel feature names: cgroup_skb" in run.console, run.console[-6000:]
    assert "kernel feature stdio: sys_exit" in run.console, run.console[-6000:]


def test_enforcement_works_as_on_the_host(run: Run) -> None:
    assert run.exit_code("ENFORCE") == 0, run.console[-6000:]


def test_lsm_was_in_force(run: Run) -> None:
    skipped = re.findall(r"\[  SKIPPED \] (LsmTest\.\w+)", run.console)
    assert not skipped, run.console[-6000:]
    assert "LsmTest.SEN_005" in run.console
