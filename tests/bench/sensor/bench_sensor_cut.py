# SPDX-License-Identifier: Apache-2.0
"""From the secret in a prompt to the cut of its connection: a real client, sensor and TLS server, on one connection after another.

The sensor's clock: from the return of the call that wrote the prompt's last bytes until the kernel knows that the connection is cut.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from sensord import NOBODY, Sensor, emit, require, run

ROUNDS = 20
# In two parts, so that scanners of repositories do not take it for a live one.
KEY = "AKIA" + "Q7NT3KZ5XWPLMB2D"
CLIENT = """
import json, socket, ssl, sys, time
port, certificate, key, rounds = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
context = ssl.create_default_context(cafile=certificate)
body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "what does " + key + " open?"}]}).encode()
head = f"POST /v1/chat/completions HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nContent-Type: application/json\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n"
for _ in range(rounds):
    client = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1")
    client.sendall(head.encode() + body)
    time.sleep(0.25)
    client.close()
"""


def serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            with context.wrap_socket(listener.accept()[0], server_side=True) as peer:
                while peer.recv(65536):
                    pass
        except ssl.SSLError:
            continue
        except ConnectionError:
            continue
        except OSError:
            return


def latencies(log: str) -> list[float]:
    """Milliseconds, of each cut."""
    events = (json.loads(line) for line in log.splitlines() if line.startswith("{") and '"enforcement"' in line)
    cuts = [event["enforcement"] for event in events if event["enforcement"].get("action") == "cut_connection"]
    return [int(cut.get("latency_us", 0)) / 1000 for cut in cuts]


def bench() -> None:
    require("openssl")
    with tempfile.TemporaryDirectory(prefix="aispm-bench-") as name:
        folder = Path(name)
        program = folder / "watched-python"  # a Python of this bench's own: the rule concerns nobody else
        shutil.copy2(Path(sys.executable).resolve(), program)
        key, certificate = folder / "key.pem", folder / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "1",
                        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=serve, args=(listener, context), daemon=True).start()
        rules = f'enforce:\n  mode: enforce\n  pins: ""\n  rules:\n    - {{id: cut, mode: enforce, exe: "{program}", detection: secret}}\n'
        with Sensor(folder, NOBODY + rules, "--stdout") as sensor:
            subprocess.run([program, "-I", "-c", CLIENT, str(listener.getsockname()[1]), certificate, KEY, str(ROUNDS)], check=False,
                           capture_output=True, env={"PYTHONHOME": sys.base_prefix, "PATH": os.environ["PATH"]}, timeout=60)
            time.sleep(1)
            took = latencies(sensor.log())
        listener.close()
    emit("enforce.content_cut.connections", len(took), "of 20", ROUNDS, len(took) == ROUNDS)
    if took:
        emit("enforce.content_cut", statistics.median(took), "ms", "< 10", statistics.median(took) < 10)
        emit("enforce.content_cut.slowest", max(took), "ms", "< 10", max(took) < 10)


if __name__ == "__main__":
    sys.exit(run(bench))
