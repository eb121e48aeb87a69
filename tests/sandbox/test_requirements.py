# SPDX-License-Identifier: Apache-2.0
"""Packages of an agent's own (SBX-024, SBX-026; attempts 97 to 100): built in a sandbox from a folder of wheels made here, kept, shared."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import socket
import stat
import subprocess
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
from conftest import Sandbox

PYTHON = "/usr/bin/python3"


def make_wheel(folder: Path, name: str, files: dict[str, str], links: dict[str, str] | None = None) -> Path:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        for inner, text in files.items():
            wheel.writestr(inner, text)
        for inner, target in (links or {}).items():
            entry = zipfile.ZipInfo(inner)
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            wheel.writestr(entry, target)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    path.chmod(0o644)
    return path


class Shop:
    """A folder of wheels, an agent, and a cache of its own."""

    def __init__(self, box: Sandbox) -> None:
        self.box = box
        self.wheels = box.folder / "wheels"
        self.wheels.mkdir()
        self.wheels.chmod(0o755)
        self.cache = box.folder / "cache"
        self.own(box.folder)

    def own(self, path: Path) -> None:
        if self.box.kind == "user" and os.geteuid() == 0:
            os.chown(path, self.box.folder.stat().st_uid, self.box.folder.stat().st_gid)

    def write(self, name: str, text: str) -> Path:
        path = self.box.folder / name
        path.write_text(text)
        path.chmod(0o644)
        return path

    def command(self, *options: str, requirements: str = "requirements.txt") -> list[str]:
        return self.box.command("--offline", "--python", PYTHON, "--events", "events.jsonl", "--requirements", requirements,
                                "--index", str(self.wheels), *options, "agent.py")

    def environment(self) -> dict[str, str]:
        return self.box.environment({"AISPM_CACHE": str(self.cache)})

    def run(self, *options: str, requirements: str = "requirements.txt") -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*options, requirements=requirements), env=self.environment(), cwd=self.box.folder, timeout=120,
                              capture_output=True, text=True, check=False)

    def tool(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.box.command("cache", *words), env=self.environment(), cwd=self.box.folder, timeout=60, capture_output=True,
                              text=True, check=False)

    def told(self) -> list[dict]:
        return [event["agent_log"] for event in self.box.events() if event.get("agent_log", {}).get("stream") == "requirements"]


@pytest.fixture
def shop(sandbox: Sandbox) -> Shop:
    if subprocess.run([PYTHON, "-I", "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"{PYTHON} has no pip (python3-pip)")
    return Shop(sandbox)


AGENT = "import greeting, sys; print(greeting.WORD, greeting.__file__)\n"


def test_a_pool_that_has_nothing_for_it_is_a_cold_start_with_its_reason(shop: Shop) -> None:
    """And where one has: a waiting sandbox, in which the interpreter starts with these packages (test_pool.py)."""
    make_wheel(shop.wheels, "greeting", {"greeting.py": "WORD = 'hello'\n"})
    shop.write("requirements.txt", "greeting==1.0\n")
    shop.write("agent.py", AGENT)
    ended = shop.run("--pool", "--pool-socket", str(shop.box.folder / "no.sock"), "--verbose")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("hello ")
    assert "cold start, not from the pool: no pool at" in ended.stderr
    start = [event["sandbox_start"] for event in shop.box.events() if "sandbox_start" in event][-1]  # the packages' own run comes before
    assert (start["start_kind"], start["cold_reason"][:10]) == ("cold", "no pool at")


def test_an_agent_with_requirements_runs_and_later_runs_share_them(shop: Shop) -> None:
    """SBX-026"""
    wheel = make_wheel(shop.wheels, "greeting", {"greeting/__init__.py": "WORD = 'hello'\n"})
    shop.write("agent.py", AGENT + "open('/opt/aispm/packages/greeting/__init__.py', 'a')\n")
    shop.write("requirements.txt", "greeting==1.0  # ours\n")
    first = shop.run()
    assert first.stdout.split() == ["hello", "/opt/aispm/packages/greeting/__init__.py"], first.stderr
    assert "Read-only file system" in first.stderr or "Permission denied" in first.stderr
    assert "resolving 1 requirements" in first.stderr
    line = shop.told()[-1]
    assert line["fields"]["name"] == "greeting"
    assert line["fields"]["hash"] == "sha256:" + hashlib.sha256(wheel.read_bytes()).hexdigest()
    starts = [event["sandbox_start"] for event in shop.box.events() if "sandbox_start" in event]
    assert [start["profile"] for start in starts] == ["build", "default"]
    assert "packages:" + line["fields"]["packages"] in starts[1]["mechanisms"]

    second = shop.run()
    assert second.stdout == first.stdout
    assert "resolving" not in second.stderr
    shop.write("other.txt", "greeting\n")
    assert "resolving" in shop.run(requirements="other.txt").stderr
    assert "1 trees" in shop.tool("list").stdout  # another text, the same packages
    assert list((shop.cache / "requirements/trees").rglob("__pycache__/*.pyc"))
    assert not list((shop.cache / "requirements/building").glob("*-*"))  # no stage is left


def test_the_dependencies_of_a_pyproject_are_installed(shop: Shop) -> None:
    make_wheel(shop.wheels, "greeting", {"greeting.py": "WORD = 'hi'\n"})
    shop.write("agent.py", AGENT)
    shop.write("pyproject.toml", "[project]\nname = 'x'\ndependencies = ['greeting>=1']\n")
    assert shop.run(requirements="pyproject.toml").stdout.startswith("hi ")


@pytest.mark.parametrize(("line", "word"), [
    ("-e git+ssh://git@host/x", "editable"), ("--extra-index-url https://evil.example", "--index"), ("file:///etc/passwd", "addresses"),
    ("-r /etc/passwd", "other files"), ("x==1 ; nonsense == 'y'", "environment marker"), ("x @ https://me:secret@host/x.whl", "addresses")])
def test_attempt_98_hostile_lines_are_refused_by_line_and_told(shop: Shop, line: str, word: str) -> None:
    shop.write("agent.py", "print('ran')\n")
    shop.write("requirements.txt", f"# one\n{line}\n")
    ended = shop.run()
    assert ended.returncode == 2
    assert "requirements.txt:2: " in ended.stderr and word in ended.stderr
    assert "ran" not in ended.stdout
    told = shop.told()
    assert len(told) == 1 and told[0]["level"] == "error" and "requirements.txt:2: " in told[0]["message"]
    assert "secret" not in ended.stderr + str(told)


BACKEND = """
import os, socket, subprocess, sys, time, zipfile
found = []
try:
    found.append(open(os.environ["SECRET_FILE_OF_CALLER"]).read())
except Exception as error:
    found.append(type(error).__name__)
for path in (%(secret)r, %(home)r + "/requirements.txt"):
    try:
        found.append(open(path).read())
    except OSError as error:
        found.append(error.strerror)
try:
    socket.create_connection(("127.0.0.1", %(port)d), 2).close()
    found.append("connected")
except OSError as error:
    found.append("no connection")
found.append(str(subprocess.call(["curl", "-sm", "2", "http://127.0.0.1:%(port)d/"]) if os.path.exists("/usr/bin/curl") else 7))
if os.fork() == 0:
    os.setsid()
    os.closerange(0, 64)
    for _ in range(200):
        time.sleep(0.05)
        try:
            open(%(out)r, "a").write("alive\\n")
        except OSError:
            pass

def build_wheel(folder, config=None, metadata=None):
    name = "evil-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("evil.py", "FOUND = " + repr(found) + "\\n")
        wheel.writestr("evil-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: evil\\nVersion: 1.0\\n")
        wheel.writestr("evil-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("evil-1.0.dist-info/RECORD", "")
    return name
"""


def test_attempt_97_code_of_a_package_runs_only_when_allowed_and_finds_nothing(shop: Shop) -> None:
    secret = shop.write("secret.txt", "top secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        backend = BACKEND % {"secret": str(secret), "home": str(shop.box.folder), "port": server.getsockname()[1],
                             "out": str(shop.box.folder / "alive")}
        with tarfile.open(shop.wheels / "evil-1.0.tar.gz", "w:gz") as archive:
            for name, text in {"evil-1.0/pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n",
                               "evil-1.0/backend.py": backend,
                               "evil-1.0/PKG-INFO": "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n"}.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(text.encode())
                archive.addfile(entry, io.BytesIO(text.encode()))
        shop.write("agent.py", "import evil; print(evil.FOUND)\n")
        shop.write("requirements.txt", "evil==1.0\n")
        # Control: in a plain process the same code finds all of it, and its daemon lives on.
        control = subprocess.run([*shop.box.prefix, PYTHON, "-c", backend + "print(found)"], capture_output=True, text=True, timeout=60, check=True,
                                 env=shop.environment() | {"SECRET_FILE_OF_CALLER": str(secret)})
        assert control.stdout.count("top secret") == 2 and "evil==1.0" in control.stdout and "'connected'" in control.stdout
        server.accept()[0].close()
        alive = shop.box.folder / "alive"
        deadline = time.monotonic() + 10
        while not alive.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        alive.unlink()
        alive.mkdir()  # ends what the daemon can do
        with contextlib.suppress(TimeoutError):
            server.accept()[0].close()  # curl's

        refused = shop.run()
        assert refused.returncode == 125 and "could not be installed" in refused.stderr

        ended = shop.run("--dangerously-build-packages")
        assert ended.returncode == 0, ended.stderr
        assert "top secret" not in ended.stdout and "evil==1.0" not in ended.stdout
        assert "no connection" in ended.stdout and "'0'" not in ended.stdout
        with pytest.raises(TimeoutError):
            server.accept()
    kinds = {event["sandbox_denial"]["kind"] for event in shop.box.events() if "sandbox_denial" in event}
    assert "KIND_CONNECT" in kinds
    assert list(alive.iterdir()) == []
    found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(shop.cache) not in found


def test_attempt_98_another_index_is_never_asked(shop: Shop) -> None:
    make_wheel(shop.wheels, "greeting", {"greeting.py": "WORD = 'x'\n"})
    shop.write("agent.py", AGENT)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        hostile = f"--extra-index-url http://127.0.0.1:{server.getsockname()[1]}/simple\ngreeting\n"
        file = shop.write("requirements.txt", hostile)
        ended = shop.run()
        assert ended.returncode == 2 and "requirements.txt:1: " in ended.stderr
        with pytest.raises(TimeoutError):
            server.accept()
        # Control: plain pip asks it.
        pip = subprocess.Popen([PYTHON, "-I", "-m", "pip", "--isolated", "download", "-q", "--retries", "0", "--timeout", "5", "--no-deps", "-i",
                                f"http://127.0.0.1:{server.getsockname()[1]}/first", "-d", shop.box.folder / "got", "-r", file],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            server.settimeout(30)
            asked = []
            for _ in range(2):
                with server.accept()[0] as peer:
                    peer.settimeout(10)
                    asked.append(peer.recv(4096).split(b" ")[1])
                    peer.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            assert b"/simple/greeting/" in asked
        finally:
            pip.kill()
            pip.wait()


def test_attempt_99_another_file_than_the_pinned_one_is_refused(shop: Shop) -> None:
    wheel = make_wheel(shop.wheels, "greeting", {"greeting.py": "WORD = 'x'\n"})
    shop.write("agent.py", AGENT)
    shop.write("requirements.txt", f"greeting==1.0 --hash=sha256:{'0' * 64}\n")
    ended = shop.run()
    assert ended.returncode == 125 and "DO NOT MATCH THE HASHES" in ended.stderr, ended.stderr
    shop.write("requirements.txt", f"greeting==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    assert shop.run().stdout.startswith("x ")


def test_attempt_100_a_wheel_runs_nothing_unasked_and_writes_nowhere_else(shop: Shop) -> None:
    mark = "import sys; sys.stdout.write('RAN UNASKED\\n')\n"
    make_wheel(shop.wheels, "greeting", {"greeting.py": "WORD = 'x'\n", "evil.pth": mark, "sitecustomize.py": mark, "usercustomize.py": mark,
                                         "json.py": mark + "raise SystemExit('shadowed')\n"},
               {"link.py": "/etc/passwd", "folder": "/"})
    shop.write("agent.py", "import json\n" + AGENT)
    shop.write("requirements.txt", "greeting\n")
    # Control: where plain pip puts it, its start file runs.
    plain = shop.box.folder / "plain"
    subprocess.run([*shop.box.prefix, PYTHON, "-I", "-m", "pip", "--isolated", "install", "-q", "--no-index", "--find-links", shop.wheels, "--target", plain,
                    "greeting"], check=True, timeout=120, env=shop.environment(), capture_output=True)
    control = subprocess.run([PYTHON, "-I", "-c", f"import site; site.addsitedir({str(plain)!r})"], capture_output=True, text=True, check=True)
    assert "RAN UNASKED" in control.stdout
    ended = shop.run()
    assert ended.returncode == 0 and "RAN UNASKED" not in ended.stdout, ended.stderr
    assert "evil.pth" in ended.stderr and "left out" in ended.stderr
    trees = shop.cache / "requirements/trees"
    assert not [path for path in trees.rglob("*") if path.is_symlink() or path.name == "evil.pth"]

    make_wheel(shop.wheels, "climber", {"climber.py": "", "../../../../../../../../../../tmp/climbed": "x", "../climbed.py": "x"})
    shop.write("requirements.txt", "climber\n")
    ended = shop.run()
    assert ended.returncode == 125, ended.stderr
    assert not Path("/tmp/climbed").exists()
    assert not list(shop.cache.rglob("climbed*"))


def test_a_damaged_set_is_noticed_and_made_anew(shop: Shop) -> None:
    make_wheel(shop.wheels, "greeting", {"greeting.py": "WORD = 'x'\n"})
    shop.write("agent.py", AGENT)
    shop.write("requirements.txt", "greeting\n")
    assert shop.run().returncode == 0
    assert shop.tool("check").returncode == 0
    module = next(shop.cache.rglob("greeting.py"))
    module.chmod(0o644)
    module.write_text("WORD = 'forged'\n")
    found = shop.tool("check")
    assert found.returncode == 1 and "damaged, removed" in found.stdout
    again = shop.run()
    assert "resolving" in again.stderr and again.stdout.startswith("x ")
    lock = next((shop.cache / "requirements/locks").iterdir())
    lock.write_bytes(lock.read_bytes()[:-3])
    cut = shop.run().stderr
    assert "resolving" in cut and "are not what was put there and are made anew" in cut
    # Files are looked at once a day, also by a plain run.
    module = next(shop.cache.rglob("greeting.py"))
    module.chmod(0o644)
    module.write_text("WORD = 'forged'\n")
    lock = next((shop.cache / "requirements/locks").iterdir())
    os.utime(lock, (lock.stat().st_atime, lock.stat().st_mtime - 2 * 24 * 3600))
    found_by_run = shop.run()
    assert found_by_run.stdout.startswith("x "), found_by_run.stdout
    assert "made anew: the files are not those that were put there" in found_by_run.stderr
    pruned = shop.tool("prune", "--max-size", "0")
    assert "1 trees" in pruned.stdout and "0 trees" in shop.tool("list").stdout, pruned.stderr


def test_of_runs_at_once_one_builds_and_the_others_wait(shop: Shop) -> None:
    make_wheel(shop.wheels, "greeting", {"greeting.py": "WORD = 'x'\n"})
    shop.write("agent.py", AGENT)
    shop.write("requirements.txt", "greeting\n")
    runs = [subprocess.Popen(shop.command(), env=shop.environment(), cwd=shop.box.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(3)]
    ended = [run.communicate(timeout=120) for run in runs]
    assert [out.split()[0] for out, _ in ended] == ["x"] * 3
    assert sum("resolving" in said for _, said in ended) == 1


def test_a_missing_index_or_network_is_said(shop: Shop) -> None:
    shop.write("agent.py", "print('ran')\n")
    shop.write("requirements.txt", "greeting\n")
    ended = subprocess.run(shop.box.command("--offline", "--requirements", "requirements.txt", "agent.py"), env=shop.environment(),
                           cwd=shop.box.folder, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 125 and "without --offline" in ended.stderr and "ran" not in ended.stdout
    for words in (["--index", "http://pypi.org/simple"], ["--index", "/nowhere"]):
        ended = subprocess.run(shop.box.command("--offline", "--requirements", "requirements.txt", *words, "agent.py"), env=shop.environment(),
                               cwd=shop.box.folder, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 2 and "--index" in ended.stderr


def test_a_cache_that_others_can_write_is_not_used(shop: Shop) -> None:
    shop.write("agent.py", "print('ran')\n")
    shop.write("requirements.txt", "greeting\n")
    (shop.cache / "requirements").mkdir(parents=True)
    shop.own(shop.cache)
    shop.own(shop.cache / "requirements")
    (shop.cache / "requirements").chmod(0o777)
    ended = shop.run()
    assert ended.returncode != 0 and "nobody" in ended.stderr and "ran" not in ended.stdout
