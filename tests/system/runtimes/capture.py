# SPDX-License-Identifier: Apache-2.0
"""Runs dump_plaintext and puts the streams it prints together again."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Stream:
    """One direction of one connection."""

    bytes: bytes = b""
    missing: int = 0
    repeated: int = 0


@dataclass
class Connection:
    pid: int
    library: str
    from_start: bool
    written: Stream = field(default_factory=Stream)
    read: Stream = field(default_factory=Stream)
    port: int = 0
    confidence: float = 0.0


class Dump:
    """The capture of everything that descends from this process."""

    def __init__(self, program: Path) -> None:
        self.records: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        plans = program.parent / "plans"
        plans.mkdir(exist_ok=True)
        self._program = subprocess.Popen([program, str(os.getpid()), plans], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.DEVNULL, text=True)
        assert self._program.stdout is not None
        first = json.loads(self._program.stdout.readline() or "{}")
        if first.get("kind") != "ready":
            raise RuntimeError("capture did not start")
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def _take(self) -> None:
        assert self._program.stdout is not None
        for line in self._program.stdout:
            record = json.loads(line)
            if record.get("pid") != os.getpid():
                with self._lock:
                    self.records.append(record)

    def forget(self) -> None:
        with self._lock:
            self.records = []

    def connections(self, pids: set[int] | None = None) -> list[Connection]:
        """What was captured since forget(), joined by offsets."""
        with self._lock:
            data = [one for one in self.records if one["kind"] == "data"]
        found: dict[tuple[int, str, int], Connection] = {}
        ends: dict[tuple[int, str, int, str], int] = {}
        for one in data:
            if pids is not None and one["pid"] not in pids:
                continue
            key = (one["pid"], one["ssl"], one["generation"])
            connection = found.setdefault(key, Connection(one["pid"], one["library"], one["from_start"]))
            stream = connection.written if one["direction"] == "write" else connection.read
            content = bytes.fromhex(one["bytes"])
            end = ends.get((*key, one["direction"]), 0)
            stream.missing += max(0, one["offset"] - end)
            stream.repeated += max(0, end - one["offset"])
            stream.bytes += content
            ends[(*key, one["direction"])] = one["offset"] + len(content)
            if one["port"]:
                connection.port, connection.confidence = one["port"], one["confidence"]
        return list(found.values())

    def wait_for(self, is_there: Callable[[list[Connection]], bool], seconds: float = 10) -> list[Connection]:
        """Polls until the connections are as wanted; gives those of the last look either way."""
        deadline = time.monotonic() + seconds
        while True:
            connections = self.connections()
            if is_there(connections) or time.monotonic() > deadline:
                return connections
            time.sleep(0.1)

    def close(self) -> int:
        """Ends the capture; gives the number of records lost."""
        assert self._program.stdin is not None
        self._program.stdin.close()
        self._thread.join(20)
        self._program.wait(20)
        return int(next((one["lost"] for one in self.records if one["kind"] == "end"), -1))
