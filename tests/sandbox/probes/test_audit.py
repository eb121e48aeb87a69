# SPDX-License-Identifier: Apache-2.0
"""What Landlock refuses is told by the kernel's audit stream, with the right sandbox, path and errno (root, Linux 6.15)."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
from collections.abc import Iterator

import pytest
from conftest import Sandbox

AUDIT_GET, AUDIT_SET, AUDIT_ADD_RULE, AUDIT_DEL_RULE, AUDIT_LIST_RULES = 1000, 1001, 1011, 1012, 1013
NLMSG_ERROR, NLMSG_DONE = 2, 3
# "-a never,task": new processes get no audit context, so that the test slows nobody down.
NEVER_TASK = struct.pack("=III", 1, 0, 0) + b"\xff" * 256 + bytes(4 * 64 * 3 + 4)
SCRIPT = """
import errno, fcntl, os, sys
for i in range(int(sys.argv[1])):
    device = os.open("/dev/random", os.O_RDONLY)
    try: fcntl.ioctl(device, 0x80045200, bytes(4))
    except OSError as error: print(errno.errorcode[error.errno])
    os.close(device)
try: os.kill(1, 0)
except OSError as error: print(errno.errorcode[error.errno])
"""


class KernelAudit:
    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)
        self.socket.bind((0, 0))
        self.socket.settimeout(5)

    def ask(self, kind: int, body: bytes = b"") -> list[bytes]:
        """The bodies of the answers; raises what the kernel refused with."""
        self.socket.send(struct.pack("=IHHII", 16 + len(body), kind, 5, 1, 0) + body)
        bodies: list[bytes] = []
        is_listing = kind in {AUDIT_GET, AUDIT_LIST_RULES}
        while True:
            answer = self.socket.recv(16384)
            (got,) = struct.unpack_from("=H", answer, 4)
            if got == NLMSG_ERROR:
                (error,) = struct.unpack_from("=i", answer, 16)
                if error:
                    raise OSError(-error, os.strerror(-error))
                if not is_listing:
                    return bodies
            elif got == NLMSG_DONE:
                return bodies
            elif got == kind:
                bodies.append(answer[16:])
                if kind == AUDIT_GET:
                    return bodies

    def is_on(self) -> bool:
        return struct.unpack_from("=II", self.ask(AUDIT_GET)[0])[1] != 0

    def set_on(self, on: bool) -> None:
        self.ask(AUDIT_SET, struct.pack("=11I", 1, int(on), *[0] * 9))


@pytest.fixture
def audit(sandbox: Sandbox) -> Iterator[str]:
    """On for the test; gives what the sandbox must say of file denials. As it was afterwards."""
    if sandbox.kind == "user":
        yield "file_denials:unseen (not root)"
        return
    with contextlib.ExitStack() as undo:
        kernel = KernelAudit()
        try:
            was_on = kernel.is_on()
        except OSError as error:
            pytest.skip(f"no audit in this kernel or container: {error}")
        if not was_on:
            if os.environ.get("AISPM_TEST_AUDIT") != "1":
                pytest.skip("audit is off on this host; AISPM_TEST_AUDIT=1 lets the test turn it on for a moment")
            if not kernel.ask(AUDIT_LIST_RULES):
                kernel.ask(AUDIT_ADD_RULE, NEVER_TASK)
                undo.callback(kernel.ask, AUDIT_DEL_RULE, NEVER_TASK)
            undo.callback(kernel.set_on, False)
            kernel.set_on(True)
        yield "file_denials:audit"


def mechanisms(sandbox: Sandbox) -> list[str]:
    return sandbox.events()[0]["sandbox_start"]["mechanisms"]


def abi_of(sandbox: Sandbox) -> int:
    return next(int(name.split(":")[1]) for name in mechanisms(sandbox) if name.startswith("landlock:"))


def reported(sandbox: Sandbox) -> dict[tuple[str, str, str], int]:
    found: dict[tuple[str, str, str], int] = {}
    for event in sandbox.events():
        if denial := event.get("sandbox_denial"):
            key = (denial["kind"], denial["target"], denial.get("error", ""))
            found[key] = found.get(key, 0) + int(denial["count"])
    return found


def test_landlocks_refusals_are_told(sandbox: Sandbox, audit: str) -> None:
    ended = sandbox.run("--offline", "--events", "events.jsonl", "--", "/usr/bin/python3", "-c", SCRIPT, "7")
    assert ended.returncode == 0, ended.stderr
    if abi_of(sandbox) < 7 and sandbox.kind == "root":
        assert "file_denials:unseen (Landlock before ABI 7)" in mechanisms(sandbox)
        return
    assert audit in mechanisms(sandbox)
    assert ended.stdout.split() == ["EACCES"] * 7 + ["EPERM"]
    files = {key: count for key, count in reported(sandbox).items() if key[0] == "KIND_FILE" or "scope" in key[1]}
    expected = {("KIND_FILE", "/dev/random (fs.ioctl_dev)", "EACCES"): 7, ("KIND_SYSCALL", "aispm-init (scope.signal)", "EPERM"): 1}
    assert files == (expected if audit == "file_denials:audit" else {})


def test_each_sandbox_tells_its_own(sandbox: Sandbox, audit: str) -> None:
    """Two at once, with other counts: no refusal lands in the wrong one, none is lost at the end of a short run."""
    words = [sandbox.command("--offline", "--events", f"events-{count}.jsonl", "--", "/usr/bin/python3", "-c", SCRIPT, str(count)) for count in (11, 23)]
    runs = [subprocess.Popen(word, env=sandbox.environment(), cwd=sandbox.folder, stdout=subprocess.DEVNULL) for word in words]
    assert [run.wait(30) for run in runs] == [0, 0]
    for count in (11, 23):
        events = sandbox.events(f"events-{count}.jsonl")
        if audit not in events[0]["sandbox_start"]["mechanisms"]:
            pytest.skip(str(events[0]["sandbox_start"]["mechanisms"]))
        told = sum(int(event["sandbox_denial"]["count"]) for event in events
                   if event.get("sandbox_denial", {}).get("kind") == "KIND_FILE")
        assert told == (count if audit == "file_denials:audit" else 0)


def test_a_flood_is_counted(sandbox: Sandbox, audit: str) -> None:
    """The kernel keeps only so many records for its readers; what it drops is told as a number."""
    if audit != "file_denials:audit":
        pytest.skip("there is no stream to flood as an ordinary user")
    ended = sandbox.run("--offline", "--events", "events.jsonl", "--", "/usr/bin/python3", "-c", SCRIPT, "20000", timeout=60)
    assert ended.returncode == 0, ended.stderr
    if audit not in mechanisms(sandbox):
        pytest.skip(str(mechanisms(sandbox)))
    files = {key: count for key, count in reported(sandbox).items() if key[0] == "KIND_FILE"}
    assert sum(files.values()) >= 20000, files
    assert all(target == "/dev/random (fs.ioctl_dev)" or target.startswith("(unseen: ") for _, target, _ in files)
