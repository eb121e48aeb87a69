# SPDX-License-Identifier: Apache-2.0
"""Starts the real aispm-sensord for a bench, as its service does (nice -5), and reads what it costs and what it lost."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

os.environ.setdefault("AISPM_BIN_DIR", "build/release/bin")
SENSORD = Path(os.environ["AISPM_BIN_DIR"]) / "aispm-sensord"
TICKS = os.sysconf("SC_CLK_TCK")
NICE = -5
NOBODY = "collector: 127.0.0.1:9\n"  # events go to the disk, as on a host whose collector is away


class Missing(Exception):
    """Why this bench cannot run here, with what to do."""


def require(*programs: str) -> None:
    if os.geteuid() != 0:
        raise Missing("needs root: eBPF programs are loaded")
    if not SENSORD.exists():
        raise Missing(f"{SENSORD} is not built: ./dev build")
    for program in programs:
        if shutil.which(program) is None:
            raise Missing(f"{program} is not installed: ./dev bench installs what benches use")


def emit(name: str, value: float, unit: str, target: float | str | None = None, ok: bool | None = None) -> None:
    print(json.dumps({"name": name, "value": round(value, 4), "unit": unit, "target": target, "ok": ok}), flush=True)


def run(bench: Callable[[], None]) -> int:
    """Exit status of a bench's main: what is missing is said, and is no failure."""
    try:
        bench()
    except Missing as why:
        print(f"skipped: {why}", file=sys.stderr)
    return 0


class Sensor:
    """What it prints goes to log(), with the argument --stdout also its events."""

    def __init__(self, folder: Path, config: str = NOBODY, *arguments: str) -> None:
        path = folder / "sensord.yaml"
        path.write_text(f"state_folder: {folder}/state\n{config}")
        self._log = folder / "sensord.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([SENSORD, "--config", str(path), *arguments], stdout=log, stderr=log,
                                             preexec_fn=lambda: os.setpriority(os.PRIO_PROCESS, 0, NICE))
        while "event=started" not in self.log():
            if self._process.poll() is not None:
                raise Missing(f"aispm-sensord did not start: {self.log().strip()[-300:]}")
            time.sleep(0.05)
        time.sleep(1)

    def __enter__(self) -> Sensor:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=60)

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def losses(self) -> dict[str, int]:
        """What it says it lost, in records, by cause."""
        return {cause: int(total) for cause, total in re.findall(r"event=lost cause=(\S+) total=(\d+)", self.log())
                if not cause.endswith(".bytes")}

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_bytes(self, kind: str) -> int:
        """`kind` is Rss or Pss."""
        found = re.search(rf"^{kind}:\s+(\d+) kB", Path(f"/proc/{self._process.pid}/smaps_rollup").read_text(), re.M)
        assert found is not None
        return int(found[1]) * 1024
