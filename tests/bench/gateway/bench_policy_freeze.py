#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""GRD-009, POL-031: how soon an agent's next request is refused after an operator has frozen it, with a real collector and a real gateway.

The time runs from before the order is sent until the first request that is refused is sent. JSON lines; needs aispm-collector and aispm-gateway."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
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
        finally:
            if gateway is not None:
                gateway.stop()
            collector.stop()
            provider.terminate()
            provider.wait(timeout=10)
    for what, times in (("next request refused", [one[0] for one in rounds]), ("in force in the gateway", [one[1] for one in rounds])):
        for figure, value in (("p50", statistics.median(times)), ("max", max(times))):
            print(json.dumps({"name": f"freeze: {what}, {figure} of {ROUNDS}", "value": round(value, 1), "unit": "ms", "target": f"<= {TARGET_MS:.0f}",
                              "ok": value <= TARGET_MS}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
