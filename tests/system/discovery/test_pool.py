# SPDX-License-Identifier: Apache-2.0
"""`pool:` of sensord.yaml: the sensor starts aispm-pool, starts it again when it dies, and takes it along at its end. SBX-021."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SENSORD, Sensor

RUN = SENSORD.parent / "aispm-run"
POOL = SENSORD.parent / "aispm-pool"


def pools_of(sensor: Sensor) -> list[int]:
    """Children of the daemon, of any of its threads."""
    found = []
    for task in Path(f"/proc/{sensor.daemon.pid}/task").iterdir():
        for pid in (task / "children").read_text().split():
            try:
                if Path(f"/proc/{pid}/comm").read_text() == "aispm-pool\n":
                    found.append(int(pid))
            except OSError:
                continue
    return found


def run_warm(socket: Path) -> str:
    """What aispm-run said when a sandbox waited for it."""
    for _ in range(150):
        ended = subprocess.run([RUN, "--offline", "--pool", "--pool-socket", socket, "--verbose", "--", "/bin/echo", "ran"], capture_output=True,
                               text=True, timeout=60, check=False)  # fmt: skip
        assert (ended.returncode, ended.stdout) == (0, "ran\n"), ended.stderr
        if "warm start" in ended.stderr:
            return ended.stderr
        time.sleep(0.2)
    raise AssertionError(f"no sandbox ever waited: {ended.stderr}")


@pytest.fixture(autouse=True)
def built() -> None:
    for program in (RUN, POOL):
        if not program.exists():
            pytest.skip(f"{program} is not built")


def test_the_sensor_keeps_a_pool(make_sensor: Callable[[str], Sensor], tmp_path: Path) -> None:
    socket = tmp_path / "pool.sock"
    sensor = make_sensor(f"pool:\n  enabled: true\n  socket: {socket}\n  entries: 2\n")
    sensor.start()
    sensor.wait(lambda: socket.exists() or None, 20, "the pool's socket")
    run_warm(socket)
    (first,) = pools_of(sensor)
    os.kill(first, signal.SIGKILL)
    second = sensor.wait(lambda: [pid for pid in pools_of(sensor) if pid != first] or None, 30, "another pool")[0]
    assert "pool.ended" in sensor.log.read_text()
    run_warm(socket)
    sensor.daemon.terminate()
    sensor.daemon.wait(timeout=60)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{second}").exists():
        assert time.monotonic() < deadline, "the pool outlived the sensor"
        time.sleep(0.05)


def test_a_pool_that_is_not_there_is_a_clear_refusal(tmp_path: Path) -> None:
    config = tmp_path / "sensord.yaml"
    config.write_text(f"state_folder: {tmp_path}/state\npool:\n  enabled: true\n  program: /nonexistent/aispm-pool\n")
    ended = subprocess.run([SENSORD, "--config", config, "--stdout"], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "pool.program: /nonexistent/aispm-pool cannot be executed" in ended.stderr
