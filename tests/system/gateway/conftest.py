# SPDX-License-Identifier: Apache-2.0
"""A real aispm-gateway between real clients and the stand-in provider, all on loopback with free ports."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))
from programs import WAIT_FACTOR, free_port, wait_for_port  # noqa: E402 - the path is set above

ROOT = Path(os.environ.get("AISPM_SOURCE_DIR", Path(__file__).resolve().parents[3]))
GATEWAY = Path(os.environ.get("AISPM_BIN_DIR", ROOT / "build" / "release" / "bin")) / "aispm-gateway"
PROVIDER = ROOT / "sdk" / "examples" / "demo" / "provider.py"
KEY = "aispm-test-" + "k" * 32
SECRET = "AKIA" + "Z7QJ3XNVB5KD2M4T"


def stop(process: subprocess.Popen[bytes]) -> int:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    return process.wait(timeout=20 * WAIT_FACTOR)


@dataclass
class Certificate:
    cert: Path
    key: Path


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("tls")
    made = Certificate(folder / "server.crt", folder / "server.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", made.key, "-out", made.cert],
                   check=True, capture_output=True)
    return made


@dataclass
class Provider:
    port: int
    certificate: Certificate
    process: subprocess.Popen[bytes]

    def seen(self) -> list[dict[str, object]]:
        context = ssl.create_default_context(cafile=str(self.certificate.cert))
        with urllib.request.urlopen(f"https://localhost:{self.port}/_seen", context=context, timeout=10) as reply:
            requests: list[dict[str, object]] = json.load(reply)["requests"]
        return requests


def start_provider(port: int, certificate: Certificate, folder: Path) -> Provider:
    log = folder / "provider.log"
    with log.open("wb") as out:
        process = subprocess.Popen(["python3", str(PROVIDER), "--port", str(port), "--cert", str(certificate.cert),
                                    "--key", str(certificate.key)], stdout=out, stderr=out)
    wait_for_port(port, process, log)
    return Provider(port, certificate, process)


@pytest.fixture(scope="session")
def provider(certificate: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    running = start_provider(free_port(), certificate, tmp_path_factory.mktemp("provider"))
    yield running
    stop(running.process)


POLICY = """
defaults: {mode: enforce, store_text: false, fail: closed}
rules:
  - {id: private-keys, match: {rule_id: 'secret.private_key*'}, outcome: deny, reason: private keys stop everything}
  - {id: secrets, match: {category: secret}, outcome: redact, reason: secrets are cut out}
  - {id: injection, match: {category: prompt_injection, direction: request, severity: high}, outcome: deny,
     reason: this tries to take over the model}
"""


@dataclass
class Gateway:
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket(self) -> Path:
        return self.folder / "gw.sock"

    @property
    def log(self) -> Path:
        return self.folder / "gateway.log"

    def configure(self, provider_port: int, ca_file: Path, extra: str = "", policy: str = POLICY,
                  allow_private: bool = True, packs: Path = ROOT / "policies" / "detect") -> Path:
        (self.folder / "keys.yaml").write_text(
            f"keys:\n  - sha256: {hashlib.sha256(KEY.encode()).hexdigest()}\n    agent: tests/agent\n")
        (self.folder / "policy.yaml").write_text(policy)
        (self.folder / "provider.key").write_text("sk-of-the-provider\n")
        text = (f"listen: 127.0.0.1:{self.port}\nsocket: {self.socket}\nworkers: 2\npolicy: {self.folder}/policy.yaml\n"
                f"packs: {packs}\nkeys_file: {self.folder}/keys.yaml\n")
        if "audit:" not in extra:
            text += "audit: best_effort\n"
        text += extra + "providers:\n"
        for name in ("openai", "anthropic", "ollama", "gemini"):
            text += (f"  - name: {name}\n    dialect: {name}\n    origin: https://localhost:{provider_port}\n"
                     f"    ca_file: {ca_file}\n    key_file: {self.folder}/provider.key\n"
                     f"    allow_private: {str(allow_private).lower()}\n")
        config = self.folder / "gateway.yaml"
        config.write_text(text)
        return config

    def start(self, config: Path) -> Gateway:
        with self.log.open("wb") as out:
            self.process = subprocess.Popen([str(GATEWAY), "--config", str(config)], stdout=out, stderr=out)
        wait_for_port(self.port, self.process, self.log)
        return self

    def wait_until_ready(self, seconds: float = 180) -> Gateway:
        """Returns once all that the configuration names is loaded; without a cache its rules are compiled first."""
        deadline = time.monotonic() + seconds * WAIT_FACTOR
        while time.monotonic() < deadline:
            with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(self.url + "/healthz", timeout=20) as reply:
                if reply.status == 200:
                    return self
            time.sleep(0.1)
        raise AssertionError(f"not ready after {seconds * WAIT_FACTOR} s: " + self.log.read_text())

    def stop(self) -> int:
        assert self.process
        return stop(self.process)


@pytest.fixture(scope="session")
def gateway(provider: Provider, certificate: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("gateway"))
    running.start(running.configure(provider.port, certificate.cert)).wait_until_ready()
    yield running
    assert running.stop() == 0, running.log.read_text()
