#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the agent's way out costs: connect and one round trip through aispm-run's relay, a refused connection, a name, a trap.

Client and far end are Python, which is most of proxy_hop; bare_tcp is the same client and the same answer without the hop, so
proxy_hop_added is the hop's own: two more processes' turns. Prints JSON lines {"name", "value", "unit", "target", "ok"}; medians in microseconds.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).parents[3]
RUN = Path(os.environ.get("AISPM_BIN_DIR", ROOT / "build/release/bin")) / "aispm-run"
TARGET_HOP_US = 80.0
ROUNDS = 2000
HELLO = b'{"agent_id":"bench","version":"0"}'

AGENT = """
import json, socket, threading, time
REQUEST = b'GET /healthz HTTP/1.1\\r\\nHost: g\\r\\n\\r\\n'
def median(values): values.sort(); return values[len(values) // 2] / 1000
def refused(address):
    s = socket.socket()
    try: s.connect(address)
    except ConnectionRefusedError: pass
    s.close()
def trip(address):
    s = socket.socket(); s.connect(address); s.sendall(REQUEST); s.recv(4096); s.close()
def name(i):
    q = b'ab\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\4name\\7example\\0\\0\\1\\0\\1'
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(q, ('127.0.0.1', 53)); s.recv(512); s.close()
def measure(rounds, function, *arguments):
    times = []
    for i in range(rounds):
        begin = time.perf_counter_ns(); function(*arguments); times.append(time.perf_counter_ns() - begin)
    return median(times)
def serve(server):
    while True:
        peer, _ = server.accept(); peer.recv(4096); peer.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}'); peer.close()
server = socket.create_server(('127.0.0.1', 8099))
threading.Thread(target=serve, args=(server,), daemon=True).start()
trapped = socket.getaddrinfo('trap.example', 80, socket.AF_INET)[0][4]
for f in (trip,): measure(50, f, ('127.0.0.1', 61088))
print(json.dumps({'proxy_hop': measure(%d, trip, ('127.0.0.1', 61088)), 'bare_tcp': measure(300, trip, ('127.0.0.1', 8099)),
                  'refused_connect': measure(500, refused, ('203.0.113.1', 5432)), 'name_lookup': measure(500, name, 0), 'trap_403': measure(300, trip, trapped)}))
""" % ROUNDS  # noqa: UP031


def serve(server: socket.socket) -> None:
    while True:
        answer(server.accept()[0])  # one at a time: a thread each would cost more than the hop


def answer(peer: socket.socket) -> None:
    with peer:
        data = peer.recv(65536)
        size = 16 + struct.unpack(">H", data[14:16])[0]
        request = data[size:] or peer.recv(65536)
        head, _, body = request.partition(b"\r\n\r\n")
        wanted = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        while len(body) < wanted:
            body += peer.recv(65536)
        reply = HELLO if b"/hello" in head else b'{"accepted":1}'
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(reply) + reply)


def main() -> None:
    if not RUN.exists():
        raise SystemExit(f"{RUN} is not built")
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/gateway.sock"
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen(128)
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        ended = subprocess.run([str(RUN), "--gateway", path, "--", "/usr/bin/python3", "-c", AGENT], capture_output=True, text=True, timeout=120, check=False)
    if ended.returncode != 0:
        raise SystemExit(ended.stderr)
    values = json.loads(ended.stdout)
    values["proxy_hop_added"] = values["proxy_hop"] - values["bare_tcp"]
    for name, value in values.items():
        target = TARGET_HOP_US if name == "proxy_hop_added" else None
        ok = None if target is None else value <= target
        print(json.dumps({"name": f"sandbox.network.{name}", "value": round(value, 1), "unit": "us", "target": target, "ok": ok}), flush=True)


if __name__ == "__main__":
    main()
