#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""GRD-009, POL-031: how soon an agent's next request is refused after an operator has frozen it, with a real collector and a real gateway.

The time runs from before the order is sent until the first request that is refused is sent, and until the last line that a run under aispm-run
writes. JSON lines; needs aispm-collector and aispm-gateway, and aispm-run for runs."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
os.environ.setdefault("AISPM_BIN_DIR", str(ROOT / "build" / "release" / "bin"))
ROUNDS = 20
TARGET_MS = 100.0
sys.path.insert(0, str(ROOT / "tests" / "support"))

from by_path import load  # noqa: E402 - the path is set above


def until_refused_ms(world, agent: str) -> tuple[float, float]:  # noqa: ANN001
    """Until a request is refused, and what the gateway itself said of it."""
    begun = time.monotonic()
    frozen = world.freeze("AGENT", agent)
    while True:
        sent = time.monotonic()
        if world.gateway.ask(world.key).status == 403:
            break
    states = []
    while not states:
        states = world.freeze_states(frozen)
    world.lift(frozen)
    while world.gateway.ask(world.key).status != 200:
        time.sleep(0.02)
    return (sent - begun) * 1000, int(states[0]["latency_us"]) / 1000


class Run:
    """An agent under aispm-run that writes a line every few milliseconds, until it is frozen."""

    STILL_SECONDS = 0.4

    def __init__(self, world, folder: Path) -> None:  # noqa: ANN001
        binary = Path(os.environ["AISPM_BIN_DIR"]) / "aispm-run"
        self.last = time.monotonic()
        self.process = subprocess.Popen([binary, "--gateway", world.gateway.socket, "--agent", "bench", "--", "/bin/sh", "-c",
                                         "while :; do echo x; sleep 0.005; done"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        cwd=folder, env={**os.environ, "HOME": str(folder)})
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for _ in self.process.stdout or ():
            self.last = time.monotonic()

    def is_still(self) -> bool:
        return time.monotonic() - self.last > self.STILL_SECONDS

    def end(self) -> None:
        self.process.kill()
        self.process.wait(timeout=20)


def until_still_ms(world, run: Run) -> float:  # noqa: ANN001
    """Until the last line of a run."""
    begun = time.monotonic()
    frozen = world.freeze("AGENT", "*/bench")
    while not run.is_still():
        time.sleep(0.01)
    last = run.last
    world.lift(frozen)
    while run.is_still():
        time.sleep(0.01)
    return max(0.0, last - begun) * 1000


def measure_run(world, folder: Path) -> list[float]:  # noqa: ANN001
    """Nothing where no sandbox starts."""
    run = Run(world, folder)
    try:
        deadline = time.monotonic() + 30
        started = run.last
        while run.last == started and run.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if run.last == started:
            return []
        return [until_still_ms(world, run) for _ in range(ROUNDS)]
    finally:
        run.end()


def main() -> int:
    control = load("control", ROOT / "tests" / "system" / "control" / "conftest.py")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key", "-out",
                        folder / "crt"], check=True, capture_output=True)
        port = control.free_port()
        provider = subprocess.Popen([sys.executable, str(control.PROVIDER), "--port", str(port), "--cert", str(folder / "crt"), "--key",
                                     str(folder / "key")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for part in ("c", "gw"):
            (folder / part).mkdir()
        collector = control.Collector(folder / "c")
        gateway = None
        try:
            collector.start()
            gateway = control.Gateway(folder / "gw", collector, port, folder / "crt")
            gateway.start()
            world = control.World(collector, gateway, str(collector.cli("agent", "create-key", control.AGENT)["key"]))
            deadline = time.monotonic() + 120
            while gateway.ask(world.key).status != 200 and time.monotonic() < deadline:
                time.sleep(0.1)
            rounds = [until_refused_ms(world, control.AGENT) for _ in range(ROUNDS)]
            stills = measure_run(world, folder) if (Path(os.environ["AISPM_BIN_DIR"]) / "aispm-run").exists() else []
        finally:
            if gateway is not None:
                gateway.stop()
            collector.stop()
            provider.terminate()
            provider.wait(timeout=10)
    if not stills:
        print(json.dumps({"name": "freeze: a run stands still", "skipped": "aispm-run is not built, or starts no sandbox here"}))
    for what, times in (("next request refused", [one[0] for one in rounds]), ("in force in the gateway", [one[1] for one in rounds]),
                        ("a run stands still", stills)):
        if not times:
            continue
        for figure, value in (("p50", statistics.median(times)), ("max", max(times))):
            print(json.dumps({"name": f"freeze: {what}, {figure} of {ROUNDS}", "value": round(value, 1), "unit": "ms", "target": f"<= {TARGET_MS:.0f}",
                              "ok": value <= TARGET_MS}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
