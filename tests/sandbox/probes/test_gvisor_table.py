# SPDX-License-Identifier: Apache-2.0
"""The table of attempts with `isolation: gvisor`: gVisor answers system calls, so other words than ours refuse most of them, and some succeed
on objects that are gVisor's own. Which, and why that gains nothing, is listed here and in docs/adr/0039. SBX-020."""

from __future__ import annotations

import functools
import shutil
import stat
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from outside import KINDS, POOL_WORDS, Inside, all_inside, inside, prepare, why_not
from table import all_probes

# Process 1 inside is the program itself: it would end itself.
ITSELF = {"kill-init", "stop-init"}
# Succeeds, and reaches nothing of the host. In the order of docs/adr/0039.
OWN = {
    "gVisor's own kernel makes it": {
        "memfd", "memfd-high-half", "memfd-exec-seal-off", "execveat-empty-path", "io-uring-setup", "userfaultfd", "userfaultfd-user-mode",
        "unshare-user", "unshare-net", "unshare-mount", "unshare-time", "clone-newuser", "clone-newuser-high-half", "clone-newpid", "clone3-newuser",
        "clone3-plain", "seccomp-mute-reporter", "prctl-set-seccomp", "prctl-high-half", "seccomp-listener", "personality-no-randomize", "af-unix",
        "netlink-uevent", "out-of-band", "af-packet", "af-packet-dgram", "raw-ip", "raw-ip6", "ping-socket"},
    "among the program's own processes": {"ptrace-traceme", "ptrace-attach", "ptrace-seize", "process-vm-readv", "process-vm-writev", "pidfd-getfd-own",
                                          "process-madvise", "signal-init-0", "setuid-root", "setgid-root", "nice-below", "real-time-fifo", "real-time-rr"},
    "process 1 is the program": {"proc-1-root", "proc-1-environ", "proc-1-mem", "init-environment", "write-proc-1-exe"},
    "files of gVisor, not of the host": {"swap-dev-null", "dev-fuse", "dev-kvm", "dev-net/tun", "proc-cmdline", "proc-version", "proc-stat", "proc-uptime",
                                         "proc-meminfo", "proc-sys", "network-hardware", "sysctl-overcommit-write", "sysctl-net-write"},
    "gVisor's own messages": {"syslog", "syslog-read-all"},
    "the bit gives nothing: nosuid and no_new_privs outside": {"setuid-own", "setuid-made"},
}


@functools.cache
def behind_gvisor(kind: str) -> Inside:
    if why := why_not(kind):
        pytest.skip(why)
    if not shutil.which("runsc"):
        pytest.skip("gVisor's runsc is not installed (apt install runsc)")
    if POOL_WORDS:
        pytest.skip("gVisor starts anew each time")
    with prepare(f"gvisor-{kind}") as outside:
        run = inside(outside, kind, sorted(set(all_probes()) - ITSELF), more=("--isolation", "gvisor"))
        # What was tried against the shared and the read-only did nothing outside.
        assert (outside.shared / "file").read_text() == "given"
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    return run


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_the_host_is_reached(kind: str) -> None:
    run = behind_gvisor(kind)
    assert set(run.results) == set(all_probes()) - ITSELF
    own = set().union(*OWN.values())
    free = {name for name, result in run.results.items() if result == "ok" and "ok" not in all_probes()[name].result.split("|")}
    assert free - own == set()
    print(f"{kind}: succeed on gVisor's own objects: {' '.join(sorted(free))}")
    # A leak looked for and not found is ENODATA, whatever else may be answered.
    leaks = {name for name, probe in all_probes().items() if probe.result == "ENODATA" and name not in own}
    assert {name: run.results[name] for name in leaks if run.results[name] != "ENODATA"} == {}


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_is_the_same(kind: str) -> None:
    """The same errno, and the same events."""
    run = behind_gvisor(kind)
    probes = {name: probe for name, probe in all_probes().items() if probe.event and probe.event[0].startswith("KIND_CONNECT")}
    assert {name: run.results[name] for name, probe in probes.items() if run.results[name] not in probe.result.split("|")} == {}
    connects = {(one.kind, one.error) for one in run.denied if one.kind.startswith("KIND_CONNECT")}
    assert connects == {("KIND_CONNECT/tcp", "ECONNREFUSED"), ("KIND_CONNECT/udp", "ECONNREFUSED")}
    seen = {one.target for one in run.denied}
    # On a busy machine some of what one process tries at once is counted without its target.
    plain = {one.target for one in all_inside(kind).denied
             if one.kind.startswith("KIND_CONNECT") and not one.target.startswith(("127.", "[::1]", "(unseen"))}
    assert {target for target in plain if target not in seen and not target.startswith("192.0.2.1")} == set()


@pytest.mark.parametrize("kind", KINDS)
def test_the_start_says_what_is_not_told(kind: str) -> None:
    mechanisms = behind_gvisor(kind).start["mechanisms"]
    assert {"isolation:gvisor", "call_denials:unseen (gVisor answers them)", "file_denials:unseen (gVisor answers them)"} <= set(mechanisms)


def test_root_and_ordinary_users_meet_the_same() -> None:
    root, user = behind_gvisor("root").results, behind_gvisor("user").results
    assert {name for name in root if (root[name] == "ok") != (user[name] == "ok")} == set()


def test_the_document_names_each() -> None:
    text = (Path(__file__).parents[3] / "docs/adr/0039-gvisor-within-the-sandbox.md").read_text()
    assert [name for name in sorted(set().union(*OWN.values())) if f"`{name}`" not in text] == []
