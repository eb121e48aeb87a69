# SPDX-License-Identifier: Apache-2.0
"""Programs under test: their ports, and waiting for what they will do, with a deadline."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Programs with sanitizers are several times slower; CMake says so for theirs (packaging/cmake/AispmSanitizers.cmake). It lengthens waits for what must
# come, and only these.
WAIT_FACTOR = int(os.environ.get("AISPM_WAIT_FACTOR", "1"))
START_SECONDS = 90 * WAIT_FACTOR  # machines of tests are busy


def free_port() -> int:
    """A port of the loopback address that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: Callable[[], Any], seconds: float, describe: str) -> Any:
    """Polls until `what` gives something true; fails saying what did not come within `seconds` times WAIT_FACTOR."""
    deadline = time.monotonic() + seconds * WAIT_FACTOR
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds * WAIT_FACTOR} s: {describe}")
        time.sleep(0.05)


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until `process` listens; fails with its log where it ends or does not."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"exited {process.returncode}: {log.read_text()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"port {port} not open after {START_SECONDS} s: {log.read_text()}")
