# SPDX-License-Identifier: Apache-2.0
"""CO-RE portability: the sensor's self-test on Debian's stock 6.1 cloud kernel."""

import os
from pathlib import Path

import guest
import pytest

BUILD = Path(os.environ["AISPM_BUILD_DIR"])
SENSORD = Path(os.environ["AISPM_BIN_DIR"]) / "aispm-sensord"
KERNEL = r"linux-image-6\.1\.0-\d+-cloud-amd64"


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> guest.Outcome:
    # The package is kept beside the presets, so that a second run needs no download.
    try:
        kernel = guest.fetch_kernel(BUILD.parent / "kernels" / "6.1", KERNEL)
        image = guest.make_initramfs(tmp_path_factory.mktemp("guest"), [SENSORD], "/bin/aispm-sensord --selftest")
        return guest.boot(kernel, image)
    except guest.CannotBoot as reason:
        pytest.skip(str(reason))


def test_the_self_test_passes_on_debians_6_1_kernel(outcome: guest.Outcome) -> None:
    assert outcome.exit_code == 0, outcome.console[-6000:]


def test_the_programs_ran_on_ebpf_and_not_degraded(outcome: guest.Outcome) -> None:
    assert "/proc polling" not in outcome.console, outcome.console[-6000:]
