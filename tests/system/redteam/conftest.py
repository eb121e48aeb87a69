# SPDX-License-Identifier: Apache-2.0
"""A real aispm-gateway whose only provider is the stand-in of `aispm redteam run --provider`."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))
from programs import free_port  # noqa: E402 - the path is set above

ROOT = Path(os.environ.get("AISPM_SOURCE_DIR", Path(__file__).resolve().parents[3]))
BIN = Path(os.environ.get("AISPM_BIN_DIR", ROOT / "build" / "release" / "bin"))
KEY = "aispm-test-" + "r" * 32
START_SECONDS = 120
RUN_SECONDS = 200


@dataclass
class Gateway:
    folder: Path
    policy: str
    extra: str = ""
    port: int = field(default_factory=free_port)
    provider_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "gateway.log"

    def start(self) -> Gateway:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "key").write_text(KEY + "\n")
        (self.folder / "keys.yaml").write_text(f"keys:\n  - sha256: {hashlib.sha256(KEY.encode()).hexdigest()}\n    agent: ci/redteam\n")
        (self.folder / "policy.yaml").write_text(self.policy)
        config = self.folder / "gateway.yaml"
        config.write_text(f"listen: 127.0.0.1:{self.port}\nworkers: 2\npolicy: {self.folder}/policy.yaml\npacks: {ROOT}/policies/detect\n"
                          f"keys_file: {self.folder}/keys.yaml\naudit: best_effort\n{self.extra}"
                          f"providers:\n  - name: stand-in\n    dialect: openai\n    origin: http://127.0.0.1:{self.provider_port}\n    allow_private: true\n")
        with self.log.open("wb") as out:
            self.process = subprocess.Popen([BIN / "aispm-gateway", "--config", config], stdout=out, stderr=out)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"not open after {START_SECONDS} s: {self.log.read_text()}")

    def stop(self) -> None:
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=20) == 0, self.log.read_text()

    def run(self, report: Path, *words: str, provider: bool = True) -> Run:
        """`aispm redteam run` against this gateway."""
        command = ["run", "--gateway", self.url, "--key-file", str(self.folder / "key"), "--report", str(report), "--json"]
        done = redteam(*command, *(["--provider", f"127.0.0.1:{self.provider_port}"] if provider else []), *words)
        return Run(done.returncode, done.stderr, json.loads(done.stdout) if done.stdout else {})


@dataclass
class Run:
    status: int
    stderr: str
    report: dict[str, Any]


def redteam(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    if not (BIN / "aispm").exists() or not (BIN / "aispm-gateway").exists():
        pytest.skip(f"{BIN}/aispm and aispm-gateway are not built")
    bare = {"PATH": "/nowhere", "HOME": "/nonexistent", "PYTHONPATH": "/nowhere"} | (env or {})
    return subprocess.run([BIN / "aispm", "redteam", *words], capture_output=True, text=True, timeout=RUN_SECONDS, check=False, env=bare, cwd="/")


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], Gateway]]:
    """Starts a gateway with this policy and these further lines of configuration."""
    running: list[Gateway] = []

    def make(policy: str, extra: str = "") -> Gateway:
        if not (BIN / "aispm-gateway").exists():
            pytest.skip(f"{BIN}/aispm-gateway is not built")
        running.append(Gateway(tmp_path_factory.mktemp("gateway"), policy, extra).start())
        return running[-1]

    yield make
    for gateway in running:
        gateway.stop()


@pytest.fixture(scope="session")
def gateway(start: Callable[..., Gateway]) -> Gateway:
    """As shipped."""
    return start((ROOT / "policies" / "rules" / "default.yaml").read_text())


@pytest.fixture(scope="session")
def lax(start: Callable[..., Gateway]) -> Gateway:
    """One that lets attacks pass and cuts out secrets only."""
    return start("defaults: {mode: enforce, store_text: false, fail: closed}\nrules:\n"
                 "  - {id: secrets, match: {category: secret}, outcome: redact, reason: secrets are cut out}\n")


def write_rows(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def row(number: str, text: str, label: str = "benign", surface: str = "user_prompt", **more: object) -> dict[str, object]:
    return {"id": number, "text": text, "label": label, "surface": surface, "source": "test", **more}
