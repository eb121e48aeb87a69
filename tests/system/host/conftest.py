# SPDX-License-Identifier: Apache-2.0
"""One host with everything on it, started the way a newcomer starts it: ./dev up --demo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))
from programs import free_port, wait_for  # noqa: E402 - the path is set above

SOURCE = Path(os.environ["AISPM_SOURCE_DIR"])
BIN = Path(os.environ["AISPM_BIN_DIR"])
UP_SECONDS = 180


@dataclass
class Host:
    """A running ./dev up: its environment, what it printed, and its REST API."""

    env: dict[str, str]
    state: Path
    output: str = ""

    def dev(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([SOURCE / "dev", *arguments], capture_output=True, text=True, check=False, env=self.env,
                              stdin=subprocess.DEVNULL, timeout=UP_SECONDS)

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([BIN / "aispm", "--config", self.state / "cli.yaml", *arguments], capture_output=True, text=True,
                              check=False, timeout=20, env=self.env)

    def api(self, path: str) -> Any:
        token = (self.state / "config" / "admin.token").read_text().strip()
        request = urllib.request.Request(f"http://127.0.0.1:{self.env['AISPM_PORT_HTTP']}{path}",
                                         headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)

    def wait_for(self, what: Callable[[], Any], seconds: float, describe: str) -> Any:
        """Polls until `what` gives something true; fails saying what did not come."""
        return wait_for(what, seconds, describe)

    @property
    def provider(self) -> str:
        return f"https://localhost:{self.env['AISPM_PORT_PROVIDER']}"

    @property
    def ca(self) -> str:
        return str(self.state / "demo" / "ca.crt")


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    if os.geteuid() != 0:
        pytest.skip("not root: ./dev up needs root for the sensor")
    if BIN.parent.name != "release":
        pytest.skip("./dev up starts the release build; this is another preset")
    # Short and open to all users: the gateway's socket lies in it and an ordinary user must reach it.
    state = Path("/tmp") / f"aispm-test-{os.getpid()}"
    env = {**os.environ, "AISPM_STATE": str(state), "AISPM_SKIP_PACKAGES": "1"}
    for part in ("GRPC", "HTTP", "GATEWAY", "PROVIDER"):
        env[f"AISPM_PORT_{part}"] = str(free_port())
    for real in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        env.pop(real, None)
    made = Host(env, state)
    done = made.dev("up", "--demo", "--yes")
    made.output = done.stdout + done.stderr
    try:
        assert done.returncode == 0, made.output
        yield made
    finally:
        made.dev("down")
        subprocess.run(["rm", "-rf", str(state)], check=False)
