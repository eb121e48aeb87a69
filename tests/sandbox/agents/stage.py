# SPDX-License-Identifier: Apache-2.0
"""What agents work behind in these tests, as a plugin: a provider that stands in for the published ones, and a real gateway in front of it."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
from pathlib import Path

from agent_provider import Provider
from conftest import BUILD

ROOT = Path(__file__).resolve().parents[3]
PROVIDER_KEY = "sk-of-the-provider"


MONITOR = "defaults: {mode: monitor, store_text: false, fail: closed}\nrules: []\n"


class Gateway:
    """A real aispm-gateway: it alone holds the providers' key. `more` are sections of its configuration beside the usual ones."""

    def __init__(self, folder: Path, provider: Provider, more: str = "", policy: str = MONITOR) -> None:
        self.folder = folder
        self.socket = folder / "gateway.sock"
        (folder / "keys.yaml").write_text("keys: []\n")
        (folder / "policy.yaml").write_text(policy)
        (folder / "key").write_text(PROVIDER_KEY + "\n")
        (folder / "key").chmod(0o600)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = port = int(probe.getsockname()[1])
        text = (f"listen: 127.0.0.1:{port}\nsocket: {self.socket}\nworkers: 1\npolicy: {folder}/policy.yaml\n"
                f"packs: {ROOT}/policies/detect\nkeys_file: {folder}/keys.yaml\naudit: best_effort\n{more}providers:\n")
        for name in ("openai", "anthropic", "gemini"):
            text += (f"  - {{name: {name}, dialect: {name}, origin: 'https://localhost:{provider.port}', ca_file: {provider.certificate}, "
                     f"key_file: {folder}/key, allow_private: true}}\n")
        (folder / "gateway.yaml").write_text(text)
        self.log = (folder / "gateway.log").open("wb")
        self.process = subprocess.Popen([BUILD / "bin/aispm-gateway", "--config", folder / "gateway.yaml"], stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60
        while not self.socket.exists():
            assert self.process.poll() is None and time.monotonic() < deadline, (folder / "gateway.log").read_text()
            time.sleep(0.05)

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.log.close()


class StandIn:
    """The gateway's side of the socket for routes that aispm-gateway does not serve: says hello, takes events, passes calls on."""

    def __init__(self, folder: Path, provider: Provider) -> None:
        self.socket = folder / "stand-in.sock"
        self.provider = provider
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(self.socket))
        self.socket.chmod(0o777)
        self.server.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                peer, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer: socket.socket) -> None:
        with peer, peer.makefile("rb") as stream:
            head = stream.read(16)
            stream.read(struct.unpack(">H", head[14:])[0])
            while line := stream.readline().decode():
                headers = dict(field.decode().lower().strip().split(": ", 1) for field in iter(stream.readline, b"\r\n"))
                body = stream.read(int(headers.get("content-length", "0")))
                method, path = line.split()[:2]
                kind, reply = "application/json", b'{"agent_id": "tester/codex", "dialects": "openai anthropic"}'
                if path == "/aispm/v1/events":
                    reply = json.dumps({"accepted": len(json.loads(body)["events"])}).encode()
                elif method == "POST":
                    call = http.client.HTTPSConnection("localhost", self.provider.port, context=ssl.create_default_context(cafile=self.provider.certificate))
                    call.request(method, path, body, {"Content-Type": "application/json", "Authorization": f"Bearer {PROVIDER_KEY}"})
                    answer = call.getresponse()
                    kind, reply = answer.headers["content-type"], answer.read()
                peer.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(reply)}\r\n\r\n".encode() + reply)

    def close(self) -> None:
        self.server.close()


def serves(gateway: Gateway, path: str) -> bool:
    call = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    call.request("POST", path, b"{}", {"Content-Type": "application/json"})
    return call.getresponse().status != 404
