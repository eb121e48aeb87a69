# SPDX-License-Identifier: Apache-2.0
"""What the sandbox's benches share: starting programs as root or an ordinary user without Python in the figure, peers, output lines.

A run is measured from posix_spawn (which does not copy this process) to the end of the program that was started. What that program left
behind is waited for afterwards, so that the end of one run is not in the next one's figure.
"""

from __future__ import annotations

import ctypes
import json
import os
import pickle
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
RUN = (Path(os.environ.get("AISPM_BIN_DIR", ROOT / "build/release/bin")) / "aispm-run").absolute()
ORDINARY_UID = 65534
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
PR_SET_CHILD_SUBREAPER = 36
BWRAP = ["bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib",
         "--symlink", "usr/lib64", "/lib64", "--ro-bind", "/etc", "/etc", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--"]  # fmt: skip
FIREJAIL = ["firejail", "--quiet", "--noprofile", "--net=none", "--caps.drop=all", "--seccomp", "--nonewprivs", "--private-dev", "--private-tmp", "--"]
NSJAIL = ["nsjail", "-Mo", "-Q", "-R", "/usr", "-R", "/etc", "-s", "usr/bin:/bin", "-s", "usr/lib:/lib", "-s", "usr/lib64:/lib64", "-T", "/tmp", "--"]
MINIJAIL = ["minijail0", "-v", "-p", "-e", "-l", "-N", "-U", "-m", "-M", "--"]
RUNSC = ["runsc", "--network=none", "--ignore-cgroups", "do"]

_noted: set[str] = set()


def say(name: str, value: float | int | None, unit: str, target: float | None = None, at_least: bool = False) -> None:
    met = None if target is None or value is None else (value >= target if at_least else value <= target)
    shown = round(value, 3) if isinstance(value, float) else value
    print(json.dumps({"name": name, "value": shown, "unit": unit, "target": target, "ok": met}), flush=True)


def note(text: str) -> None:
    """Once, in what is not figures."""
    if text not in _noted:
        _noted.add(text)
        print(text, file=sys.stderr, flush=True)


def users() -> dict[str, int | None]:
    """Prefix of a figure's name -> the user who starts it. An ordinary user measures only itself."""
    if os.geteuid() != 0:
        return {"user.": None}
    return {"root.": None, "user.": ORDINARY_UID}


def as_user(uid: int | None, work: Callable[[], Any]) -> Any:
    """Gives what `work` gives in a process of that user."""
    if uid is None:
        return work()
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            result: tuple[bool, Any] = (True, work())
        except (Exception, SystemExit) as error:
            result = (False, str(error))
        with os.fdopen(write_end, "wb") as pipe:
            pickle.dump(result, pipe)
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    is_fine, value = pickle.loads(data)  # our own child's
    if not is_fine:
        raise SystemExit(value)
    return value


@dataclass
class Spent:
    wall_ms: float
    cpu_ms: float  # of everything it started


def adopt_orphans() -> None:
    """What a started program leaves behind becomes our child, so that its processor time can be counted and its end be waited for."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise SystemExit(f"prctl: {os.strerror(ctypes.get_errno())}")


def spawn(command: list[str], output: str = "/dev/null") -> int:
    path = shutil.which(command[0]) or command[0]
    redirect = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, output, os.O_WRONLY, 0)]  # fmt: skip
    return os.posix_spawn(path, command, ENVIRONMENT, file_actions=redirect)


def launch(command: list[str]) -> Spent:
    begin = time.perf_counter()
    pid = spawn(command)
    cpu = 0.0
    wall = None
    while True:
        try:
            ended, status, usage = os.wait4(-1, 0)
        except ChildProcessError:
            break
        cpu += usage.ru_utime + usage.ru_stime
        if ended == pid:
            wall = (time.perf_counter() - begin) * 1000
            if status != 0:
                raise SystemExit(f"{command[0]} failed ({os.waitstatus_to_exitcode(status)}): {' '.join(command)}")
    assert wall is not None
    return Spent(wall, cpu * 1000)


def interleave(commands: dict[str, list[str]], rounds: int) -> dict[str, list[Spent]]:
    """Each command once a round, each round beginning with another, after one round that is not counted."""
    adopt_orphans()
    os.chdir("/")
    names = list(commands)
    spent: dict[str, list[Spent]] = {name: [] for name in names}
    for turn in range(-1, rounds):
        for i in range(len(names)):
            name = names[(i + turn) % len(names)]
            result = launch(commands[name])
            if turn >= 0:
                spent[name].append(result)
    return spent


def median(values: list[Spent]) -> float:
    return statistics.median(value.wall_ms for value in values)


@contextmanager
def bundle(program: list[str], runtime: str) -> Iterator[list[str]]:
    """An OCI bundle for `crun` and `runc`: /usr of this host, no network but loopback."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # for an ordinary user too
        root = Path(folder) / "rootfs"
        for name in ("usr", "proc", "dev", "sys", "tmp"):
            (root / name).mkdir(parents=True)
        for name in ("bin", "lib", "lib64"):
            (root / name).symlink_to(f"usr/{name}")
        subprocess.run([runtime, "spec"], cwd=folder, check=True, capture_output=True)
        path = Path(folder) / "config.json"
        config = json.loads(path.read_text())
        config["process"]["args"] = program
        config["process"]["terminal"] = False
        config["mounts"].append({"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]})
        path.write_text(json.dumps(config))
        yield [runtime, "run", "--bundle", folder, f"aispm-bench-{os.getpid()}"]


def peer_commands(program: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Peers that are installed; says which are not."""
    packages = {"bwrap": "apt install bubblewrap", "firejail": "apt install firejail", "crun": "apt install crun", "runc": "apt install runc",
                "runsc": "apt install runsc", "nsjail": "Debian 12 has no package", "minijail0": "Debian 12 has no package"}  # fmt: skip
    plain = {"bwrap": BWRAP, "firejail": FIREJAIL, "runsc": RUNSC, "nsjail": NSJAIL, "minijail0": MINIJAIL}
    for name, remedy in packages.items():
        if not shutil.which(name, path=ENVIRONMENT["PATH"]):
            note(f"{name}: not installed ({remedy})")
        elif name in plain:
            yield name, [*plain[name], *program]
        else:
            with bundle(program, name) as command:
                yield name, command


def works_here(name: str, command: list[str], who: str, uid: int | None) -> bool:
    """Whether the peer runs at all for this user; says why it does not."""
    identity = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
    try:
        tried = subprocess.run(command, env=ENVIRONMENT, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False, **identity)  # type: ignore[call-overload]
    except (OSError, subprocess.TimeoutExpired) as error:
        note(f"{name}: does not run here as {who}: {error}")
        return False
    if tried.returncode != 0:
        lines = (tried.stderr or tried.stdout).strip().splitlines()
        note(f"{name}: does not run here as {who}: {lines[0] if lines else f'exit code {tried.returncode}'}")
    return bool(tried.returncode == 0)
