# SPDX-License-Identifier: Apache-2.0
"""Builds the dashboard and the programs; does nothing quickly when all is built."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import packages
from ui import ROOT, run, step

DASHBOARD = ROOT / "gateway" / "dashboard"
PRESETS = ("dev", "release", "asan", "tsan", "fuzz")
SANITIZED = ("asan", "tsan")
PROGRAMS = ["aispm-sensord", "aispm-run", "aispm-pool", "aispm-gateway", "aispm-collector", "aispm"]
# What tests and demonstrators use of the registry, and all that it needs, each file by its hash. pip is not left to solve
# this set anew: it took minutes when the versions fitted and hours when a new release did not.
PYTHON_LOCK = ROOT / "packaging" / "dev" / "python" / "packages.lock"


def binary(name: str, preset: str = "release") -> Path:
    return ROOT / "build" / preset / "bin" / name


def _digest(paths: list[Path]) -> str:
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(str(path).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def _unchanged(stamp: Path, digest: str) -> bool:
    return stamp.exists() and stamp.read_text() == digest


def npm_install(folder: Path, title: str) -> dict[str, str]:
    """`npm ci` in `folder` when its lock file changed; gives the environment to run its scripts in."""
    env = packages.node_environment()
    stamp = folder / "node_modules" / ".aispm-lock"
    digest = _digest([folder / "package-lock.json"])
    if not _unchanged(stamp, digest):
        with step(title):
            run(["npm", "ci", "--no-audit", "--no-fund"], "npm-" + folder.name, env, folder)
            stamp.write_text(digest)
    return env


def dashboard() -> None:
    sources = [path for path in DASHBOARD.rglob("*") if path.is_file()
               and not {"node_modules", "dist", "gen"} & set(path.relative_to(DASHBOARD).parts)]
    sources += (ROOT / "proto" / "aispm" / "v1").glob("*.proto")  # its API client is generated from them
    stamp = DASHBOARD / "dist" / ".aispm-sources"
    digest = _digest(sources)
    if _unchanged(stamp, digest):
        return
    env = npm_install(DASHBOARD, "dashboard: packages")
    with step("dashboard: build"):
        run(["npm", "run", "build"], "dashboard", env, DASHBOARD)
        stamp.write_text(digest)


def programs(preset: str, targets: list[str]) -> None:
    """Configures if needed and builds `targets` (all when empty)."""
    folder = ROOT / "build" / preset
    # Reproducible cache hits whichever folder the clone is in.
    env = {"CCACHE_BASEDIR": str(ROOT), "CCACHE_NOHASHDIR": "1"}
    if not (folder / "build.ninja").exists():
        with step(f"configure ({preset})"):
            run(["cmake", "--preset", preset], "configure-" + preset, env)
    with step(f"compile ({preset})" if not targets or targets != PROGRAMS else f"programs ({preset})"):
        run(["ninja", "-C", folder, *targets], "compile-" + preset, env)


def python_environment() -> Path:
    """A venv in build/venv with the client packages that tests and demonstrators use; gives its python."""
    python = ROOT / "build" / "venv" / "bin" / "python"
    stamp = ROOT / "build" / "venv" / ".aispm-packages"
    wanted = _digest([PYTHON_LOCK])
    if python.exists() and _unchanged(stamp, wanted):
        return python
    with step("Python environment (openai, anthropic, pytest, ...)"):
        run(["/usr/bin/python3", "-m", "venv", "--clear", ROOT / "build" / "venv"], "venv")
        run([python, "-m", "pip", "install", "--disable-pip-version-check", "-q", "--no-deps", "--require-hashes",
             "--only-binary", ":all:", "-r", PYTHON_LOCK], "pip")
        stamp.write_text(wanted)
    return python


def everything_for_running(assume_yes: bool) -> None:
    packages.ensure(testing=False, assume_yes=assume_yes)
    dashboard()
    programs("release", PROGRAMS)


def everything_for_tests(assume_yes: bool, preset: str, targets: list[str] | None = None) -> None:
    """What tests need: all programs and tests, or of these only `targets` and what each test of a script needs besides."""
    packages.ensure(testing=True, assume_yes=assume_yes)
    python_environment()
    dashboard()
    programs(preset, [*targets, "fill_cache"] if targets else [])


def jobs() -> int:
    return os.cpu_count() or 1
