# SPDX-License-Identifier: Apache-2.0
"""What the probes look for outside: a secret file, servers, sockets, shared memory, a process. And the ways to run the probes."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import ORDINARY_UID, POOL_WORDS, PROBE, RUN

IS_ROOT = os.geteuid() == 0
KINDS = ["root", "user"] if IS_ROOT else ["user"]
AS_USER = ["setpriv", f"--reuid={ORDINARY_UID}", f"--regid={ORDINARY_UID}", "--clear-groups", "--"] if IS_ROOT else []
USER_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--net", "--ipc", "--uts", "--cgroup", "--"]
# What only root can prepare: a program that is setuid root or has file capabilities, a mount.
NEED_ROOT = {"setuid-copy", "file-capabilities", "write-shared-submount", "mountinfo-paths", "read-root-only"}

# A caller that leaves a folder of the host open on descriptor 7.
WITH_FD_7 = ["sh", "-c", 'exec 7</etc; exec "$@"', "sh"]
WITH_MOUNTS = 'mount -t tmpfs -o mode=1777 none "$1/sub" && mount -t tmpfs aispm-hidden "$2" && shift 2 && exec "$@"'
# Everything is local, as in the sandbox, but somebody listens.
LISTEN = """
import os, socket, subprocess, sys, threading
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "route", "add", "local", "default", "dev", "lo", "table", "local"], check=True)
subprocess.run(["ip", "-6", "route", "add", "local", "default", "dev", "lo", "table", "local"], check=True)
servers = []
for port in (22, 443, 853, 8080, 8443):
    server = socket.socket(socket.AF_INET6); server.bind(("::", port)); server.listen(16); servers.append(server)
def echo(server):
    while True:
        data, control, _, peer = server.recvmsg(100, 200)
        server.sendmsg([data], control, 0, peer)
for family, level, option in ((socket.AF_INET, socket.IPPROTO_IP, 8), (socket.AF_INET6, socket.IPPROTO_IPV6, 49)):
    for port in (5353, 4433):
        server = socket.socket(family, socket.SOCK_DGRAM)
        server.setsockopt(level, option, 1)
        if family == socket.AF_INET6: server.setsockopt(level, 26, 1); server.setsockopt(level, 78, 1)
        server.bind(("", port)); threading.Thread(target=echo, args=(server,), daemon=True).start()
ended = subprocess.run(sys.argv[1:])
os._exit(ended.returncode)
"""


def why_not(kind: str) -> str:
    """Why this kind of caller cannot be tried here; empty when it can."""
    if not RUN.exists() or not PROBE.exists():
        return f"{RUN} or {PROBE} is not built"
    if kind == "root" and not IS_ROOT:
        return "root mode needs root"
    if IS_ROOT and not shutil.which("setpriv"):
        return "setpriv (util-linux) is needed to become an ordinary user"
    return ""


def set_capability(path: Path) -> None:
    """cap_net_raw=ep in the attribute's revision 2."""
    os.setxattr(path, "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0))


@dataclass
class Outside:
    """One prepared host. `folder` may be entered by everybody."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    keep: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def shared(self) -> Path:
        return self.folder / "shared"

    def command(self, words: list[str]) -> list[str]:
        if not IS_ROOT:
            return words
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", WITH_MOUNTS, "sh", str(self.shared), str(self.folder / "other"), *words]

    def probes_of(self, words: list[str], names: list[str]) -> dict[str, str]:
        """Results of the probes when `words` starts them."""
        ended = subprocess.run(self.command([*words, str(PROBE), *names]), env=self.environment, cwd=self.work, capture_output=True, text=True,
                               timeout=120, check=False)
        lines = [line.split(" ") for line in ended.stdout.splitlines()]
        assert ended.returncode == 0 and all(len(line) == 2 for line in lines), (ended.returncode, ended.stdout[-500:], ended.stderr)
        return dict(lines)


def files(outside: Outside) -> None:
    folder = outside.folder
    for name in ("work", "shared", "shared/sub", "other"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    (folder / "secret").write_text("of the host")
    (folder / "secret").chmod(0o644)
    (outside.work / "planted").symlink_to(folder / "secret")
    (outside.shared / "file").write_text("given")
    (outside.shared / "file").chmod(0o666)
    (outside.shared / "root-only").write_text("of root")
    (outside.shared / "root-only").chmod(0o600)
    for name in ("suid", "caps"):
        shutil.copy(PROBE, outside.shared / name)
    if IS_ROOT:
        (outside.shared / "suid").chmod(0o4755)
        set_capability(outside.shared / "caps")


def servers(outside: Outside) -> dict[str, str]:
    keep = outside.keep
    v4 = keep.enter_context(socket.socket(socket.AF_INET))
    v4.bind(("127.0.0.1", 0))
    v4.listen(16)
    port = v4.getsockname()[1]
    v6 = keep.enter_context(socket.socket(socket.AF_INET6))
    v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    v6.bind(("::1", port))
    v6.listen(16)
    abstract = f"aispm-probe-{os.getpid()}"
    for name in ("\0" + abstract, str(outside.work / "host.sock")):
        server = keep.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(name)
        server.listen(16)
    (outside.work / "host.sock").chmod(0o777)
    return {"HOST_PORT": str(port), "ABSTRACT": abstract}


def shared_objects(outside: Outside) -> dict[str, str]:
    libc = ctypes.CDLL(None, use_errno=True)
    key = 0x41500000 + os.getpid() % 0xFFFF
    segment = libc.shmget(key, 4096, 0o1666)
    assert segment >= 0, os.strerror(ctypes.get_errno())
    outside.keep.callback(libc.shmctl, segment, 0, None)
    queue = f"/aispm-probe-{os.getpid()}"
    old = os.umask(0)
    try:
        descriptor = libc.mq_open(queue.encode(), os.O_CREAT | os.O_RDWR, 0o666, None)
        assert descriptor >= 0, os.strerror(ctypes.get_errno())
    finally:
        os.umask(old)
    os.close(descriptor)
    outside.keep.callback(libc.mq_unlink, queue.encode())
    memory = Path("/dev/shm") / queue[1:]
    memory.write_text("of the host")
    memory.chmod(0o644)
    outside.keep.callback(memory.unlink)
    return {"SHM_KEY": str(key), "QUEUE": queue, "SHM_FILE": queue[1:]}


@contextlib.contextmanager
def prepare(name: str) -> Iterator[Outside]:
    folder = Path("/var/tmp") / f"aispm-probes-{os.getpid()}-{name}"
    folder.mkdir()
    folder.chmod(0o755)
    outside = Outside(folder)
    with outside.keep as keep:
        keep.callback(shutil.rmtree, folder)
        files(outside)
        host_process = subprocess.Popen([*AS_USER, "sleep", "600"])
        keep.callback(host_process.wait)
        keep.callback(host_process.kill)
        values = {"SECRET": str(folder / "secret"), "WORK": str(outside.work), "SHARED": str(outside.shared), "HOST_PID": str(host_process.pid),
                  "HIDDEN": "aispm-hidden", "HOST_NAME": socket.gethostname(), "TOKEN": "leaked-by-the-host",
                  **servers(outside), **shared_objects(outside)}
        outside.environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder), "LANG": "C.UTF-8", "AWS_SECRET_ACCESS_KEY": "leaked-by-the-host",
            "LD_PRELOAD": "", "PYTHONPATH": "/nonexistent", "PYTHONSTARTUP": "/nonexistent/start.py",
            **{f"PROBE_{key}": value for key, value in values.items()}}
        yield outside


@dataclass(frozen=True)
class Denied:
    kind: str
    target: str
    error: str


@dataclass
class Inside:
    """What one run of all probes in the sandbox gave."""

    results: dict[str, str]
    denied: dict[Denied, int]  # how often
    port: str
    start: dict


def read_events(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def inside(outside: Outside, kind: str, names: list[str], launcher: Path = RUN, knocked_out: str = "",
           network: tuple[str, ...] = ("--offline",), more: tuple[str, ...] = ()) -> Inside:
    events = outside.folder / "events" / f"{kind}.jsonl"  # not below what the agent may write
    events.parent.mkdir(exist_ok=True)
    events.parent.chmod(0o777)
    events.unlink(missing_ok=True)
    options = [*network, *more, *(POOL_WORDS if launcher == RUN else []), "--events", str(events), "--ro", str(PROBE), "--ro", str(outside.shared), "--rw", str(outside.work)]
    for key, value in outside.environment.items():
        if key.startswith("PROBE_"):
            options += ["--env", f"{key}={value}"]
    words = [*WITH_FD_7, *(AS_USER if kind == "user" else []), "env", f"AISPM_KNOCK_OUT={knocked_out}", str(launcher), *options, "--"]
    results = outside.probes_of(words, names)
    denied: dict[Denied, int] = {}
    start: dict = {}
    for event in read_events(events):
        start = event.get("sandbox_start", start)
        if denial := event.get("sandbox_denial"):
            protocol = denial.get("protocol", "")
            one = Denied(denial["kind"] + (f"/{protocol}" if protocol else ""), denial["target"], denial.get("error", ""))
            assert denial["first_time"] <= denial["last_time"]
            denied[one] = denied.get(one, 0) + int(denial["count"])
    return Inside(results, denied, outside.environment["PROBE_HOST_PORT"], start)


@functools.cache
def all_inside(kind: str) -> Inside:
    """One run of every probe in the sandbox, for each kind of caller."""
    if why := why_not(kind):
        pytest.skip(why)
    with prepare(kind) as outside:
        return inside(outside, kind, [])


def control_words(control: str) -> list[str]:
    return {
        "user": [*WITH_FD_7, *AS_USER],
        "root": WITH_FD_7,
        "userns": [*AS_USER, *USER_NAMESPACE],
        "net": [*AS_USER, *USER_NAMESPACE, "/usr/bin/python3", "-I", "-c", LISTEN],
    }[control]
