# SPDX-License-Identifier: Apache-2.0
"""Rules in sensord.yaml, enforced on a program of this test alone: refused connections, and a connection cut for what was said on it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SENSORD = Path(os.environ["AISPM_BIN_DIR"]) / "aispm-sensord"
# In two parts, so that scanners of repositories do not take it for a live one.
KEY = "AKIA" + "Q7NT3KZ5XWPLMB2D"

CLIENT = """
import json, socket, ssl, sys, time
port, certificate, key = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context = ssl.create_default_context(cafile=certificate)
client = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1")
client.settimeout(3)

def ask(text):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nContent-Type: application/json\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n"
    client.sendall(head.encode() + body)

ask("first: what does " + key + " open?")
time.sleep(1.5)
try:
    ask("second: and this must never arrive")
    time.sleep(1.5)
except OSError as error:
    print(error)
"""


class Sensor:
    def __init__(self, folder: Path, rules: str, *prefix: str) -> None:
        """Starts the daemon, behind the words of another command if some are given."""
        config = folder / "sensord.yaml"
        config.write_text(f"state_folder: {folder}/state\nenforce:\n  mode: enforce\n  pins: \"\"\n  rules:\n{textwrap.indent(rules, '    ')}")
        self.events: list[dict[str, Any]] = []
        self._process = subprocess.Popen([*prefix, SENSORD, "--config", config, "--stdout"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._process.stderr is not None
        self.log = b""
        for line in self._process.stderr:
            self.log += line
            if b"event=started" in line:
                break
        else:
            raise AssertionError(f"aispm-sensord did not start: {self.log.decode()}")
        threading.Thread(target=self._process.stderr.read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.events.append(json.loads(line))

    def wait_for(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        for _ in range(100):
            for event in list(self.events):
                if fits(event):
                    return event
            time.sleep(0.1)
        return None

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=30)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python of this test's own: rules that name it concern nobody else."""
    if os.geteuid() != 0:
        pytest.skip("aispm-sensord needs root")
    path = tmp_path_factory.mktemp("program") / "watched-python"
    shutil.copy2(Path(sys.executable).resolve(), path)
    path.chmod(0o755)
    return path


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[[str], Sensor]]:
    running: list[Sensor] = []

    def start(rules: str) -> Sensor:
        running.append(Sensor(tmp_path, rules))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def run(program: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, "-I", "-c", textwrap.dedent(code), *arguments], capture_output=True, text=True, timeout=60, check=False,
                          env={"PYTHONHOME": sys.base_prefix, "PATH": os.environ["PATH"]})


def test_a_program_that_is_blocked_cannot_connect_and_others_can(program: Path, started: Callable[[str], Sensor]) -> None:
    sensor = started(f"- {{id: no-net, mode: enforce, exe: \"{program}\", addresses: [127.0.0.1]}}\n")
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    code = "import socket, sys\nsocket.create_connection(('127.0.0.1', int(sys.argv[1])))"
    done = run(program, code, str(port))
    assert "PermissionError" in done.stderr, done.stderr
    socket.create_connection(("127.0.0.1", port)).close()
    event = sensor.wait_for(lambda one: one.get("enforcement", {}).get("order_id") == "local.no-net" and one["process"]["exe"] == str(program))
    assert event is not None
    assert event["enforcement"]["action"] == "refuse_connect"
    assert event["decision"]["outcome"] == "OUTCOME_DENY" and event["decision"]["rule_id"] == "local.no-net"


def test_a_monitored_rule_refuses_nothing(program: Path, started: Callable[[str], Sensor]) -> None:
    sensor = started(f"- {{id: watch-net, mode: monitor, exe: \"{program}\", addresses: [127.0.0.1]}}\n")
    listener = socket.create_server(("127.0.0.1", 0))
    done = run(program, "import socket, sys\nsocket.create_connection(('127.0.0.1', int(sys.argv[1])))", str(listener.getsockname()[1]))
    assert done.returncode == 0, done.stderr
    event = sensor.wait_for(lambda one: one.get("enforcement", {}).get("order_id") == "local.watch-net")
    assert event is not None and event["enforcement"]["mode"] == "monitor"


def test_a_connection_whose_prompt_holds_a_secret_is_cut(program: Path, started: Callable[[str], Sensor], tmp_path: Path) -> None:
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem",
                    "-days", "1", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    sensor = started(f"- {{id: no-secrets, mode: enforce, exe: \"{program}\", detection: secret}}\n")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    listener = socket.create_server(("127.0.0.1", 0))
    got = b""

    def serve() -> None:
        nonlocal got
        peer = context.wrap_socket(listener.accept()[0], server_side=True)
        try:
            while piece := peer.recv(65536):
                got += piece
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    done = run(program, CLIENT, str(listener.getsockname()[1]), str(tmp_path / "cert.pem"), KEY)
    event = sensor.wait_for(lambda one: one.get("enforcement", {}).get("order_id") == "local.no-secrets")
    assert event is not None, f"nothing was cut; client: {done.stdout} {done.stderr}"
    assert event["enforcement"]["action"] == "cut_connection"
    print(f"from the prompt's bytes to the cut: {event['enforcement'].get('latency_us', 0)} us")
    assert b"first:" in got
    assert b"second:" not in got
    assert KEY not in json.dumps(sensor.events)
