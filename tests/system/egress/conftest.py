# SPDX-License-Identifier: Apache-2.0
"""A small internet in two network namespaces: the gateway and its agents in one, "public" hosts in the other. No packet leaves them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("AISPM_SOURCE_DIR", Path(__file__).resolve().parents[3]))
BIN = Path(os.environ.get("AISPM_BIN_DIR", ROOT / "build" / "release" / "bin"))
PYTHON = "/usr/bin/python3"
ORDINARY_UID = 65534
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
FAR = "93.184.216.34"
OWN = "93.184.216.1"
HOSTS = f"""127.0.0.1 localhost
{FAR} allowed.test other.test unlisted.test a.wild.test pypi.org files.pythonhosted.org registry.npmjs.org index.test
2606:2800:220:1::34 six.test
10.9.9.9 private.test
127.0.0.1 loop.test
{OWN} own.test
169.254.169.254 meta.test
::ffff:10.9.9.9 mapped.test
93.184.216.77 dead.test
"""
EGRESS = """egress:
  allow_hosts: [allowed.test, 'allowed.test:80', 'allowed.test:8443', 'six.test:80', 'private.test:80', 'loop.test:80', 'own.test:80',
                'meta.test:80', 'mapped.test:80', 'dead.test:80', '*.wild.test', pypi.org, files.pythonhosted.org, registry.npmjs.org]
  connections: 4
  bytes: 262144
  idle: 2s
"""
PROFILE = """version: 1
name: with-hosts
network:
  allow_hosts: [allowed.test, 'allowed.test:80', 'allowed.test:8443', 'six.test:80', 'private.test:80', 'loop.test:80', 'own.test:80',
                'meta.test:80', 'mapped.test:80', 'dead.test:80', '*.wild.test', other.test]
"""


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


@dataclass
class World:
    folder: Path
    processes: list[subprocess.Popen] = field(default_factory=list)
    near: int = 0
    far: int = 0

    def hold(self, *flags: str) -> int:
        """A process that holds namespaces of its own; gives its pid."""
        process = subprocess.Popen(["unshare", *flags, "sleep", "900"])
        self.processes.append(process)
        deadline = time.monotonic() + 10
        while os.readlink(f"/proc/{process.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return process.pid

    def inside(self, pid: int, *words: str | Path) -> list[str]:
        return ["nsenter", "-t", str(pid), "-n", *(["-m"] if pid == self.near else []), "--", *map(str, words)]

    def make(self) -> None:
        self.near, self.far = self.hold("-n", "-m"), self.hold("-n")
        near, far = (lambda *w: run(*self.inside(self.near, *w))), (lambda *w: run(*self.inside(self.far, *w)))
        near("ip", "link", "set", "lo", "up")
        far("ip", "link", "set", "lo", "up")
        near("ip", "link", "add", "va", "type", "veth", "peer", "name", "vb", "netns", str(self.far))
        near("ip", "address", "add", f"{OWN}/24", "dev", "va")
        near("ip", "address", "add", "2606:2800:220:1::1/64", "dev", "va", "nodad")
        near("ip", "link", "set", "va", "up")
        far("ip", "address", "add", f"{FAR}/24", "dev", "vb")
        far("ip", "address", "add", "2606:2800:220:1::34/64", "dev", "vb", "nodad")
        far("ip", "address", "add", "10.9.9.9/32", "dev", "vb")
        far("ip", "address", "add", "169.254.169.254/32", "dev", "vb")
        far("ip", "link", "set", "vb", "up")
        near("ip", "route", "add", "10.9.9.9", "dev", "va")
        near("ip", "route", "add", "169.254.169.254", "dev", "va")
        hosts = self.folder / "hosts"
        hosts.write_text(HOSTS)
        near("mount", "--bind", str(hosts), "/etc/hosts")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=allowed.test",
            "-addext", "subjectAltName=DNS:allowed.test,DNS:*.wild.test,DNS:pypi.org,DNS:files.pythonhosted.org,DNS:registry.npmjs.org,DNS:index.test",
            "-keyout", f"{self.folder}/key", "-out", f"{self.folder}/cert")
        self.start(self.inside(self.far, PYTHON, Path(__file__).parent / "far_server.py", self.folder / "cert", self.folder / "key", self.log, self.www))
        self.wait(lambda: any("ready" in line for line in self.seen()))
        time.sleep(0.2)  # the eight listeners start at once
        self.start_gateway()

    def trust_far(self) -> None:
        """The host's list of authorities, as the near namespaces see it, gets the far server's."""
        if any(str(AUTHORITIES) in line for line in Path(f"/proc/{self.near}/mounts").read_text().splitlines()):
            return
        bundle = self.folder / "authorities"
        bundle.write_text(AUTHORITIES.read_text() + (self.folder / "cert").read_text())
        run(*self.inside(self.near, "mount", "--bind", str(bundle), str(AUTHORITIES)))

    @property
    def www(self) -> Path:
        return self.folder / "www"

    @property
    def log(self) -> Path:
        return self.folder / "far.jsonl"

    @property
    def socket(self) -> Path:
        return self.folder / "gw.sock"

    def start(self, words: list[str]) -> None:
        with (self.folder / "processes.log").open("ab") as out:
            self.processes.append(subprocess.Popen(words, stdout=out, stderr=out))

    def wait(self, done) -> None:
        deadline = time.monotonic() + 60
        while not done():
            assert time.monotonic() < deadline, (self.folder / "processes.log").read_text()
            assert all(process.poll() is None for process in self.processes), (self.folder / "processes.log").read_text()
            time.sleep(0.05)

    def start_gateway(self) -> None:
        (self.folder / "policy.yaml").write_text("defaults: {mode: enforce, store_text: false, fail: closed}\nrules: []\n")
        (self.folder / "gateway.yaml").write_text(
            f"listen: ''\nsocket: {self.socket}\nworkers: 2\npolicy: {self.folder}/policy.yaml\npacks: {ROOT}/policies/detect\naudit: required\n"
            f"report:\n  collector: 127.0.0.1:1\n  state_folder: {self.folder}/state\n{EGRESS}"
            "providers:\n  - {name: models, dialect: openai, origin: 'https://api.models.test'}\n")
        self.start(self.inside(self.near, BIN / "aispm-gateway", "--config", self.folder / "gateway.yaml"))
        self.wait(self.socket.exists)

    def seen(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def requests(self, port: int) -> list[str]:
        return [line["request"] for line in self.seen() if line.get("port") == port and "request" in line]

    def forget(self) -> None:
        self.log.write_text("")

    def recorded(self, *words: bytes) -> bool:
        """Whether the gateway has recorded all of these words: as they lie in its spool, which is written in the background."""
        deadline = time.monotonic() + 20
        while True:
            spool = b"".join(path.read_bytes() for path in (self.folder / "state").rglob("*") if path.is_file())
            if all(word in spool for word in words) or time.monotonic() > deadline:
                return all(word in spool for word in words)
            time.sleep(0.1)

    def close(self) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.processes):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    if os.geteuid() != 0:
        pytest.skip("two network namespaces with public addresses need root")
    for tool in ("ip", "nsenter", "unshare", "openssl", "setpriv"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    for program in ("aispm-gateway", "aispm-run"):
        if not (BIN / program).exists():
            pytest.skip(f"{BIN / program} is not built")
    folder = Path("/var/tmp") / f"aispm-egress-{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o755)
    world = World(folder)
    try:
        world.make()
        yield world
    finally:
        world.close()
        shutil.rmtree(folder)


@dataclass
class Agent:
    world: World
    folder: Path
    prefix: list[str]

    def run(self, script: str, *options: str, profile: str = PROFILE) -> dict:
        """Runs `script` in a sandbox behind the gateway; gives the JSON object it printed."""
        (self.folder / "p.yaml").write_text(profile)
        words = [*self.prefix, BIN / "aispm-run", "--gateway", self.world.socket, "--profile", self.folder / "p.yaml", "--agent", "tester",
                 "--events", self.folder / "events.jsonl", *options, "--", PYTHON, "-c", (Path(__file__).parent / "agent_tools.py").read_text() + script]
        ended = subprocess.run(self.world.inside(self.world.near, *words), cwd=self.folder, capture_output=True, text=True, timeout=60,
                               env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LANG": "C.UTF-8"}, check=False)
        assert ended.returncode == 0, ended.stderr
        self.said = ended.stderr
        return json.loads(ended.stdout)

    def events(self, kind: str) -> list[dict]:
        lines = (self.folder / "events.jsonl").read_text().splitlines()
        return [event[kind] for line in lines if kind in (event := json.loads(line))]

    def refused(self) -> dict[str, str]:
        """name or target -> reason"""
        return {d.get("name") or d["target"]: d.get("reason", "") for d in self.events("sandbox_denial") if d["kind"] == "KIND_CONNECT"}


@pytest.fixture(params=["root", "user"])
def agent(request: pytest.FixtureRequest, world: World) -> Iterator[Agent]:
    folder = world.folder / f"agent-{request.param}-{abs(hash(request.node.name)) % 10**8}"
    folder.mkdir()
    prefix = []
    if request.param == "user":
        os.chown(folder, ORDINARY_UID, ORDINARY_UID)
        prefix = ["setpriv", f"--reuid={ORDINARY_UID}", f"--regid={ORDINARY_UID}", "--clear-groups", "--"]
    world.forget()
    yield Agent(world, folder, prefix)
    if sys.exc_info()[0] is None:
        shutil.rmtree(folder)
