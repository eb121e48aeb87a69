# SPDX-License-Identifier: Apache-2.0
"""What the whole sensor costs a host: the same work with and without it, in turns.

Works: compiling C files (many short processes), and HTTPS requests with wrk against nginx (TLS of a shared library, captured in full).
Also the sensor's own CPU and memory, idle and busy. Ratios above 1 are slower with the sensor. Medians of the rounds.

    bench_sensor_workload.py [idle] [compile] [https]      all without a name
"""

from __future__ import annotations

import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sensord import Sensor, emit, require, run

ROUNDS = 5
IDLE_SECONDS = 10
WRK_SECONDS = 3
FILES = 40


def compile_files(folder: Path) -> float:
    """Seconds to compile FILES small files, two at a time."""
    sources = folder / "sources"
    if not sources.exists():
        sources.mkdir()
        for i in range(FILES):
            body = "\n".join(f"int f{i}_{j}(int x) {{ return x * {j} + printf(\"%d\", x); }}" for j in range(60))
            (sources / f"f{i}.c").write_text(f"#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n{body}\n")
        makefile = "OBJECTS = $(patsubst %.c,%.o,$(wildcard *.c))\nall: $(OBJECTS)\n%.o: %.c\n\tgcc -O1 -c $< -o $@\n"
        (sources / "Makefile").write_text(makefile)
    for built in sources.glob("*.o"):
        built.unlink()
    begun = time.monotonic()
    subprocess.run(["make", "-s", "-j2", "-C", str(sources)], check=True)
    return time.monotonic() - begun


@contextmanager
def https_server(folder: Path) -> Iterator[int]:
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "1",
                    "-subj", "/CN=127.0.0.1"], check=True, capture_output=True)
    (folder / "www").mkdir()
    (folder / "www" / "4k").write_bytes(b"x" * 4096)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "nginx.conf").write_text(f"""
daemon off; pid {folder}/nginx.pid; error_log stderr error; worker_processes 1; user root;
events {{ worker_connections 256; }}
http {{ access_log off; server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; root {folder}/www;
  keepalive_requests 1000000; }} }}
""")
    server = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        else:
            raise RuntimeError("nginx did not start")
        yield port
    finally:
        server.terminate()
        server.wait(timeout=10)


def requests_per_second(port: int) -> float:
    done = subprocess.run(["wrk", "-t1", "-c8", f"-d{WRK_SECONDS}s", f"https://127.0.0.1:{port}/4k"], capture_output=True, text=True,
                          check=True)
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert found is not None, done.stdout
    return float(found[1])


def measure_idle(folder: Path) -> None:
    with Sensor(folder) as running:
        time.sleep(3)
        begun, cpu = time.monotonic(), running.cpu_seconds()
        time.sleep(IDLE_SECONDS)
        idle = 100 * (running.cpu_seconds() - cpu) / (time.monotonic() - begun)
        emit("sensor.idle.cpu", idle, "% of a core", "< 1", idle < 1)
        megabytes = running.memory_bytes("Pss") / 1e6
        emit("sensor.idle.pss", megabytes, "MB", "< 60", megabytes < 60)
        emit("sensor.idle.rss", running.memory_bytes("Rss") / 1e6, "MB")


def compare(name: str, work: Callable[[], float], folder: Path) -> None:
    """The same work without and with a sensor, in turns."""
    work()  # warms up
    ratios, busy = [], []
    for _ in range(ROUNDS):
        plain = work()
        with Sensor(folder) as running:
            begun, cpu = time.monotonic(), running.cpu_seconds()
            ratios.append(work() / plain)
            busy.append(100 * (running.cpu_seconds() - cpu) / (time.monotonic() - begun))
            memory = {kind: running.memory_bytes(kind) / 1e6 for kind in ("Pss", "Rss")}
            losses = running.losses()
    emit(f"sensor.workload.{name}.with_sensor", statistics.median(ratios), "x of without")
    emit(f"sensor.workload.{name}.lowest", min(ratios), "x of without")
    emit(f"sensor.workload.{name}.highest", max(ratios), "x of without")
    emit(f"sensor.workload.{name}.sensor_cpu", statistics.median(busy), "% of a core")
    emit(f"sensor.workload.{name}.pss", memory["Pss"], "MB")
    emit(f"sensor.workload.{name}.rss", memory["Rss"], "MB")
    emit(f"sensor.workload.{name}.lost", sum(losses.values()), "records", 0, not losses)


def bench() -> None:
    parts = sys.argv[1:] or ["idle", "compile", "https"]
    require("wrk", "nginx", "make", "gcc", "openssl")
    with tempfile.TemporaryDirectory(prefix="aispm-bench-") as name:
        folder = Path(name)
        os.chmod(folder, 0o755)
        if "idle" in parts:
            measure_idle(folder)
        if "compile" in parts:
            compare("compile", lambda: compile_files(folder), folder)
        if "https" in parts:
            with https_server(folder) as port:
                compare("https", lambda: 1 / requests_per_second(port), folder)


if __name__ == "__main__":
    sys.exit(run(bench))
