# SPDX-License-Identifier: Apache-2.0
"""What a person sees of ./dev: steps with their time, and refusals with a remedy."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOG_FOLDER = ROOT / "build" / "log"
TAIL_LINES = 40


class Refusal(Exception):
    """Something ./dev cannot do; the message says what, why, and what to do."""


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Prints `title`, then `ok` or `failed` with the seconds it took."""
    start = time.monotonic()
    print(f"  {title:<52}", end="", flush=True)
    try:
        yield
    except BaseException:
        print(f" failed  {time.monotonic() - start:6.1f} s", flush=True)
        raise
    print(f" ok      {time.monotonic() - start:6.1f} s", flush=True)


def run(
    command: Sequence[str | os.PathLike[str]],
    log: str,
    env: dict[str, str] | None = None,
    cwd: Path = ROOT,
) -> None:
    """Runs a command with its output in build/log/<log>.log; on failure shows the end of it and refuses."""
    LOG_FOLDER.mkdir(parents=True, exist_ok=True)
    path = LOG_FOLDER / f"{log}.log"
    with path.open("wb") as output:
        output.write((" ".join(map(str, command)) + "\n").encode())
        output.flush()
        code = subprocess.call(
            list(command), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            cwd=cwd, env={**os.environ, **(env or {})},
        )
    if code != 0:
        tail = path.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        raise Refusal("\n".join(tail) + f"\n\n`{' '.join(map(str, command))}` exited {code}; whole output: {path}")


def confirm(question: str, assume_yes: bool) -> bool:
    """Asks on the terminal. Without one, only --yes or CI=true counts as consent."""
    if assume_yes or os.environ.get("CI") == "true":
        return True
    if not sys.stdin.isatty():
        raise Refusal("no terminal to ask on: run again with --yes")
    return input(f"{question} [Y/n] ").strip().lower() in ("", "y", "yes")
