# SPDX-License-Identifier: Apache-2.0
"""What the whole sensor costs a host: the same work with and without it, in turns.

Works: compiling C files (many short processes), and HTTPS requests with wrk against nginx (TLS of a shared library, captured in full).
Also the sensor's own CPU and memory, idle and busy. Ratios above 1 are slower with the sensor. Medians of the rounds.
"""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROUNDS = 3
IDLE_SECONDS = 10
WRK_SECONDS = 4
FILES = 40
TICKS = os.sysconf("SC_CLK_TCK")
SENSORD = Path(os.environ.get("AISPM_BIN_DIR", "build/release/bin")) / "aispm-sensord"


def emit(name: str, value: float, unit: str, target: str | None = None, ok: bool | None = None) -> None:
    print(json.dumps({"name": name, "value": round(value, 4), "unit": unit, "target": target, "ok": ok}), flush=True)


class Sensor:
    def __init__(self, folder: Path) -> None:
        config = folder / "sensord.yaml"
        config.write_text(f"state_folder: {folder}/state\n")
        self._out = (folder / "events").open("wb")
        self._process = subprocess.Popen([SENSORD, "--config", str(config), "--stdout"], stdout=subprocess.DEVNULL,
                                         stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if "event=started" in line:
                break
        else:
            raise SystemExit("aispm-sensord did not start: this bench needs root and eBPF")
        time.sleep(1)

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def pss_bytes(self) -> int:
        text = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+) kB", text, re.M)
        assert found is not None
        return int(found[1]) * 1024

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=20)
        self._out.close()


@contextmanager
def sensor(folder: Path) -> Iterator[Sensor]:
    running = Sensor(folder)
    try:
        yield running
    finally:
        running.stop()


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
    port = 18743
    (folder / "nginx.conf").write_text(f"""
daemon off; pid {folder}/nginx.pid; error_log stderr error; worker_processes 1; user root;
events {{ worker_connections 256; }}
http {{ access_log off; server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; root {folder}/www;
  keepalive_requests 1000000; }} }}
""")
    server = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)], stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
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


def main() -> int:
    if os.geteuid() != 0 or not SENSORD.exists():
        print("skipped: needs root and a built aispm-sensord", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory(prefix="aispm-bench-") as name:
        folder = Path(name)
        os.chmod(folder, 0o755)
        plain: dict[str, list[float]] = {"compile": [], "https": []}
        watched: dict[str, list[float]] = {"compile": [], "https": []}
        busy_cpu: list[float] = []
        compile_files(folder)
        with https_server(folder) as port:
            requests_per_second(port)
            for _ in range(ROUNDS):
                plain["compile"].append(compile_files(folder))
                plain["https"].append(1 / requests_per_second(port))
                with sensor(folder) as running:
                    watched["compile"].append(compile_files(folder))
                    begun, cpu = time.monotonic(), running.cpu_seconds()
                    watched["https"].append(1 / requests_per_second(port))
                    busy_cpu.append((running.cpu_seconds() - cpu) / (time.monotonic() - begun))
        for work in plain:
            ratio = statistics.median(watched[work]) / statistics.median(plain[work])
            emit(f"workload.{work}.with_sensor", ratio, "x of without")
        with sensor(folder) as running:
            time.sleep(3)
            begun, cpu = time.monotonic(), running.cpu_seconds()
            time.sleep(IDLE_SECONDS)
            idle = 100 * (running.cpu_seconds() - cpu) / (time.monotonic() - begun)
            emit("idle.cpu", idle, "% of a core", "< 1", idle < 1)
            megabytes = running.pss_bytes() / 1e6
            emit("idle.pss", megabytes, "MB", "< 60", megabytes < 60)
        emit("busy.cpu", 100 * statistics.median(busy_cpu), "% of a core")
    return 0


if __name__ == "__main__":
    sys.exit(main())
