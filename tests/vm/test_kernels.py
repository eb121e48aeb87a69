# SPDX-License-Identifier: Apache-2.0
"""Debian's stock cloud kernels: the self-test and its hooks, capture as it was sent, files, names, stdio, and enforcement with the
LSM programs that hosts without BPF LSM cannot run; all kernels give the same results. SEN-002, SEN-003, SEN-004, SEN-005, SEN-020,
SEN-022, SEN-030."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import guest
import pytest

BUILD = Path(os.environ["AISPM_BUILD_DIR"])
SENSORD = Path(os.environ["AISPM_BIN_DIR"]) / "aispm-sensord"
KERNELS = {"6.1": r"linux-image-6\.1\.0-\d+-cloud-amd64", "6.12": r"linux-image-6\.12\.\d+\+deb\d+-cloud-amd64"}
# The tests that run in a guest. Emulation is slow: of the sensor's own at least one of each program and of each way to see.
SUITES = {
    "kernel_enforce": ["*"],
    "kernel_sensor": [
        "AgentsTest.FollowsADaemonisedGrandchild", "AgentsTest.TellsTheFileBehindASymbolicLink",
        "ProcessTest.ExecKeepsArgumentsOfEverySizeUpToTheLimit", "ProcessTest.ExitCarries*", "NetworkTest.*V4*",
        "TlsTest.CapturedEqualsSentForEverySizeAndFunction", "TlsTest.ChunksCarryProcessThreadSocketAndTimes",
        "TlsTest.RetriedWritesAreSeenOnce", "TlsLossTest.WhatAFullRingLosesIsCountedToTheByte",
        "TlsLifeTest.OneConnectionOnTwoThreadsKeepsBothDirectionsWhole",
    ],
    "kernel_sockets": [
        "NamesTest.TlsHelloInTwoOrThreeSegmentsIsOneName", "NamesTest.Dns*", "PlainTest.RequestsAndReplies*",
        "SocketsTest.TotalsAtClose*", "SocketsTest.UdpConnection*", "InitialState.*", "StdioTest.Pipes*",
    ],
}
# Self-test lines that name a hook which not every kernel has. The others are the same everywhere.
HOOKS = {
    "6.1": {"sock_send_length": "no", "tls_socket": "syscalls", "uprobe_multi": "no"},
    "6.12": {"sock_send_length": "yes", "tls_socket": "sock_send_length", "uprobe_multi": "yes"},
}
HOOKS_OF_ALL = {"agents": "tp_btf", "files": "system call tracepoints while an agent runs", "names": "cgroup_skb",
                "network": "tp_btf", "process": "tp_btf", "stdio": "sys_exit while a server runs", "tls": "uprobe",
                "tls_libraries": "perf mmap2"}


@dataclass(frozen=True)
class Run:
    kernel: str
    console: str

    def exit_code(self, name: str) -> int | None:
        found = re.search(rf"^{name}=(\d+)", self.console, re.MULTILINE)
        return int(found.group(1)) if found else None

    def features(self) -> dict[str, str]:
        return dict(re.findall(r"^kernel feature (\w+): (.*?)\s*$", self.console, re.MULTILINE))

    def verdicts(self) -> dict[str, str]:
        """The self-test's table: feature -> verdict."""
        table = self.console.partition("\nFEATURE ")[2].partition("\nkernel feature")[0]
        return {row[:14].strip(): row[34:46].strip() for row in table.splitlines()[1:] if row.strip()}

    def tests(self, outcome: str) -> set[str]:
        return set(re.findall(rf"\[ +{outcome} +\] (\w+\.\w+)", re.sub(r"\x1b\[[0-9;]*m", "", self.console)))


def command() -> str:
    suites = "; ".join(f"/bin/{name} --gtest_filter='{':'.join(tests)}'; echo {name}=$?" for name, tests in SUITES.items())
    return f"/bin/aispm-sensord --selftest; echo SELFTEST=$?; {suites}"


def boot(kernel: str, folder: Path) -> Run | str:
    """What its guest printed, or why there is none."""
    suites = [BUILD / "tests" / name for name in SUITES]
    for program in [SENSORD, *suites]:
        if not program.exists():
            return f"{program} is not built"
    try:
        # The package is kept beside the presets, so that a second run needs no download.
        image = guest.fetch_kernel(BUILD.parent / "kernels" / kernel, KERNELS[kernel])
        programs = [SENSORD, *suites, Path("/usr/bin/true"), Path("/usr/bin/bash")]
        outcome = guest.boot(image, guest.make_initramfs(folder, programs, command()))
    except guest.CannotBoot as reason:
        return str(reason)
    if outcome.exit_code is None and "Kernel panic" not in outcome.console:
        return f"the guest of {kernel} did not end within {guest.BOOT_SECONDS} s: software emulation is too slow here"
    return Run(kernel, outcome.console.replace("\r", ""))


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run | str]:
    folders = [tmp_path_factory.mktemp("guest") for _ in KERNELS]
    with ThreadPoolExecutor() as pool:  # a guest keeps one processor busy
        return dict(zip(KERNELS, pool.map(boot, KERNELS, folders), strict=True))


@pytest.fixture(params=sorted(KERNELS))
def run(request: pytest.FixtureRequest, runs: dict[str, Run | str]) -> Run:
    one = runs[request.param]
    if isinstance(one, str):
        pytest.skip(one)
    return one


def test_the_self_test_passes(run: Run) -> None:
    assert run.exit_code("SELFTEST") == 0, run.console[:6000]
    assert len(run.verdicts()) >= 13 and set(run.verdicts().values()) == {"ok"}, run.console[:6000]


def test_each_part_uses_the_hook_that_its_kernel_has(run: Run) -> None:
    features = run.features()
    expected = HOOKS_OF_ALL | HOOKS[run.kernel]
    assert {name: features.get(name) for name in expected} == expected, run.console[:6000]
    assert "/proc polling" not in run.console


@pytest.mark.parametrize("suite", sorted(SUITES))
def test_the_suite_passes(run: Run, suite: str) -> None:
    assert run.exit_code(suite) == 0, f"{run.tests('FAILED')}\n{run.console[-6000:]}"


def test_nothing_was_skipped_and_lsm_was_in_force(run: Run) -> None:
    assert not run.tests("SKIPPED"), run.console[-6000:]
    assert any(name.startswith("LsmTest.SEN_005") for name in run.tests("OK")), run.console[-6000:]


def test_all_kernels_give_the_same_results(runs: dict[str, Run | str]) -> None:
    results = {}
    for kernel, run in runs.items():
        if isinstance(run, str):
            pytest.skip(run)
        results[kernel] = (run.verdicts(), run.tests("OK"))
    first = next(iter(results.values()))
    assert len(first[1]) > 50
    assert all(result == first for result in results.values()), results
