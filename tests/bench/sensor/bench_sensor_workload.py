# SPDX-License-Identifier: Apache-2.0
"""What the whole sensor costs a host: the same work with and without it, in turns.

Works: compiling C files (many short processes), and HTTPS requests with wrk against nginx (TLS of a shared library, captured in full).
Also the sensor's own CPU and memory, idle and busy. Ratios above 1 are slower with the sensor. Medians of the rounds.
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


def bench() -> None:
    require("wrk", "nginx", "make", "gcc", "openssl")
    with tempfile.TemporaryDirectory(prefix="aispm-bench-") as name:
        folder = Path(name)
        os.chmod(folder, 0o755)
        measure_idle(folder)
        ratios: dict[str, list[float]] = {"compile": [], "https": []}
        busy: dict[str, list[float]] = {"compile": [], "https": []}
        with https_server(folder) as port:
            works: dict[str, Callable[[], float]] = {"compile": lambda: compile_files(folder), "https": lambda: 1 / requests_per_second(port)}
            for work in works.values():
                work()  # warms up
            for _ in range(ROUNDS):
                plain = {name: work() for name, work in works.items()}
                with Sensor(folder) as running:
                    for name, work in works.items():
                        begun, cpu = time.monotonic(), running.cpu_seconds()
                        ratios[name].append(work() / plain[name])
                        busy[name].append(100 * (running.cpu_seconds() - cpu) / (time.monotonic() - begun))
                    memory = {kind: running.memory_bytes(kind) / 1e6 for kind in ("Pss", "Rss")}
                    losses = running.losses()
        for name in works:
            emit(f"sensor.workload.{name}.with_sensor", statistics.median(ratios[name]), "x of without")
            emit(f"sensor.workload.{name}.sensor_cpu", statistics.median(busy[name]), "% of a core")
        emit("sensor.workload.lost", sum(losses.values()), "records", 0, not losses)
        emit("sensor.busy.pss", memory["Pss"], "MB")
        emit("sensor.busy.rss", memory["Rss"], "MB")


if __name__ == "__main__":
    sys.exit(run(bench))
