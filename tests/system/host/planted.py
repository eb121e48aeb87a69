# SPDX-License-Identifier: Apache-2.0
"""Invented secrets of many kinds, each known by where it was planted, and the search for them in whatever form."""

from __future__ import annotations

import base64
import secrets
import string
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
MAX_FILE_BYTES = 1 << 30


def _random(letters: str, size: int) -> str:
    return "".join(secrets.choice(letters) for _ in range(size))


def _github() -> str:
    """With the checksum that GitHub's tokens end in."""
    body = "ghp_" + _random(string.ascii_letters + string.digits, 30)
    rest, check = zlib.crc32(body[4:].encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        check = _BASE62[digit] + check
    return body + check


def _mixed(size: int) -> str:
    return _random(string.ascii_letters + string.digits, size)


# Kind: how one is made, and the words around it in which it is known for what it is.
KINDS = {
    "aws": (lambda: "AKIA" + _random(string.ascii_uppercase + "234567", 16), "{}"),
    "github": (_github, "{}"),
    "slack": (lambda: f"xoxb-{_random(string.digits, 12)}-{_random(string.digits, 13)}-{_mixed(24)}", "{}"),
    "openai": (lambda: "sk-proj-" + _mixed(23) + "7" + _mixed(24), "{}"),
    "anthropic": (lambda: "sk-ant-api03-" + _mixed(93) + "AA", "{}"),
    "stripe": (lambda: "sk_live_" + _mixed(24), "{}"),
    "google": (lambda: "AIza" + _mixed(35), "{}"),
    "jwt": (lambda: "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + base64.urlsafe_b64encode(
        b'{"sub":"' + _random(string.digits, 20).encode() + b'"}').decode().rstrip("=") + "." + _mixed(43), "Bearer {}"),
    # With a digit each: letters alone may be a word, and the rules let words pass. What begins with % is a variable's name.
    "password": (lambda: _mixed(1) + _random(string.ascii_letters + string.digits + "!#%", 11) + "7" + _mixed(9), 'password = "{}"'),
    "connection": (lambda: _mixed(12) + "7" + _mixed(9), "postgres://app:{}@db.internal:5432/prod"),
}


def forms(text: str) -> dict[str, bytes]:
    """As what a program might write it down."""
    raw = text.encode()
    made = {"plain": raw, "hex": raw.hex().encode(), "HEX": raw.hex().upper().encode(), "backwards": raw[::-1], "utf-16": text.encode("utf-16-le"),
            "percent": "".join(f"%{byte:02x}" for byte in raw).encode(), "PERCENT": "".join(f"%{byte:02X}" for byte in raw).encode(),
            "json": "".join(f"\\u{ord(c):04x}" for c in text).encode(), "lower case": text.lower().encode(), "upper case": text.upper().encode()}
    for shift in range(3):  # base64 of it somewhere inside something longer
        whole = base64.b64encode(b"\0" * shift + raw)
        inner = whole[(0, 2, 3)[shift]:len(whole) // 4 * 4 - 4]
        made[f"base64+{shift}"] = inner
        made[f"base64url+{shift}"] = inner.translate(bytes.maketrans(b"+/", b"-_"))
    return made


@dataclass(frozen=True)
class Planted:
    where: str
    kind: str
    value: str

    @property
    def words(self) -> str:
        return KINDS[self.kind][1].format(self.value)

    @property
    def core(self) -> str:
        """The middle: what evidence may show of a secret are at most its edges."""
        random_part = self.value[-24:] if self.kind != "jwt" else self.value[-40:]
        return random_part[4:-4]


@dataclass
class Ledger:
    planted: list[Planted] = field(default_factory=list)

    def plant(self, where: str, kind: str) -> str:
        """A new secret, in the words around it."""
        self.planted.append(Planted(where, kind, KINDS[kind][0]()))
        return self.planted[-1].words

    def add(self, where: str, value: str) -> None:
        """One that somebody else made."""
        self.planted.append(Planted(where, "aws", value))

    def search(self, name: str, content: bytes) -> Iterator[str]:
        for one in self.planted:
            for form, pattern in forms(one.core).items():
                if pattern in content:
                    yield f"{name}: the {one.kind} secret planted in {one.where}, as {form}"

    def search_files(self, folders: Iterable[Path], leave_out: Iterable[Path]) -> list[str]:
        """Reads every file; one too large to be read is an error, not a blind spot."""
        out = {path.resolve() for path in leave_out}
        found: list[str] = []
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.is_symlink() or not path.is_file() or out & {path.resolve(), *path.resolve().parents}:
                    continue
                assert path.stat().st_size < MAX_FILE_BYTES, path
                found += self.search(str(path.relative_to(folder)), path.read_bytes())
                found += self.search("name of a file", str(path).encode())
        return found
