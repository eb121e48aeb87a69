# SPDX-License-Identifier: Apache-2.0
"""A sensor of one's own that prints what it sees; tests look for their own processes and files only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SENSORD = Path(os.environ["AISPM_BIN_DIR"]) / "aispm-sensord"


class Sensor:
    def __init__(self, folder: Path, config: str) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.gpu = folder / "nvidia0"
        self.gpu.write_text("")
        self.signatures = folder / "signatures"
        self.signatures.mkdir()
        (self.signatures / "empty.yaml").write_text("schema: aispm.signatures/v1\n")
        (self.home / ".cursor").mkdir(parents=True)
        users = folder / "passwd"
        users.write_text(f"tester:x:{os.getuid()}:0::{self.home}:/bin/sh\n")
        (folder / "sensord.yaml").write_text(
            f"state_folder: {folder}/state\nsignatures: {self.signatures}\ndiscovery:\n  users: {users}\n"
            f"  gpu_devices: [{self.gpu}]\n  scan_interval: 3s\n  probe_interval: 1s\n{config}")
        self.output = folder / "events.json"
        self.log = folder / "sensord.log"
        self.children: list[subprocess.Popen[bytes]] = []

    def start(self, *prefix: str) -> None:
        """Starts the daemon, behind the words of another command if some are given."""
        self.daemon = subprocess.Popen([*prefix, SENSORD, "--config", str(self.folder / "sensord.yaml"), "--stdout"],
                                       stdout=self.output.open("wb"), stderr=self.log.open("wb"))
        self.wait(lambda: "component_health" in self.output.read_text(errors="replace") or None, 60, "the sensor to start")

    def stop(self) -> None:
        for child in [*self.children, self.daemon]:
            child.terminate()
        for child in [*self.children, self.daemon]:
            child.wait(timeout=60)

    def run(self, *command: str | Path) -> subprocess.Popen[bytes]:
        child = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.children.append(child)
        return child

    def python(self, name: str, text: str, *arguments: str) -> subprocess.Popen[bytes]:
        script = self.folder / name
        script.write_text(text)
        return self.run(sys.executable, script, *arguments)

    def events(self) -> list[dict[str, Any]]:
        lines = self.output.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.endswith("}")]

    def assets(self, kind: str, word: str) -> list[dict[str, Any]]:
        """Reports about assets of that kind that mention the word."""
        return [e for e in self.events() if e.get("asset", {}).get("kind") == kind and word in json.dumps(e["asset"])]

    def wait(self, find: Callable[[], Any], seconds: float, what: str) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := find():
                return found
            time.sleep(0.1)
        raise AssertionError(f"no {what} within {seconds} s\n{self.log.read_text()[-2000:]}")


@pytest.fixture
def make_sensor(tmp_path: Path) -> Iterator[Callable[[str], Sensor]]:
    if os.geteuid() != 0:
        pytest.skip("needs root: it looks into other processes")
    made: list[Sensor] = []

    def make(config: str = "") -> Sensor:
        made.append(Sensor(tmp_path, config))
        return made[-1]

    yield make
    for sensor in made:
        sensor.stop()
