#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""GRD-009, POL-031: how soon an agent's next request is refused after an operator has frozen it, with a real collector and a real gateway.

The time runs from before the order is sent until the first request that is refused is sent, until the last line that a run under aispm-run
writes, and, with a gateway that stands still, until the kernel of the host refuses the first connect of a run. The latter also from before the
command `aispm freeze` is started. JSON lines; needs aispm-collector and aispm-gateway, aispm-run for runs, and aispm-sensord and root for the kernel."""

from __future__ import annotations

import json
import os
import signal
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


# Writes when the kernel refuses it to connect a datagram socket to itself, and when no more; asks a thousand times a second.
CONNECTS = """import socket, time
print("ready", flush=True)
was_refused = False
while True:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        now = time.monotonic()
        try:
            asking.connect(("127.0.0.1", 9))
            is_refused = False
        except PermissionError:
            is_refused = True
    if is_refused != was_refused:
        print("refused" if is_refused else "free", now, flush=True)
    was_refused = is_refused
    time.sleep(0.001)
"""


class KernelRun:
    """A run whose connects the kernel judges. Its clock is ours: time namespaces aside, CLOCK_MONOTONIC is the host's."""

    def __init__(self, world, folder: Path) -> None:  # noqa: ANN001
        (folder / "connects.py").write_text(CONNECTS)
        folder.chmod(0o755)
        self.lines: list[list[str]] = []
        self.process = subprocess.Popen([Path(os.environ["AISPM_BIN_DIR"]) / "aispm-run", "--gateway", world.gateway.socket, "--agent", "connects",
                                         str(folder / "connects.py")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder,
                                        env={**os.environ, "HOME": str(folder)})
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.lines.append(line.split())

    def next(self, word: str, after: int) -> float:
        """When it said this for the first time after so many lines."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for line in self.lines[after:]:
                if line[0] == word:
                    return float(line[1]) if len(line) > 1 else 0.0
            time.sleep(0.002)
        raise TimeoutError(f"the run did not say {word}: {self.lines[after:]}")

    def end(self) -> None:
        self.process.kill()
        self.process.wait(timeout=20)


def until_kernel_refuses_ms(world, run: KernelRun, uses_command: bool) -> float:  # noqa: ANN001
    before = len(run.lines)
    begun = time.monotonic()
    if uses_command:
        frozen = world.collector.cli("freeze", "agent", "*/connects", "--reason", "a measurement")
    else:
        frozen = world.freeze("AGENT", "*/connects")
    refused = run.next("refused", before)
    world.lift(frozen)
    run.next("free", before)
    return (refused - begun) * 1000


def measure_kernel(world, folder: Path) -> dict[str, list[float]]:  # noqa: ANN001
    """Nothing where the sensor cannot run. The first freeze since the sensor's start is one of the rounds."""
    if os.geteuid() != 0 or not (Path(os.environ["AISPM_BIN_DIR"]) / "aispm-sensord").exists():
        return {}
    (folder / "sensor.token").touch(mode=0o600)
    (folder / "sensor.token").write_text(world.collector.enrolment_token() + "\n")
    (folder / "sensord.yaml").write_text(f"state_folder: {folder}/sensor\ncollector: {world.collector.grpc}\nenrolment_token_file: {folder}/sensor.token\n"
                                         "enforce:\n  mode: enforce\n  pins: \"\"\n")
    log = folder / "sensord.log"
    with log.open("wb") as out:
        sensor = subprocess.Popen([Path(os.environ["AISPM_BIN_DIR"]) / "aispm-sensord", "--config", folder / "sensord.yaml"], stdout=out, stderr=out)
    run = None
    try:
        deadline = time.monotonic() + 60
        while b"event=started" not in log.read_bytes() and sensor.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(5)  # its first scans of what runs
        run = KernelRun(world, folder)
        run.next("ready", 0)
        while not any("connects" in session["agent_id"] for session in world.rest("GET", "/api/v1/sessions").body["sessions"]):
            time.sleep(0.1)
        world.gateway.process.send_signal(signal.SIGSTOP)  # so that nobody but the kernel stops the run
        try:
            return {"first connect refused in the kernel": [until_kernel_refuses_ms(world, run, False) for _ in range(ROUNDS)],
                    "first connect refused in the kernel, from the start of `aispm freeze`":
                        [until_kernel_refuses_ms(world, run, True) for _ in range(ROUNDS)]}
        finally:
            world.gateway.process.send_signal(signal.SIGCONT)
    finally:
        if run is not None:
            run.end()
        sensor.terminate()
        sensor.wait(timeout=60)


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
            has_runs = (Path(os.environ["AISPM_BIN_DIR"]) / "aispm-run").exists()
            stills = measure_run(world, folder) if has_runs else []
            kernel = measure_kernel(world, folder) if stills else {}
        finally:
            if gateway is not None:
                gateway.stop()
            collector.stop()
            provider.terminate()
            provider.wait(timeout=10)
    if not stills:
        print(json.dumps({"name": "freeze: a run stands still", "skipped": "aispm-run is not built, or starts no sandbox here"}))
    if not kernel:
        print(json.dumps({"name": "freeze: first connect refused in the kernel", "skipped": "needs root, aispm-sensord and a sandbox"}))
    for what, times in (("next request refused", [one[0] for one in rounds]), ("in force in the gateway", [one[1] for one in rounds]),
                        ("a run stands still", stills), *kernel.items()):
        if not times:
            continue
        for figure, value in (("p50", statistics.median(times)), ("max", max(times))):
            print(json.dumps({"name": f"freeze: {what}, {figure} of {ROUNDS}", "value": round(value, 1), "unit": "ms", "target": f"<= {TARGET_MS:.0f}",
                              "ok": value <= TARGET_MS}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
