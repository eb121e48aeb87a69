# SPDX-License-Identifier: Apache-2.0
"""Installs the programs that the capture tests run into build/fixtures: published ones from npm with pinned versions and
checksums, Go and Rust clients built from the sources beside this file. About 500 MB are downloaded once; what is there and
unchanged is kept.

Run by the tests; by hand: python3 tests/system/runtimes/fixtures.py [name ...]
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "build" / "fixtures"
BIN = FOLDER / "bin"
SOURCES = Path(__file__).resolve().parent / "clients"


class Unavailable(Exception):
    """The program cannot be had here; the reason is for the skip message."""


@dataclass(frozen=True)
class Published:
    """A program in an npm package: the package's spec, its sha512 and where the program is in it."""

    spec: str
    sha512: str
    path: str


PUBLISHED = {
    "bun": Published("@oven/bun-linux-x64@1.4.5",
                     "IWX9BELoGHAUtMonkeSaNaZwXzRk+oDw6Mk+HBFXd3KHYIBNBsIGRupMZPcgNoDbJpLu6gAJjIoIVPZtt1aJ1g==", "bin/bun"),
    "deno": Published("@deno/linux-x64-glibc@2.9.6",
                      "3md4TKLCuzsLDmfOoC5KN7NAZaxSVkMgm64vg6foD00JBADCpYS2/5QqXfzgnP5ZQz3iLP9vBQJtEgc116OAoQ==", "deno"),
    "claude": Published("@anthropic-ai/claude-code-linux-x64@2.1.329",
                        "+n4lu1ubYAp02Y0X/MAUnxw9yY6SHHZ77F+IoW+V0wVoFuiI9opdH6gofjf14gXJCEYMTNpks7Gn1i8XZTKAWA==", "claude"),
    "codex": Published("@openai/codex@0.169.0-linux-x64",
                       "o05NyAOCDygSPRo1yinzxvkRSdmsZyBD9E7mbpmjRanSfM8lypqWtQgEo4XfNkwhuCR2aFu8mlGOsQGFXVbVww==",
                       "vendor/x86_64-unknown-linux-musl/bin/codex"),
    "opencode": Published("opencode-linux-x64@1.18.33",
                          "q/t/3p2CTxOT9y2kvjesb/LZab2+1eqlhhWA02Be6mjTtmYtNBcBsrI5yDo4Fw7ZSPBW2oyMIGMNRqiKQjiAWw==",
                          "bin/opencode"),
}
# Programs that are a folder of scripts for Node.js: all of the package is kept, as `npm install -g` does.
SCRIPTS = {
    "gemini": Published("@google/gemini-cli@0.61.0", "dbQ9A0qBtFJNi6XBkHvfZ6Azpn6PNgH/P8h2MZ67RLlX8hSAVjup39CRWqdRxZv7YXIuhrFaytr8y0jKnkoxnQ==",
                        "bundle/gemini.js"),
}
MIN_NODE = 20
BUILT = ("go_client", "rustls_aws_lc", "rustls_ring")
# A Debian package's program, taken out of it and not installed: package, path.
PACKAGED = {"tstclnt": ("libnss3-tools", "usr/bin/tstclnt")}


def _run(what: str, *command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=900)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise Unavailable(f"{what}: {problem}") from problem
    if done.returncode != 0:
        raise Unavailable(f"{what}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


def _is_current(name: str, version: str) -> bool:
    stamp = FOLDER / f"{name}.version"
    return (BIN / name).exists() and stamp.exists() and stamp.read_text() == version


def _keep(name: str, version: str, program: Path) -> Path:
    BIN.mkdir(parents=True, exist_ok=True)
    target = BIN / name
    target.unlink(missing_ok=True)
    shutil.move(program, target)
    target.chmod(0o755)
    (FOLDER / f"{name}.version").write_text(version)
    return target


def _fetch(wanted: Published, folder: Path) -> Path:
    """The package's archive, in `folder`, which is made anew. Raises where its content is not the pinned one."""
    if shutil.which("npm") is None:
        raise Unavailable("npm is not installed")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = folder / _run(f"npm pack {wanted.spec}", "npm", "pack", "--silent", wanted.spec, cwd=folder).split()[-1]
    digest = hashlib.sha512()
    with archive.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    if base64.b64encode(digest.digest()).decode() != wanted.sha512:
        raise RuntimeError(f"{wanted.spec}: the registry's file is not the one that is pinned here")
    return archive


def _install(name: str, wanted: Published) -> Path:
    if _is_current(name, wanted.spec + wanted.sha512):
        return BIN / name
    folder = FOLDER / "download" / name
    try:
        with tarfile.open(_fetch(wanted, folder)) as content:
            member = content.getmember(f"package/{wanted.path}")
            source = content.extractfile(member)
            assert source is not None
            with (folder / "program").open("wb") as out:
                shutil.copyfileobj(source, out)
        return _keep(name, wanted.spec + wanted.sha512, folder / "program")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def node() -> Path:
    """A Node.js that is new enough: the one that ./dev fetched for the dashboard, else the system's."""
    own = next((ROOT / "build" / "tools" / "node_modules").glob("node-linux-*/bin/node"), None)
    found = own or shutil.which("node")
    if found is None:
        raise Unavailable("Node.js is not installed")
    version = _run("node --version", found, "--version", cwd=ROOT).strip().lstrip("v")
    if int(version.split(".")[0]) < MIN_NODE:
        raise Unavailable(f"Node.js {version} is older than {MIN_NODE}")
    return Path(found)


def _install_scripts(name: str, wanted: Published) -> Path:
    """As npm has it: the package below lib/node_modules, a link to its program in bin."""
    node()
    version = wanted.spec + wanted.sha512
    home = FOLDER / "lib" / "node_modules" / wanted.spec.rpartition("@")[0]
    if _is_current(name, version):
        return BIN / name
    folder = FOLDER / "download" / name
    try:
        with tarfile.open(_fetch(wanted, folder)) as content:
            content.extractall(folder / "content")  # what it holds is pinned
        shutil.rmtree(home, ignore_errors=True)
        home.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder / "content" / "package", home)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    (home / wanted.path).chmod(0o755)
    BIN.mkdir(parents=True, exist_ok=True)
    (BIN / name).unlink(missing_ok=True)
    (BIN / name).symlink_to(os.path.relpath(home / wanted.path, BIN))
    (FOLDER / f"{name}.version").write_text(version)
    return BIN / name


def _digest_of(folder: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())).hexdigest()


def _build_go() -> Path:
    source = SOURCES / "go"
    version = _digest_of(source)
    if _is_current("go_client", version):
        return BIN / "go_client"
    if shutil.which("go") is None:
        raise Unavailable("no Go toolchain (apt install golang-go)")
    out = FOLDER / "go_client.new"
    FOLDER.mkdir(parents=True, exist_ok=True)
    # As released programs are: without names, paths and unwind tables.
    _run("go build", "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, ".", cwd=source,
         env={**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"})
    return _keep("go_client", version, out)


def _build_rust(name: str, feature: str) -> Path:
    source = SOURCES / "rustls"
    version = _digest_of(source) + feature
    if _is_current(name, version):
        return BIN / name
    if shutil.which("cargo") is None:
        raise Unavailable("no Rust toolchain (apt install cargo)")
    target = FOLDER / "cargo" / feature
    target.mkdir(parents=True, exist_ok=True)
    _run(f"cargo build --features {feature}", "cargo", "build", "--release", "--locked", "--features", feature, "--target-dir",
         target, cwd=source)
    built = target / "release" / "rustls_client"
    kept = _keep(name, version, built)
    shutil.rmtree(target, ignore_errors=True)
    return kept


def _unpack(name: str) -> Path:
    package, path = PACKAGED[name]
    if shutil.which(name):
        return Path(str(shutil.which(name)))
    if _is_current(name, package):
        return BIN / name
    folder = FOLDER / "download" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        # apt checks the package's signature.
        _run(f"apt-get download {package}", "apt-get", "download", "-o", "APT::Sandbox::User=root", package, cwd=folder)
        _run(f"unpack {package}", "dpkg", "-x", next(folder.glob("*.deb")), folder / "content", cwd=folder)
        program = folder / "content" / path
        missing = [line.split()[0] for line in _run("ldd", "ldd", program, cwd=folder).splitlines() if "not found" in line]
        if missing:
            raise Unavailable(f"{package} needs {', '.join(missing)}, not installed here")
        return _keep(name, package, program)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def get(name: str) -> Path:
    """The program's path, installed if need be. Raises Unavailable with the reason where it cannot be had."""
    if name in PUBLISHED:
        return _install(name, PUBLISHED[name])
    if name in SCRIPTS:
        return _install_scripts(name, SCRIPTS[name])
    if name in PACKAGED:
        return _unpack(name)
    if name == "go_client":
        return _build_go()
    return _build_rust(name, {"rustls_aws_lc": "aws_lc", "rustls_ring": "ring"}[name])


def main(names: list[str]) -> int:
    failures = 0
    for name in names or [*PUBLISHED, *SCRIPTS, *BUILT, *PACKAGED]:
        try:
            print(f"{name}: {get(name)}")
        except Unavailable as problem:
            failures += 1
            print(f"{name}: {problem}")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
