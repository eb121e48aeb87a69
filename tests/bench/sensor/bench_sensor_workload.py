# SPDX-License-Identifier: Apache-2.0
"""What the whole sensor costs a host: the same work with and without it, in turns.

Works: compiling C files (many short processes), and HTTPS requests with wrk against nginx (TLS of a shared library, captured in full).
Ratios of wall time and of CPU (of the work's own processes and the sensor), with a sensor over without; CPU says more where others use the
machine too. Also the sensor's CPU and memory meanwhile (idle: bench_sensor_idle.py). Medians of the rounds.

    bench_sensor_workload.py [compile] [https]      both without a name
"""

from __future__ import annotations

import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sensord import TICKS, Sensor, emit, require, run

ROUNDS = 4
REST_SECONDS = 2
WRK_SECONDS = 3
FILES = 40


@dataclass(frozen=True)
class Cost:
    """Of a piece of work, in seconds."""

    wall: float
    cpu: float


def children_cpu() -> float:
    """Of those that were waited for; a sensor's is among them when it has stopped."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def process_cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def compile_files(folder: Path) -> Cost:
    """FILES small files, two at a time."""
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
    begun, cpu = time.monotonic(), children_cpu()
    subprocess.run(["make", "-s", "-j2", "-C", str(sources)], check=True)
    return Cost(time.monotonic() - begun, children_cpu() - cpu)


@contextmanager
def https_server(folder: Path) -> Iterator[tuple[int, int]]:
    """Gives its port and the pid of the process that serves."""
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
        worker = int(Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()[0])
        yield port, worker
    finally:
        server.terminate()
        server.wait(timeout=10)


def request_https(port: int, worker: int) -> Cost:
    """Of one request, of many."""
    cpu = children_cpu() + process_cpu(worker)
    done = subprocess.run(["wrk", "-t1", "-c8", f"-d{WRK_SECONDS}s", f"https://127.0.0.1:{port}/4k"], capture_output=True, text=True,
                          check=True)
    cpu = children_cpu() + process_cpu(worker) - cpu
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    total = re.search(r"(\d+) requests in", done.stdout)
    if rate is None or total is None:
        raise RuntimeError(f"wrk said: {done.stdout}")
    return Cost(1 / float(rate[1]), cpu / int(total[1]))


def compare(name: str, work: Callable[[], Cost], folder: Path) -> None:
    """The same work without and with a sensor, in turns."""
    def rested() -> Cost:
        # What was just started or stopped is over, and a machine that lends CPU to the rested lends it to both.
        time.sleep(REST_SECONDS)
        return work()

    work()  # warms up
    wall, cpu, own, busy = [], [], [], []
    for number in range(ROUNDS):
        plain = rested() if number % 2 == 0 else None
        with Sensor(folder) as running:
            time.sleep(REST_SECONDS)
            begun, sensor_cpu = time.monotonic(), running.cpu_seconds()
            watched = work()
            took, sensor_cpu = time.monotonic() - begun, running.cpu_seconds() - sensor_cpu
            memory = {kind: running.memory_bytes(kind) / 1e6 for kind in ("Pss", "Rss")}
            losses = running.losses()
        plain = plain or rested()
        # The sensor's share of one piece of work: all pieces together took `took`.
        per_piece = sensor_cpu / max(1.0, took / watched.wall)
        wall.append(watched.wall / plain.wall)
        own.append(watched.cpu / plain.cpu)
        cpu.append((watched.cpu + per_piece) / plain.cpu)
        busy.append(100 * sensor_cpu / took)
    label = f"sensor.workload.{name}"
    for kind, ratios in (("wall", wall), ("cpu_of_work", own), ("cpu_and_sensor", cpu)):
        emit(f"{label}.{kind}", statistics.median(ratios), "x of without")
        emit(f"{label}.{kind}.spread", max(ratios) - min(ratios), "x of without")
    emit(f"{label}.sensor_cpu", statistics.median(busy), "% of a core")
    emit(f"{label}.pss", memory["Pss"], "MB")
    emit(f"{label}.rss", memory["Rss"], "MB")
    emit(f"{label}.lost", sum(losses.values()), "records", 0, not losses)


def bench() -> None:
    parts = sys.argv[1:] or ["compile", "https"]
    require("wrk", "nginx", "make", "gcc", "openssl")
    with tempfile.TemporaryDirectory(prefix="aispm-bench-") as name:
        folder = Path(name)
        os.chmod(folder, 0o755)
        if "compile" in parts:
            compare("compile", lambda: compile_files(folder), folder)
        if "https" in parts:
            with https_server(folder) as (port, worker):
                compare("https", lambda: request_https(port, worker), folder)


if __name__ == "__main__":
    sys.exit(run(bench))
