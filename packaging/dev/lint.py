# SPDX-License-Identifier: Apache-2.0
"""./dev lint: form and static checks. Reports; changes nothing."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import build
import packages
from ui import ROOT, Refusal, run, step


def _tracked(*patterns: str) -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name]


def _format() -> None:
    run(["clang-format", "--dry-run", "-Werror", *_tracked("*.cpp", "*.hpp")], "clang-format")


def _compile_commands() -> list[dict[str, str]]:
    loaded: list[dict[str, str]] = json.loads((ROOT / "build" / "release" / "compile_commands.json").read_text())
    return loaded


def _headers_alone() -> None:
    """Every header compiles by itself: includes what it uses. Flags of the first source in the same folder, else of any."""
    commands = _compile_commands()

    def flags_for(header: str) -> list[str]:
        top = header.split("/")[0]
        best = next((c for c in commands if str(Path(c["file"]).parent) == str((ROOT / header).parent)), None)
        best = best or next(c for c in commands if c["file"].startswith(str(ROOT / top)))
        words = best["command"].split()
        words = words[1:] if words[0].endswith("ccache") else words
        keep: list[str] = []
        skip = False
        for word in words[1:]:
            if skip:
                skip = False
            elif word in ("-o", "-c", "-MF", "-MT"):
                skip = word != "-c"
            elif word != best["file"] and word != "-MD":
                keep.append(word)
        return keep

    def check(header: str) -> str:
        with tempfile.NamedTemporaryFile("w", suffix=".cpp") as source:
            source.write(f'#include "{header}"\n')
            source.flush()
            done = subprocess.run(["ccache", "g++", *flags_for(header), "-fsyntax-only", source.name], cwd=ROOT,
                                  capture_output=True, text=True, check=False)
        return "" if done.returncode == 0 else f"{header}:\n{done.stderr}"

    headers = [name for name in _tracked("*.hpp") if not name.startswith("tests/fixtures")]
    with ThreadPoolExecutor(build.jobs()) as pool:
        problems = [text for text in pool.map(check, headers) if text]
    if problems:
        raise Refusal("\n".join(problems))


def _tidy(everything: bool) -> None:
    files = [c["file"] for c in _compile_commands()
             if c["file"].startswith(str(ROOT)) and "/build/" not in c["file"]
             and (everything or "/sdk/core/" in c["file"])]
    run(["run-clang-tidy", "-quiet", "-extra-arg=-Wno-unknown-warning-option", "-p", ROOT / "build" / "release",
         *sorted(set(files))], "clang-tidy")


def _python() -> None:
    bin_folder = build.python_environment().parent
    run([bin_folder / "ruff", "check", "packaging/dev", "sdk", "tests"], "ruff")
    if (ROOT / "sdk" / "python" / "aispm").exists():
        run([bin_folder / "mypy", "--strict", "sdk/python/aispm"], "mypy-sdk")
    run([bin_folder / "mypy", "--strict", *_tracked("sdk/redteam/*.py")], "mypy-redteam", {"MYPYPATH": "sdk/redteam"})
    run([bin_folder / "mypy", "--strict", *_tracked("packaging/dev/*.py")], "mypy-dev", {"MYPYPATH": "packaging/dev"})


def _typescript() -> None:
    env = build.npm_install(build.DASHBOARD, "dashboard: packages")
    run(["npm", "run", "lint"], "tsc", env, build.DASHBOARD)


def main(tidy_all: bool, assume_yes: bool) -> int:
    packages.ensure(testing=True, assume_yes=assume_yes)
    if not (ROOT / "build" / "release" / "compile_commands.json").exists():
        build.programs("release", [])
    checks: list[tuple[str, Callable[[], None]]] = [
        ("clang-format", _format), ("headers compile alone", _headers_alone), ("clang-tidy", lambda: _tidy(tidy_all)),
        ("ruff and mypy", _python), ("tsc", _typescript)]
    failed = 0
    for title, check in checks:
        try:
            with step(title):
                check()
        except Refusal as refusal:
            print(refusal)
            failed += 1
    return 1 if failed else 0
