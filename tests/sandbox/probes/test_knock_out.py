# SPDX-License-Identifier: Apache-2.0
"""Each layer left out in turn: at least one probe that was refused now succeeds, so the layer is what refused it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from conftest import BUILD, RUN
from outside import IS_ROOT, KINDS, inside, why_not, prepare

LAUNCHER = BUILD / "tests/sandbox_knock_out"

# (layer, what must be out already so that no other layer stands in front, kinds of callers)
LAYERS = [
    ("seccomp", "", KINDS),
    ("landlock", "", KINDS),
    ("netns", "", KINDS),
    ("uid", "", [kind for kind in KINDS if kind == "root"]),
    ("fds", "", KINDS),
    ("proc", "", KINDS),
    ("namespaces", "seccomp", KINDS),
]
# Succeed without doing anything to the host, whichever layer is missing.
HARMLESS = [
    "add-key", "af-unix", "clone-newuser", "device-ioctl", "execveat-empty-path", "host-loopback", "i386-getpid", "inherited-fd-7", "inherited-fds",
    "kcmp", "keyctl", "memfd", "name-to-handle", "netlink-sock-diag", "out-of-band", "personality-no-randomize", "proc-cmdline", "proc-kallsyms",
    "proc-stat", "proc-version", "ptrace-traceme", "read-root-only", "signal-init-0", "unshare-net", "unshare-user", "vmsplice-gift",
]


def flipped(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [name for name in before if before[name] != "ok" and after[name] == "ok"]


def test_each_layer_stops_something(capsys: pytest.CaptureFixture[str]) -> None:
    if why := why_not(KINDS[0]):
        pytest.skip(why)
    rows: list[tuple[str, str, str, list[str]]] = []
    with prepare("knock-out") as outside:
        runs = {}
        for kind in KINDS:
            for out in {"", *(beyond for _, beyond, _ in LAYERS)}:
                runs[kind, out] = inside(outside, kind, HARMLESS, LAUNCHER, out).results
            assert runs[kind, ""] == inside(outside, kind, HARMLESS).results  # nothing out: it is aispm-run
        for layer, beyond, kinds in LAYERS:
            for kind in kinds:
                after = inside(outside, kind, HARMLESS, LAUNCHER, ",".join(filter(None, (beyond, layer)))).results
                rows.append((layer, beyond, kind, flipped(runs[kind, beyond], after)))
    with capsys.disabled():
        print("\nlayer left out          caller  probes that then succeed")
        for layer, beyond, kind, names in rows:
            print(f"{layer + (f' (and {beyond})' if beyond else ''):<24}{kind:<8}{' '.join(names) or '-'}")
        if not IS_ROOT:
            print("uid: only root has one to give up, and this run is not root")
    assert [(layer, kind) for layer, _, kind, names in rows if not names] == []


def test_the_product_has_no_such_switch() -> None:
    if why := why_not(KINDS[0]):
        pytest.skip(why)
    assert b"AISPM_KNOCK_OUT" in LAUNCHER.read_bytes()
    assert b"AISPM_KNOCK_OUT" not in RUN.read_bytes()
