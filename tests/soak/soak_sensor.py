# SPDX-License-Identifier: Apache-2.0
"""Soak: the sensor under steady mixed load for an hour (or --minutes N), then its memory drift and its losses.

    python3 tests/soak/soak_sensor.py --minutes 60

Load: processes that start and end, files an agent opens, TCP connections, and TLS exchanges with a loopback server, all by processes of
this script. Prints one line a minute (PSS, CPU, events, losses) and a summary as JSON; exits 1 when memory grew by more than --max-growth
between the first quarter and the last, or when anything was lost.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
RUN = True


def pss_bytes(pid: int) -> int:
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    assert found is not None
    return int(found[1]) * 1024


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def start_processes(done: dict[str, int]) -> None:
    while RUN:
        subprocess.run(["/bin/true"], check=True)
        done["processes"] += 1
        time.sleep(0.01)


def exchange_tls(folder: Path, done: dict[str, int]) -> None:
    """A chat completion over TLS with a server of this script, again and again, each on a new connection."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    client_context = ssl.create_default_context(cafile=folder / "cert.pem")
    listener = socket.create_server(("127.0.0.1", 0))
    reply = json.dumps({"id": "x", "object": "chat.completion", "model": "soak-1", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "y" * 2000}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7}}).encode()

    def serve() -> None:
        while RUN:
            raw, _ = listener.accept()
            with server_context.wrap_socket(raw, server_side=True) as peer:
                peer.recv(65536)
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(reply)}\r\n\r\n"
                peer.sendall(head.encode() + reply)

    threading.Thread(target=serve, daemon=True).start()
    body = json.dumps({"model": "soak-1", "messages": [{"role": "user", "content": "z" * 3000}]}).encode()
    request = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
               f"Content-Length: {len(body)}\r\n\r\n").encode() + body
    while RUN:
        with client_context.wrap_socket(socket.create_connection(listener.getsockname()), server_hostname="127.0.0.1") as client:
            client.sendall(request)
            got = b""
            while not got.endswith(b"]}") and not got.endswith(reply):
                piece = client.recv(65536)
                if not piece:
                    break
                got += piece
        done["calls"] += 1
        time.sleep(0.02)


def open_files(folder: Path, done: dict[str, int]) -> None:
    while RUN:
        path = folder / f"file-{done['files'] % 1000}"
        path.write_text("x")
        done["files"] += 1
        time.sleep(0.005)


def main() -> int:
    global RUN
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--sensord", default="build/release/bin/aispm-sensord")
    parser.add_argument("--max-growth", type=float, default=5.0, help="MB between the first and the last quarter (default 5)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aispm-soak-") as name:
        folder = Path(name)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key.pem", "-out",
                        folder / "cert.pem", "-days", "1", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                       check=True, capture_output=True)
        (folder / "sensord.yaml").write_text(f"state_folder: {folder}/state\n")
        sensor = subprocess.Popen([arguments.sensord, "--config", folder / "sensord.yaml", "--stdout"], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL)
        seen = {"events": 0, "calls": 0}
        health: dict[str, dict[str, str]] = {}

        def read() -> None:
            assert sensor.stdout is not None
            for line in sensor.stdout:
                seen["events"] += 1
                if b'"llm_call":' in line and b"soak-1" in line:
                    seen["calls"] += 1
                if b'"component_health":' in line:
                    health["last"] = json.loads(line)["component_health"]

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        time.sleep(5)
        done = {"processes": 0, "calls": 0, "files": 0}
        for work in (lambda: start_processes(done), lambda: exchange_tls(folder, done), lambda: open_files(folder, done)):
            threading.Thread(target=work, daemon=True).start()
        samples: list[int] = []
        begun, cpu = time.monotonic(), cpu_seconds(sensor.pid)
        next_line = begun + 60
        while time.monotonic() < begun + arguments.minutes * 60 and sensor.poll() is None:
            time.sleep(5)
            samples.append(pss_bytes(sensor.pid))
            if time.monotonic() >= next_line:
                next_line += 60
                losses = {cause: int(count) for cause, count in health.get("last", {}).get("losses", {}).items() if int(count)}
                print(f"{(time.monotonic() - begun) / 60:5.1f} min  {samples[-1] / 1e6:6.1f} MB  {seen['events']} events  "
                      f"{done}  lost {losses or 'nothing'}", flush=True)
        used = cpu_seconds(sensor.pid) - cpu if sensor.poll() is None else float("nan")
        seconds = time.monotonic() - begun
        RUN = False
        time.sleep(2)
        sensor.send_signal(signal.SIGTERM)
        sensor.wait(timeout=30)
        reader.join(timeout=10)
        losses = {cause: int(count) for cause, count in health.get("last", {}).get("losses", {}).items() if int(count)}
        quarter = max(1, len(samples) // 4)
        first, last = statistics.median(samples[:quarter]) / 1e6, statistics.median(samples[-quarter:]) / 1e6
        print(json.dumps({"minutes": round(seconds / 60, 1), "pss_first_quarter_mb": round(first, 1), "pss_last_quarter_mb": round(last, 1),
                          "cpu_percent": round(100 * used / seconds, 1), "done": done, "calls_seen": seen["calls"],
                          "events": seen["events"], "losses": losses}))
        return 1 if losses or last - first > arguments.max_growth or not samples else 0


if __name__ == "__main__":
    sys.exit(main())
