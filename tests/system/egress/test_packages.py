# SPDX-License-Identifier: Apache-2.0
"""Packages of an agent come from an index through the gateway (SBX-026; attempts 97 and 99): real pip and npm in the build sandbox, TLS to hosts that
profile and operator both name, nothing else."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import AUTHORITIES, BIN, PYTHON, Agent, World

TRY_PYPI = """
try:
    urllib.request.urlopen("https://pypi.org/simple/", timeout=20)
    found = "reached"
except OSError as error:
    found = "refused"
"""
MARK = "echo ran > ran.txt"  # in the package's own folder


def make_wheel(name: str, text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as wheel:
        wheel.writestr(f"{name}.py", text)
        wheel.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return out.getvalue()


def make_npm_package(name: str, script: str) -> bytes:
    out = io.BytesIO()
    manifest = {"name": name, "version": "1.0.0", "main": "index.js", "bin": {name: "index.js"},
                "scripts": {"preinstall": MARK, "install": MARK, "postinstall": MARK}}
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, text in {"package/package.json": json.dumps(manifest), "package/index.js": script}.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


@dataclass
class Buyer:
    """An agent with requirements, and what the index serves."""

    agent: Agent
    world: World
    served: list[Path] = field(default_factory=list)

    def serve(self, host: str, path: str, content: bytes) -> None:
        file = self.world.www / host / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        self.served.append(file)

    def serve_wheel(self, name: str, text: str, index: str = "pypi.org", files: str = "files.pythonhosted.org", digest: str = "") -> str:
        """Gives its sha256."""
        wheel = make_wheel(name, text)
        real = hashlib.sha256(wheel).hexdigest()
        self.serve(files, f"packages/{name}-1.0-py3-none-any.whl", wheel)
        self.serve(index, f"simple/{name}/index.html",
                   f'<a href="https://{files}/packages/{name}-1.0-py3-none-any.whl#sha256={digest or real}">{name}-1.0-py3-none-any.whl</a>'.encode())
        return real

    def write(self, name: str, text: str) -> None:
        (self.agent.folder / name).write_text(text)

    def run(self, *options: str, requirements: str = "requirements.txt", script: str = "agent.py") -> subprocess.CompletedProcess[str]:
        words = [*self.agent.prefix, BIN / "aispm-run", "--gateway", self.world.socket, "--agent", "tester", "--events", self.agent.folder / "events.jsonl",
                 "--python", PYTHON, "--requirements", self.agent.folder / requirements, *options, self.agent.folder / script]
        return subprocess.run(self.world.inside(self.world.near, *words), cwd=self.agent.folder, capture_output=True, text=True, timeout=150, check=False,
                              env={"PATH": "/usr/bin:/bin", "HOME": str(self.agent.folder), "LANG": "C.UTF-8",
                                   "AISPM_CACHE": str(self.agent.folder / "cache"), "NPM_TOKEN": "secret-of-the-caller"})

    def lineage(self) -> list[dict]:
        return [log for log in self.agent.events("agent_log") if log["stream"] == "requirements"]

    def close(self) -> None:
        for file in self.served:
            file.unlink(missing_ok=True)


@pytest.fixture
def buyer(world: World, agent: Agent) -> Buyer:
    if not AUTHORITIES.exists():
        pytest.skip(f"{AUTHORITIES} (ca-certificates) is what the build trusts")
    if subprocess.run([PYTHON, "-I", "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"{PYTHON} has no pip (python3-pip)")
    world.trust_far()
    made = Buyer(agent, world)
    yield made
    made.close()


def test_python_packages_come_from_the_index_by_the_gateway(buyer: Buyer, world: World) -> None:
    """SBX-026"""
    digest = buyer.serve_wheel("greeting", "WORD = 'hello'\n")
    buyer.write("requirements.txt", "greeting==1.0\n")
    buyer.write("agent.py", "import greeting, urllib.request\n" + TRY_PYPI + "print(greeting.WORD, found)\n")
    ended = buyer.run()
    assert ended.stdout.split() == ["hello", "refused"], ended.stderr
    asked = world.requests(443)
    assert any(request.startswith("GET /simple/greeting/ ") and "Host: pypi.org" in request for request in asked)
    assert any("Host: files.pythonhosted.org" in request for request in asked)
    assert {carried["name"] for carried in buyer.agent.events("socket_close")} == {"pypi.org", "files.pythonhosted.org"}
    assert world.recorded(b"files.pythonhosted.org", b"egress.allow_hosts")
    build, own = buyer.agent.events("sandbox_start")
    hosts = [[line for line in start["boundary"] if line.startswith("egress host")] for start in (build, own)]
    assert hosts == [["egress host files.pythonhosted.org:443", "egress host pypi.org:443"], []]
    line = buyer.lineage()[-1]["fields"]
    assert (line["hash"], line["url"]) == (f"sha256:{digest}", "https://files.pythonhosted.org/packages/greeting-1.0-py3-none-any.whl")
    world.forget()
    again = buyer.run()
    assert again.stdout == ended.stdout, again.stderr
    assert world.requests(443) == []


@pytest.mark.parametrize("index", ["https://unlisted.test/simple", "https://index.test/simple"])
def test_an_index_that_the_operator_does_not_permit_is_refused_with_the_remedy(buyer: Buyer, world: World, index: str) -> None:
    buyer.serve_wheel("greeting", "WORD = 'hello'\n", "index.test", "index.test")
    buyer.write("requirements.txt", "greeting\n")
    buyer.write("agent.py", "print('ran')\n")
    ended = buyer.run("--index", index)
    host = index.split("/")[2]
    assert ended.returncode == 125 and "ran" not in ended.stdout
    assert f"egress: {{allow_hosts: ['{host}:443']}}" in ended.stderr, ended.stderr
    assert "Traceback" not in ended.stderr
    assert world.seen() == []


def test_a_file_that_differs_from_the_indexs_hash_is_refused(buyer: Buyer) -> None:
    """Attempt 99: the file host gives another file than the index names."""
    buyer.serve_wheel("greeting", "WORD = 'hello'\n", digest="0" * 64)
    buyer.write("requirements.txt", "greeting\n")
    buyer.write("agent.py", "print('ran')\n")
    ended = buyer.run()
    assert ended.returncode == 125 and "ran" not in ended.stdout
    assert "DO NOT MATCH THE HASHES" in ended.stderr
    assert "error" in {log["level"] for log in buyer.lineage()}


NODE_AGENT = """
const left = require("left");
const https = require("https");
https.get("https://registry.npmjs.org/left", () => console.log(left(), "reached")).on("error", () => console.log(left(), "refused"));
"""


def write_lock(buyer: Buyer, integrity: str | None, dependency: str = "^1.0.0") -> None:
    entry = {"version": "1.0.0", "resolved": "https://registry.npmjs.org/left/-/left-1.0.0.tgz", "hasInstallScript": True}
    if integrity:
        entry["integrity"] = integrity
    root = {"name": "bot", "version": "1.0.0", "dependencies": {"left": dependency}}
    buyer.write("package.json", json.dumps(root | {"scripts": {"postinstall": MARK}}, indent=1))
    buyer.write("package-lock.json", json.dumps({"name": "bot", "version": "1.0.0", "lockfileVersion": 3, "requires": True,
                                                 "packages": {"": root, "node_modules/left": entry}}, indent=1))


@pytest.fixture
def npm(buyer: Buyer) -> Buyer:
    if not shutil.which("npm", path="/usr/bin:/bin") or not shutil.which("node", path="/usr/bin:/bin"):
        pytest.skip("npm is not installed in /usr/bin")
    return buyer


def sri(content: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def test_node_packages_come_by_their_lock_and_run_nothing(npm: Buyer, world: World) -> None:
    """SBX-026"""
    archive = make_npm_package("left", "module.exports = () => 'padded';\n")
    npm.serve("registry.npmjs.org", "left/-/left-1.0.0.tgz", archive)
    write_lock(npm, sri(archive))
    npm.write("agent.js", NODE_AGENT)
    ended = npm.run(requirements="package.json", script="agent.js")
    assert ended.stdout.split() == ["padded", "refused"], ended.stderr
    assert not list((npm.agent.folder / "cache").rglob("ran.txt"))
    asked = world.requests(443)
    assert [request.split()[1] for request in asked] == ["/left/-/left-1.0.0.tgz"]
    assert "secret-of-the-caller" not in str(asked)
    line = npm.lineage()[-1]["fields"]
    assert (line["name"], line["version"], line["hash"]) == ("left", "1.0.0", sri(archive))
    assert npm.agent.events("sandbox_start")[0]["profile"] == "build"
    world.forget()
    assert npm.run(requirements="package.json", script="agent.js").stdout == ended.stdout
    assert world.requests(443) == []
    # Control: where they may, the same scripts run.
    assert npm.run("--dangerously-build-packages", requirements="package.json", script="agent.js").stdout == ended.stdout
    assert list((npm.agent.folder / "cache").rglob("left/ran.txt"))


def test_node_packages_without_or_with_another_hash_are_refused(npm: Buyer, world: World) -> None:
    """Attempt 99 for npm."""
    archive = make_npm_package("left", "module.exports = () => 'padded';\n")
    npm.serve("registry.npmjs.org", "left/-/left-1.0.0.tgz", archive)
    npm.write("agent.js", "console.log('ran')\n")
    write_lock(npm, None)
    ended = npm.run(requirements="package.json", script="agent.js")
    assert ended.returncode == 2 and "ran" not in ended.stdout
    assert "package-lock.json:14: node_modules/left: has no sha512" in ended.stderr, ended.stderr
    write_lock(npm, sri(b"another file"))
    ended = npm.run(requirements="package.json", script="agent.js")
    assert ended.returncode == 125 and "EINTEGRITY" in ended.stderr and "ran" not in ended.stdout, ended.stderr
    # A lock that leaves out what package.json names: npm finds it, and fetches no file.
    write_lock(npm, sri(archive), dependency="^2.0.0")
    lock = json.loads((npm.agent.folder / "package-lock.json").read_text())
    lock["packages"][""]["dependencies"]["left"] = "^1.0.0"
    npm.write("package-lock.json", json.dumps(lock))
    world.forget()
    ended = npm.run(requirements="package.json", script="agent.js")
    assert ended.returncode == 125 and "ran" not in ended.stdout
    assert not [request for request in world.requests(443) if ".tgz" in request.splitlines()[0]]
