# SPDX-License-Identifier: Apache-2.0
"""The locked set of Python packages holds what was asked for, each by version and hash."""

import os
import re
from pathlib import Path

FOLDER = Path(os.environ["AISPM_SOURCE_DIR"]) / "packaging" / "dev" / "python"
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)(?: ; [^\\]+)? \\$")


def canonical(name: str) -> str:
    """A package's name as registries compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def entries() -> list[list[str]]:
    """The lock's entries: the line with name and version, then a line for each hash."""
    found: list[list[str]] = []
    for line in (FOLDER / "packages.lock").read_text().splitlines():
        if line.startswith(" "):
            found[-1].append(line.strip())
        else:
            found.append([line])
    return found


def test_every_package_that_is_asked_for_is_pinned() -> None:
    asked = {canonical(line) for line in (FOLDER / "packages.in").read_text().split("\n") if line and line[0] != "#"}
    pinned = {canonical(found.group(1)) for entry in entries() if (found := PINNED.match(entry[0]))}
    assert asked, "packages.in asks for nothing"
    assert asked <= pinned, f"make packages.lock anew, it lacks {sorted(asked - pinned)}"


def test_every_pin_has_a_hash() -> None:
    for entry in entries():
        assert PINNED.match(entry[0]), entry[0]
        hashes = [line for line in entry[1:] if re.match(r"^--hash=sha256:[0-9a-f]{64}( \\)?$", line)]
        assert hashes and len(hashes) == len(entry) - 1, entry[0]
