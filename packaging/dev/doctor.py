# SPDX-License-Identifier: Apache-2.0
"""./dev doctor and clean."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import build
import daemons
import state as states
import up
from ui import ROOT, Refusal


def doctor() -> int:
    """Facts first, then the programs' own self-tests, which prove what they say."""
    print(f"  kernel      {os.uname().release} {os.uname().machine}")
    print(f"  BTF         {'yes' if Path('/sys/kernel/btf/vmlinux').exists() else 'no: the sensor will poll /proc'}")
    print(f"  root        {'yes' if os.geteuid() == 0 else 'no: the sensor cannot load BPF programs'}")
    code = 0
    for program, flag in (("aispm-run", "--doctor"), ("aispm-sensord", "--selftest")):
        path = build.binary(program)
        if not path.exists():
            print(f"  {program}: not built (./dev build)")
            code = 1
            continue
        print(f"\n{program} {flag}", flush=True)
        code = subprocess.call([path, flag]) or code
    return code


def clean(with_state: bool) -> int:
    state = states.current()
    alive = [name for name in up.PARTS if daemons.running(state, name) is not None]
    if alive:
        raise Refusal(f"{', '.join(alive)} still up: ./dev down first")
    folders = [ROOT / "build", build.DASHBOARD / "dist"]
    if with_state:
        folders.append(state.folder)
    for folder in folders:
        if folder.exists():
            shutil.rmtree(folder)
            print(f"  removed {folder}")
    return 0
