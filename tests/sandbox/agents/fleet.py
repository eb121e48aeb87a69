# SPDX-License-Identifier: Apache-2.0
"""What an operator has: a real collector, and as root a real sensor, both told of what runs behind the gateway."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent_provider import Provider
from conftest import BUILD
from stage import ROOT, Gateway

os.environ.setdefault("AISPM_BIN_DIR", str(BUILD / "bin"))
sys.path.insert(0, str(ROOT / "tests/system/delivery"))
from real_collector import Collector, binary  # noqa: E402 - the path is set above

PATIENCE = 30.0


class Fleet:
    """A collector, a gateway that reports to it, and as root a sensor that does so too."""

    def __init__(self, folder: Path, provider: Provider) -> None:
        self.folder = folder
        self.collector = Collector(folder)
        self.collector.start()
        self.sensor: subprocess.Popen[bytes] | None = None
        report = f"report:\n  collector: {self.collector.grpc}\n  state_folder: {folder}/gateway-state\n  enrolment_token_file: {self.token('gateway')}\n"
        self.gateway = Gateway(folder, provider, report)

    def token(self, name: str) -> Path:
        path = self.folder / f"{name}.token"
        path.write_text(self.collector.enrolment_token())
        path.chmod(0o600)
        return path

    def start_sensor(self) -> None:
        config = self.folder / "sensord.yaml"
        config.write_text(f"collector: {self.collector.grpc}\nstate_folder: {self.folder}/sensord\nenrolment_token_file: {self.token('sensord')}\n"
                          f"signatures: {ROOT}/policies/signatures\ngateway:\n  - 127.0.0.1:{self.gateway.port}\n")
        with (self.folder / "sensord.log").open("wb") as log:
            self.sensor = subprocess.Popen([binary("aispm-sensord"), "--config", config], stdout=log, stderr=log)
        self.wait("the sensor's health", lambda: [part for part in self.ask("status").get("components", [])
                                                  if part["component"] == "sensord" and part.get("connected") and part.get("health")])

    def ask(self, *words: str) -> Any:
        return self.collector.cli(*words)

    def shown(self, *words: str) -> str:
        """What the CLI prints for people."""
        env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "AISPM_COLLECTOR": self.collector.grpc, "AISPM_TOKEN": self.collector.bootstrap["admin_token"],
               "AISPM_CA_FILE": self.collector.bootstrap["ca_file"]}
        return subprocess.run([binary("aispm"), *words], env=env, capture_output=True, text=True, check=True).stdout

    def wait(self, what: str, get: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """Asks until there is something; fails with what did not come."""
        deadline = time.monotonic() + seconds
        while not (found := get()):
            assert self.sensor is None or self.sensor.poll() is None, (self.folder / "sensord.log").read_text()[-2000:]
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
            time.sleep(0.1)
        return found

    def story(self, session_id: str) -> dict[str, Any]:
        """A run that has ended, as the collector tells it."""
        def ended() -> dict[str, Any] | None:
            try:
                told: dict[str, Any] = self.ask("session", "show", session_id)
            except RuntimeError as error:
                assert "no session" in str(error), error
                return None
            # A sensor may have seen process 1 end before the sandbox's own word of it comes.
            return told if any("sandbox_exit" in event for event in told["events"]) else None

        found: dict[str, Any] = self.wait(f"the end of session {session_id}", ended)
        return found

    def close(self) -> None:
        if self.sensor is not None:
            self.sensor.send_signal(signal.SIGTERM)
            self.sensor.wait(30)
        self.gateway.close()
        self.collector.stop()
