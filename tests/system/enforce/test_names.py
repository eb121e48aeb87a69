# SPDX-License-Identifier: Apache-2.0
"""Rules that name hosts: whose word opens and closes an address. All in network namespaces of this test, where no packet leaves."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_local_rules import Sensor, program  # noqa: F401

RESOLVER, FAR = "203.0.113.53", "203.0.113.9"

# Answers every question for an A record at argv[1]:53 with argv[2].
SERVE = """
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 53))
print("ready", flush=True)
while True:
    asked, who = server.recvfrom(512)
    end = 12
    while asked[end]:
        end += asked[end] + 1
    end += 5
    server.sendto(asked[:2] + bytes.fromhex("81800001000100000000") + asked[12:end]
                  + bytes.fromhex("c00c000100010000003c0004") + socket.inet_aton(sys.argv[2]), who)
"""
# Asks argv[1]:53 for the name argv[2].
ASK = """
import socket, sys
name = b"".join(bytes([len(part)]) + part.encode() for part in sys.argv[2].split("."))
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(5)
client.sendto(bytes.fromhex("123401000001000000000000") + name + bytes.fromhex("0000010001"), (sys.argv[1], 53))
print(len(client.recv(512)))
"""
CONNECT = "import socket, sys\nsocket.create_connection((sys.argv[1], 80), 2)\nprint('connected')"


class Network:
    """A network namespace with loopback and some addresses, and a resolver in its /etc/resolv.conf."""

    def __init__(self, folder: Path, *addresses: str) -> None:
        resolv = folder / "resolv.conf"
        resolv.write_text(f"nameserver {RESOLVER}\n")
        added = "".join(f"ip addr add {address}/32 dev lo && " for address in addresses)
        self._holder = subprocess.Popen(
            ["unshare", "-n", "-m", "sh", "-c", f"ip link set lo up && {added} mount --bind {resolv} /etc/resolv.conf && echo ready && exec sleep 300"],
            stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None and self._holder.stdout.readline() == "ready\n"
        self.enter = ("nsenter", "-t", str(self._holder.pid), "-n", "-m")
        self._running = [self._holder]

    def serve(self, address: str, answer: str) -> None:
        server = subprocess.Popen([*self.enter, sys.executable, "-c", SERVE, address, answer], stdout=subprocess.PIPE, text=True)
        self._running.append(server)
        assert server.stdout is not None and server.stdout.readline() == "ready\n"

    def listen(self, address: str) -> None:
        code = "import socket, sys, time\nserver = socket.create_server((sys.argv[1], 80))\nprint('ready', flush=True)\ntime.sleep(300)"
        server = subprocess.Popen([*self.enter, sys.executable, "-c", code, address], stdout=subprocess.PIPE, text=True)
        self._running.append(server)
        assert server.stdout is not None and server.stdout.readline() == "ready\n"

    def run(self, who: Path | str, code: str, *arguments: str) -> str:
        done = subprocess.run([*self.enter, who, "-I", "-c", textwrap.dedent(code), *arguments], capture_output=True, text=True, timeout=60,
                              check=False, env={"PYTHONHOME": sys.base_prefix, "PATH": os.environ["PATH"]})
        return done.stdout + done.stderr

    def stop(self) -> None:
        for one in reversed(self._running):
            one.kill()
            one.wait(timeout=30)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    if os.geteuid() != 0 or not Path("/etc/resolv.conf").exists():
        pytest.skip("needs root and an /etc/resolv.conf")
    made = Network(tmp_path, RESOLVER, FAR)
    yield made
    made.stop()


def test_who_answers_himself_opens_nothing_sen_021(program: Path, network: Network, tmp_path: Path) -> None:  # noqa: F811
    """An agent is root in a network namespace that it makes: any address and port 53 are its own there."""
    (tmp_path / "own").mkdir()
    own = Network(tmp_path / "own", RESOLVER)
    sensor = Sensor(tmp_path, f"- {{id: gateway-only, mode: enforce, exe: \"{program}\", egress: [127.0.0.1, {RESOLVER}, gateway.example]}}\n",
                    *network.enter)
    try:
        network.listen(FAR)
        assert "PermissionError" in network.run(program, CONNECT, FAR)
        own.serve(RESOLVER, FAR)  # the resolver's address, in another network
        network.serve("127.0.0.1", FAR)  # another address, in this network
        assert own.run(program, ASK, RESOLVER, "gateway.example") == "49\n"
        assert network.run(program, ASK, "127.0.0.1", "gateway.example") == "49\n"
        time.sleep(1)
        assert "PermissionError" in network.run(program, CONNECT, FAR)
        network.serve(RESOLVER, FAR)
        assert network.run(program, ASK, RESOLVER, "gateway.example") == "49\n"
        for _ in range(50):
            if "connected" in (said := network.run(program, CONNECT, FAR)):
                break
            time.sleep(0.1)
        assert "connected" in said, said
    finally:
        sensor.stop()
        own.stop()


def test_a_blocked_name_does_not_take_the_resolver_with_it(program: Path, network: Network, tmp_path: Path) -> None:  # noqa: F811
    sensor = Sensor(tmp_path, f"- {{id: no-openai, mode: enforce, exe: \"{program}\", domain: api.openai.com}}\n", *network.enter)
    try:
        network.listen(FAR)
        network.serve(RESOLVER, FAR)
        assert network.run(program, ASK, RESOLVER, "api.openai.com") == "48\n"
        for _ in range(50):
            if "PermissionError" in (said := network.run(program, CONNECT, FAR)):
                break
            time.sleep(0.1)
        assert "PermissionError" in said, said
        assert network.run(program, ASK, RESOLVER, "docs.example") == "46\n"
    finally:
        sensor.stop()
