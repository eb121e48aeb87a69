# SPDX-License-Identifier: Apache-2.0
"""A real aispm-collector on free ports in a folder of its own, and the real CLI to ask it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))
from programs import free_port  # noqa: E402 - the path is set above


def binary(name: str) -> Path:
    return Path(os.environ["AISPM_BIN_DIR"]) / name


class Collector:
    """Started by start(), killed like a crash by kill(); its state folder stays."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.folder = folder
        self.http_port = free_port()
        self.grpc = f"127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None
        self._log = (folder / "collector.log").open("ab")
        self.config = folder / "collector.yaml"
        self.config.write_text(
            f"state_folder: {folder}/collector\n"
            f"grpc:\n  address: {self.grpc}\n"
            f"http:\n  port: {self.http_port}\n{extra}"
        )
        made = subprocess.run(
            [binary("aispm-collector"), "bootstrap", "--config", self.config],
            check=True,
            capture_output=True,
            text=True,
        )
        self.bootstrap: dict[str, str] = json.loads(made.stdout)

    def start(self) -> None:
        self._process = subprocess.Popen(
            [binary("aispm-collector"), "--config", self.config], stdout=self._log, stderr=self._log
        )
        host, port = self.grpc.split(":")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"the collector did not start, see {self.folder}/collector.log")

    def pause(self) -> None:
        """Leaves its connections open and answers nothing until resume()."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        if self._process is not None:
            self._end(signal.SIGTERM)
        self._log.close()

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(timeout=20)
        self._process = None

    def cli(self, *arguments: str) -> Any:
        """The CLI's JSON answer."""
        done = subprocess.run(
            [binary("aispm"), *arguments, "--json"],
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "AISPM_COLLECTOR": self.grpc,
                "AISPM_TOKEN": self.bootstrap["admin_token"],
                "AISPM_CA_FILE": self.bootstrap["ca_file"],
            },
        )
        if done.returncode != 0:
            raise RuntimeError(f"aispm {' '.join(arguments)} exited {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def enrolment_token(self) -> str:
        return str(self.cli("enrol-token", "create")["token"])
