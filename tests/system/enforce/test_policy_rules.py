# SPDX-License-Identifier: Apache-2.0
"""`sensor.yaml` of a bundle, from push to the kernel: monitored it reports, enforced it refuses, withdrawn it is gone."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "delivery"))
from real_collector import Collector, binary  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))
import programs  # noqa: E402 - the path is set above

CONNECT = "import socket, sys\nsocket.create_connection(('127.0.0.1', int(sys.argv[1])))"
WAIT_SECONDS = 60  # generous: machines of tests are busy


def wait_for(what: Callable[[], Any], describe: str) -> Any:
    return programs.wait_for(what, WAIT_SECONDS, describe)


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    for name in ("aispm-collector", "aispm-sensord", "aispm"):
        if not binary(name).exists():
            pytest.skip(f"{binary(name)} is not built")
    if os.geteuid() != 0:
        pytest.skip("aispm-sensord needs root")
    (tmp_path / "c").mkdir()
    made = Collector(tmp_path / "c")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def sensor(collector: Collector, tmp_path: Path) -> Iterator[None]:
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text(collector.enrolment_token() + "\n")
    config = tmp_path / "sensord.yaml"
    config.write_text(f"state_folder: {tmp_path}/state\ncollector: {collector.grpc}\nenrolment_token_file: {token}\n"
                      "enforce:\n  mode: enforce\n  pins: \"\"\n")
    with (tmp_path / "sensord.log").open("wb") as log:
        process = subprocess.Popen([binary("aispm-sensord"), "--config", config], stdout=log, stderr=log)
    try:
        wait_for(lambda: b"event=started" in (tmp_path / "sensord.log").read_bytes() or process.poll() is not None, "the sensor starts")
        assert process.poll() is None, (tmp_path / "sensord.log").read_text()
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A Python of this test's own: rules that name it concern nobody else."""
    path = tmp_path / "watched-python"
    shutil.copy2(Path(sys.executable).resolve(), path)
    path.chmod(0o755)
    return path


def may_connect(program: Path, port: int) -> bool:
    done = subprocess.run([program, "-I", "-c", CONNECT, str(port)], capture_output=True, text=True, timeout=60, check=False,
                          env={"PYTHONHOME": sys.base_prefix, "PATH": os.environ["PATH"]})
    assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
    return done.returncode == 0


def sensor_states(collector: Collector, version: int) -> list[dict[str, Any]]:
    policy = collector.cli("policy", "hosts", "kernel")
    return [s for s in policy.get("states", []) if s["component"] == "sensord" and int(s["version"]) == version]


@pytest.mark.usefixtures("sensor")
def test_a_policys_rules_reach_the_kernel_and_leave_it(collector: Collector, program: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "sensor.yaml").write_text(f"rules:\n  - {{id: no-net, mode: enforce, exe: \"{program}\", addresses: [127.0.0.1]}}\n")
    collector.cli("policy", "push", "kernel", str(bundle))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        collector.cli("policy", "promote", "kernel", "monitor", "--reason", "first look")
        state = wait_for(lambda: sensor_states(collector, 1), "the sensor's word")[0]
        assert state["problem"] == ""
        assert may_connect(program, port), "a monitored policy refuses nothing"
        collector.cli("policy", "promote", "kernel", "enforced", "--reason", "nothing odd")
        wait_for(lambda: not may_connect(program, port), "the kernel refuses")
        socket.create_connection(("127.0.0.1", port)).close()  # others are not concerned
        collector.cli("policy", "promote", "kernel", "monitor", "--reason", "enough")
        wait_for(lambda: may_connect(program, port), "the kernel refuses no longer")


@pytest.mark.usefixtures("sensor")
def test_what_a_sensor_cannot_do_stands_beside_the_host(collector: Collector, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "sensor.yaml").write_text("rules: [{id: nowhere, exe: /nowhere/x, addresses: ['not an address']}]\n")
    collector.cli("policy", "push", "kernel", str(bundle))
    collector.cli("policy", "promote", "kernel", "monitor", "--reason", "first look")
    state = wait_for(lambda: sensor_states(collector, 1), "the sensor's word")[0]
    assert "is no address" in state["problem"]
    with pytest.raises(RuntimeError, match="is no address"):
        collector.cli("policy", "promote", "kernel", "enforced", "--reason", "all the same")
