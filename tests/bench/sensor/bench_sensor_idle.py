# SPDX-License-Identifier: Apache-2.0
"""What an idle sensor takes: PSS by kind of memory, RSS, and CPU, once its first scans are over.

    python3 tests/bench/sensor/bench_sensor_idle.py          # as root; --settle and --seconds, --sensord PROGRAM

Two sensors after another: one that prints events (`--stdout`), and one as the service runs, with the spool and a collector that does not
answer. Nothing runs but what the host runs anyway: each process that starts meanwhile is work for the sensor.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+\s*(.*)$")
FIELD = re.compile(r"^(\w+):\s+(\d+) kB$")


def emit(name: str, value: float, unit: str, target: str | None = None, ok: bool | None = None) -> None:
    print(json.dumps({"name": name, "value": round(value, 2), "unit": unit, "target": target, "ok": ok}), flush=True)


def kind_of(mapping: str) -> str:
    if "bpf-map" in mapping:
        return "rings"
    if mapping in ("", "[heap]") or mapping.startswith("[anon"):
        return "heap"
    return "files" if mapping.startswith("/") else "rest"


def memory(pid: int) -> tuple[Counter[str], int]:
    """PSS bytes by kind, and RSS bytes."""
    kinds: Counter[str] = Counter()
    resident = 0
    kind = "rest"
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if begins := MAPPING.match(line):
            kind = kind_of(begins[1])
        elif (field := FIELD.match(line)) and field[1] == "Pss":
            kinds[kind] += int(field[2]) * 1024
        elif field and field[1] == "Rss":
            resident += int(field[2]) * 1024
    return kinds, resident


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(name: str, arguments: argparse.Namespace, extra: list[str]) -> bool:
    with tempfile.TemporaryDirectory(prefix="aispm-idle-") as folder:
        config = Path(folder) / "sensord.yaml"
        config.write_text(f"state_folder: {folder}/state\ncollector: 127.0.0.1:9\n")
        sensor = subprocess.Popen([arguments.sensord, "--config", str(config), *extra], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(arguments.settle)
            begun, cpu = time.monotonic(), cpu_seconds(sensor.pid)
            time.sleep(arguments.seconds)
            used = 100 * (cpu_seconds(sensor.pid) - cpu) / (time.monotonic() - begun)
            kinds, resident = memory(sensor.pid)
        finally:
            sensor.send_signal(signal.SIGTERM)
            sensor.wait(timeout=30)
    for kind, count in sorted(kinds.items()):
        emit(f"idle.{name}.pss.{kind}", count / 1e6, "MB")
    total = sum(kinds.values()) / 1e6
    emit(f"idle.{name}.rss", resident / 1e6, "MB")
    emit(f"idle.{name}.pss", total, "MB", "< 60", total < 60)
    emit(f"idle.{name}.cpu", used, "% of a core", "< 1", used < 1)
    return total < 60 and used < 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settle", type=float, default=40, help="seconds before measuring (default 40)")
    parser.add_argument("--seconds", type=float, default=20, help="seconds of idle CPU (default 20)")
    parser.add_argument("--sensord", default=os.environ.get("AISPM_BIN_DIR", "build/release/bin") + "/aispm-sensord")
    arguments = parser.parse_args()
    if os.geteuid() != 0 or not Path(arguments.sensord).exists():
        print("skipped: needs root and a built aispm-sensord", file=sys.stderr)
        return 0
    measured = [measure("stdout", arguments, ["--stdout"]), measure("service", arguments, [])]
    return 0 if all(measured) else 1


if __name__ == "__main__":
    sys.exit(main())
