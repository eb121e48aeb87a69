# SPDX-License-Identifier: Apache-2.0
"""What capture sees of each TLS runtime, and what it costs the client: CPU of many small requests with and without the sensor.

Needs root and the programs that tests/system/runtimes/fixtures.py installs; runtimes that cannot be had are named on stderr.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "system" / "runtimes"))

import fixtures  # noqa: E402
from capture import Dump  # noqa: E402
from provider import Provider  # noqa: E402
from test_runtimes import RUNTIMES, matching  # noqa: E402

REQUESTS = 400
SIZE = 200


def cpu_of(command: list[str | Path], provider: Provider, home: Path) -> float:
    """Runs the client; its user and system CPU in seconds."""
    trust = {name: str(provider.ca) for name in ("DENO_CERT", "SSL_CERT_FILE")}
    env = {"PATH": os.environ["PATH"], "HOME": str(home), **trust}
    arguments = [str(part) for part in provider.island.command(*command)]
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
    pid = os.posix_spawnp(arguments[0], arguments, env, file_actions=actions)
    os.close(null)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise RuntimeError(f"{arguments[-5:]}: status {status}")
    return usage.ru_utime + usage.ru_stime


def show(name: str, value: float, unit: str, target: str | None = None, ok: bool | None = None) -> None:
    print(json.dumps({"name": name, "value": round(value, 3), "unit": unit, "target": target, "ok": ok}), flush=True)


def measure(name: str, provider: Provider, dump_program: Path, home: Path) -> None:
    command = RUNTIMES[name].command(provider, SIZE)
    command[-1] = str(REQUESTS)
    cpu_of(command, provider, home)  # warms up
    without = min(cpu_of(command, provider, home) for _ in range(2))
    dump = Dump(dump_program)
    cpu_of(command, provider, home)  # its program is analysed and probed
    provider.forget()
    dump.forget()
    with_capture = min(cpu_of(command, provider, home) for _ in range(2))
    talks = provider.seen()
    connections = dump.wait_for(lambda seen: all(matching(seen, talk.received, talk.sent) for talk in talks), 5)
    sent = sum(len(talk.received) + len(talk.sent) for talk in talks)
    seen = sum(len(talk.received) + len(talk.sent) for talk in talks if matching(connections, talk.received, talk.sent))
    lost = dump.close()
    show(f"sensor.runtime.{name}.captured", 100 * seen / max(1, sent), "%", "100", seen == sent and lost == 0)
    show(f"sensor.runtime.{name}.cost_per_request", 1e6 * (with_capture - without) / REQUESTS, "us")
    show(f"sensor.runtime.{name}.cpu_per_request", 1e6 * without / REQUESTS, "us")


def main() -> int:
    if os.geteuid() != 0:
        print("not root: capture needs root", file=sys.stderr)
        return 0
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        provider = Provider(Path(folder))
        for name in RUNTIMES:
            try:
                measure(name, provider, Path(os.environ["AISPM_BUILD_DIR"]) / "tests" / "dump_plaintext", Path(folder))
            except fixtures.Unavailable as reason:
                print(f"{name}: {reason}", file=sys.stderr)
            except RuntimeError as problem:
                failures += 1
                print(f"{name}: {problem}", file=sys.stderr)
        provider.close()
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
