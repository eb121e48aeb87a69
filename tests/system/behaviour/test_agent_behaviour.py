# SPDX-License-Identifier: Apache-2.0
"""A program that is known as a coding agent does what agents should not: aispm-sensord tells it (SEN-001, 002, 003, 006, 008, 023, 027)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SENSORD = Path(os.environ["AISPM_BIN_DIR"]) / "aispm-sensord"
# In two parts, so that scanners of repositories do not take it for a live one.
KEY = "AKIA" + "Q7NT3KZ5XWPLMB2D"

AGENT = """
import os, socket, subprocess, sys, time
secret_file = sys.argv[1]
os.system("true")
open(secret_file).read()
try:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
except PermissionError:
    pass
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(0.3)
        subprocess.run(["/bin/echo", "daemonised grandchild"], stdout=subprocess.DEVNULL)
    os._exit(0)
os.wait()
listener = socket.create_server(("127.0.0.1", 0), backlog=128)
for _ in range(51):
    client = socket.create_connection(listener.getsockname())
    listener.accept()[0].close()
    client.close()
time.sleep(1)
"""


class Sensor:
    def __init__(self, folder: Path) -> None:
        config = folder / "sensord.yaml"
        config.write_text(f"state_folder: {folder}/state\n")
        self._process = subprocess.Popen([SENSORD, "--config", config, "--stdout"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.text = b""
        self.events: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if b"event=started" in line:
                break
        else:
            pytest.skip("aispm-sensord cannot watch here: root and eBPF are needed")
        threading.Thread(target=self._process.stderr.read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.text += line
            self.events.append(json.loads(line))

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=30)
        self._reader.join(timeout=10)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sensor]:
    if os.geteuid() != 0:
        pytest.skip("aispm-sensord needs root")
    folder = tmp_path_factory.mktemp("behaviour")
    agent = folder / "codex"
    agent.write_text(textwrap.dedent(AGENT))
    environment = folder / ".env"
    environment.write_text("nothing\n")
    sensor = Sensor(folder)
    subprocess.run([sys.executable, agent, environment, "--token", KEY], check=True, env={**os.environ, "AWS_ACCESS_KEY_ID": KEY})
    time.sleep(1.5)
    sensor.stop()
    yield sensor


def detections(story: Sensor, rule: str) -> list[dict[str, Any]]:
    return [event for event in story.events for one in event.get("detections", [])
            if one["rule_id"] == rule and event.get("agent_id", "").endswith("/codex")]


def test_the_first_event_of_the_agent_names_it(story: Sensor) -> None:
    started = [event for event in story.events if "process_exec" in event and event.get("agent_id", "").endswith("/codex")]
    assert "codex" in " ".join(started[0]["process"]["argv"])


def test_a_shell_is_told_once(story: Sensor) -> None:
    assert len(detections(story, "behaviour.shell_spawn")) == 1


def test_a_sensitive_file_is_told(story: Sensor) -> None:
    told = detections(story, "behaviour.file.stored_password")
    assert told and told[0]["file_access"]["path"].endswith("/.env")


def test_a_packet_socket_is_told(story: Sensor) -> None:
    assert detections(story, "behaviour.raw_socket")


def test_51_connections_are_one_alert(story: Sensor) -> None:
    assert len(detections(story, "behaviour.connection_rate")) == 1


def test_a_daemonised_grandchild_is_still_the_agent(story: Sensor) -> None:
    echo = [event for event in story.events if "process_exec" in event and "daemonised grandchild" in event["process"].get("argv", [])]
    assert echo and echo[0]["agent_id"].endswith("/codex")


def test_a_secret_in_argv_and_environment_is_told_and_its_value_is_nowhere(story: Sensor) -> None:
    surfaces = {one["surface"] for event in detections(story, "secret.aws_access_key") for one in event["detections"]}
    assert {"argv", "environment"} <= surfaces
    assert KEY.encode() not in story.text
    assert b"[secret]" in story.text
