# SPDX-License-Identifier: Apache-2.0
"""Do all events arrive? Processes, connections and listeners are made by several processes on the sensor's own CPUs.

For each kind: what the generator reaches alone; at the target's rate (or the generator's own, where that is less) with the whole
sensor running, how many events are not in the collector's store in the end; and the same as fast as the generator can, where what is
missing must be counted. The collector stands still while events are made (a fleet's is on another host) and takes them afterwards.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from sensord import Missing, Sensor, emit, require, run

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "system" / "delivery"))

from real_collector import Collector, binary  # noqa: E402

TARGET = 50_000
ALONE_SECONDS = 1
SECONDS = 3
UNPACED_SECONDS = 2
WORKERS = max(2, os.cpu_count() or 2)
DELIVERY_SECONDS = 60  # until everything must be in the store
PROGRAMS = Path(os.environ.get("AISPM_BUILD_DIR", "build/release")) / "tests"
PROTO = Path(__file__).resolve().parents[3] / "proto" / "aispm" / "v1" / "event.proto"
KINDS = {"exec": "process_exec", "connect": "socket_connect", "refused": "socket_connect", "listen": "socket_listen"}


@dataclass(frozen=True)
class Load:
    made: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.made / self.seconds


def generate(kind: str, seconds: int, rate: float) -> Load:
    program = [str(PROGRAMS / "exits")] if kind == "exec" else []
    done = subprocess.run([PROGRAMS / "event_load", kind, str(seconds), str(rate), str(WORKERS), *program], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise RuntimeError(f"event_load {kind}: {done.stderr.strip()}")
    said = json.loads(done.stdout)
    return Load(said["made"], said["seconds"])


def stored(collector: Collector, kind: str) -> int:
    """How many events of the load's kind and processes the store holds, once it holds one that happened later than this call."""
    field = re.search(rf"\b{KINDS[kind]} = (\d+);", PROTO.read_text())
    assert field is not None
    now, deadline = time.time_ns(), time.monotonic() + DELIVERY_SECONDS
    store = sqlite3.connect(f"file:{collector.folder}/collector/store.db?mode=ro", uri=True)
    while store.execute("SELECT IFNULL(MAX(time), 0) FROM events").fetchone()[0] <= now:  # the sensor's events come in order
        if time.monotonic() > deadline:
            raise RuntimeError(f"the collector did not get the sensor's events within {DELIVERY_SECONDS} s")
        subprocess.run(["/bin/true"], check=True)
        time.sleep(0.25)
    time.sleep(1)
    # The generator's command line names the program that it starts.
    mine = "INSTR(body, CAST('/exits' AS BLOB)) > 0 AND INSTR(body, CAST('event_load' AS BLOB)) = 0" if kind == "exec" else \
        "INSTR(body, CAST('event_load' AS BLOB)) > 0"
    count = store.execute(f"SELECT COUNT(*) FROM events WHERE kind=? AND {mine}", (int(field[1]),)).fetchone()[0]
    store.close()
    return int(count)


@dataclass(frozen=True)
class Outcome:
    load: Load
    missing: int
    uncounted: int
    cpu: float  # cores, of the sensor


def measure(kind: str, seconds: int, rate: float) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="aispm-bench-") as name:
        folder = Path(name)
        collector = Collector(folder)
        collector.start()
        try:
            config = (f"collector: {collector.grpc}\nspool_cap: 4GiB\nhealth_interval: 1s\n"
                      f"enrolment_token: \"{collector.bootstrap['enrolment_token']}\"\n")
            with Sensor(folder, config) as sensor:
                stored(collector, kind)  # it is enrolled, and what it found at the start is told
                collector.pause()
                before = sensor.cpu_seconds()
                load = generate(kind, seconds, rate)
                time.sleep(0.5)
                cpu = sensor.cpu_seconds() - before
                collector.resume()
                missing = load.made - stored(collector, kind)
                losses = sensor.losses()
        finally:
            collector.resume()
            collector.stop()
    if losses:
        print(f"{kind}: counted as lost: {losses}", file=sys.stderr)
    return Outcome(load, missing, max(0, missing - sum(losses.values())), cpu / load.seconds)


def bench() -> None:
    require()
    for program in (PROGRAMS / "event_load", PROGRAMS / "exits", binary("aispm-collector")):
        if not program.exists():
            raise Missing(f"{program} is not built: ./dev build")
    for kind in sys.argv[1:] or KINDS:
        label = f"sensor.events.{kind}"
        limit = generate(kind, ALONE_SECONDS, 0).rate
        emit(f"{label}.generator_alone", limit, "1/s")
        is_able = limit >= TARGET
        paced = measure(kind, SECONDS, TARGET if is_able else 0)
        # A generator that cannot make so many says nothing about the sensor.
        emit(f"{label}.rate", paced.load.rate, "1/s", TARGET, paced.load.rate >= 0.99 * TARGET if is_able else None)
        emit(f"{label}.lost", paced.missing, "events", 0, paced.missing == 0)
        emit(f"{label}.sensor_cpu", 100 * paced.cpu, "% of a core")
        if not is_able:
            continue
        unpaced = measure(kind, UNPACED_SECONDS, 0)
        emit(f"{label}.unpaced.rate", unpaced.load.rate, "1/s")
        emit(f"{label}.unpaced.lost", unpaced.missing, "events")
        emit(f"{label}.unpaced.lost_and_not_counted", unpaced.uncounted, "events", 0, unpaced.uncounted == 0)


if __name__ == "__main__":
    sys.exit(run(bench))
