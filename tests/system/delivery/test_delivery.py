# SPDX-License-Identifier: Apache-2.0
"""Delivery: nothing lost and nothing doubled over crashes of the collector, losses at the spool cap told exactly."""

import json
import os
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

from real_collector import Collector

PRODUCER = Path(os.environ["AISPM_BUILD_DIR"]) / "tests" / "delivery_producer"


def start_producer(
    collector: Collector,
    folder: Path,
    *,
    count: int,
    per_second: int = 50_000,
    cap: int = 256 << 20,
    wait: int = 0,
    padding: int = 0,
    token: str = "",
) -> "subprocess.Popen[str]":
    """`token` is needed once for a folder: afterwards the producer has its certificate."""
    return subprocess.Popen(
        [PRODUCER, collector.grpc, folder / "producer", token, str(count), str(per_second), str(cap), str(wait),
         str(padding)],
        stdout=subprocess.PIPE,
        text=True,
    )


def enrol(collector: Collector, folder: Path) -> None:
    """Runs the producer once without events, until it has its certificate."""
    token = collector.enrolment_token()
    deadline = time.monotonic() + 20
    while not (folder / "producer" / "client.key").exists() and time.monotonic() < deadline:
        finish(start_producer(collector, folder, count=0, wait=5, token=token))
    assert (folder / "producer" / "client.crt").exists()


def finish(producer: "subprocess.Popen[str]") -> list[dict[str, int]]:
    """Its counters when all was durable, and at the end."""
    stdout, _ = producer.communicate(timeout=120)
    assert producer.returncode == 0
    return [json.loads(line) for line in stdout.splitlines()]


def numbers(collector: Collector) -> "Counter[int]":
    """How often each number stands in the store."""
    events: list[dict[str, Any]] = collector.cli("events", "--session", "delivery", "--limit", "0")["events"]
    return Counter(int(event["agent_log"]["fields"]["number"]) for event in events)


def lost_at_collector(collector: Collector) -> int:
    """What the producer told as lost; told within seconds after its last event at the latest."""
    told = -1
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        (component,) = collector.cli("status")["components"]
        if told == int(component["lost_events"]):
            return told
        told = int(component["lost_events"])
        time.sleep(1.5)
    return told


def test_collector_killed_under_load_loses_and_doubles_nothing(collector: Collector, tmp_path: Path) -> None:
    count = 24_000
    producer = start_producer(
        collector, tmp_path, count=count, per_second=4_000, wait=60, token=collector.enrolment_token()
    )
    for _ in range(5):
        time.sleep(0.9)  # the load of this time is what the test is about
        collector.kill()
        collector.start()
    _, end = finish(producer)
    assert end["accepted"] == count
    assert end["acknowledged"] == count
    assert end["rejected"] == 0
    stored = numbers(collector)
    assert sorted(stored) == list(range(count))
    assert set(stored.values()) == {1}
    assert lost_at_collector(collector) == 0


def test_an_outage_within_the_cap_loses_nothing(collector: Collector, tmp_path: Path) -> None:
    count = 5_000
    enrol(collector, tmp_path)
    collector.kill()
    durable, end = finish(start_producer(collector, tmp_path, count=count))
    assert durable["accepted"] == count
    assert end["acknowledged"] == 0
    collector.start()
    # Another process of the same state folder brings it all.
    deadline = time.monotonic() + 30
    while sum(numbers(collector).values()) < count and time.monotonic() < deadline:
        finish(start_producer(collector, tmp_path, count=0, wait=1))
    stored = numbers(collector)
    assert sorted(stored) == list(range(count))
    assert set(stored.values()) == {1}


def test_past_the_cap_the_loss_is_counted_and_told_exactly(collector: Collector, tmp_path: Path) -> None:
    count = 20_000
    cap = 1 << 20
    enrol(collector, tmp_path)
    collector.kill()
    producer = start_producer(collector, tmp_path, count=count, per_second=20_000, cap=cap, wait=60, padding=200)
    assert producer.stdout is not None
    durable = json.loads(producer.stdout.readline())
    assert durable["spooled_bytes"] <= cap
    lost = durable["lost_spool_full"] + durable["lost_queue_full"]
    assert lost > 0
    collector.start()
    (end,) = finish(producer)
    assert end["acknowledged"] == durable["accepted"] - durable["lost_spool_full"]
    stored = numbers(collector)
    assert sum(stored.values()) == count - lost
    assert set(stored.values()) == {1}
    assert lost_at_collector(collector) == lost


def test_a_producer_killed_under_load_keeps_what_was_durable(collector: Collector, tmp_path: Path) -> None:
    enrol(collector, tmp_path)
    producer = start_producer(collector, tmp_path, count=1_000_000, per_second=3_000)
    time.sleep(2)
    producer.kill()
    producer.communicate()
    deadline = time.monotonic() + 30
    before = -1
    while before != (now := sum(numbers(collector).values())) and time.monotonic() < deadline:
        before = now
        finish(start_producer(collector, tmp_path, count=0, wait=1))
    stored = numbers(collector)
    # Without holes up to where the kill cut it off, and nothing twice.
    assert len(stored) > 1_000
    assert sorted(stored) == list(range(len(stored)))
    assert set(stored.values()) == {1}
