# SPDX-License-Identifier: Apache-2.0
"""Labelled texts as JSON lines: what ./dev eval reads, checked line by line.

Fields: id, text, label, surface, source; optional are those in OPTIONAL. Anything else is an error with file and line, because a
misspelt field would silently change what is measured.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

ATTACKS = ("injection", "jailbreak", "extraction", "exfiltration")  # what the bars of recall are about
RELATED = ("tool_poisoning", "memory_poisoning", "malicious_tool_call", "insecure_output")
CONTENT = ("harmful", "toxic")  # questions of content safety
LABELS = ("benign", *ATTACKS, *RELATED, *CONTENT, "secret", "pii")
SURFACES = ("user_prompt", "system_prompt", "tool_result", "tool_description", "tool_call", "llm_output", "email", "web",
            "document", "memory")
REQUIRED = ("id", "text", "label", "surface", "source")
OPTIONAL = {"group": str, "lang": str, "attack_class": str, "plain": str, "hard": str, "secret": str, "licence": str,
            "maturity": str, "origin": str, "composed": bool, "structured": bool, "entities": list, "turns": list}
MAX_LINE_BYTES = 16 << 20
MAX_ROWS = 2_000_000
MAX_TURNS = 32


class BadData(Exception):
    """`file:line: what is wrong, what is allowed`"""


class Asked(NamedTuple):
    """What is judged: a text on its surface, and what the user said before it in the same conversation."""

    text: str
    surface: str
    turns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entity:
    """A piece of personal data; begin and end in bytes of the UTF-8 text."""

    type: str
    begin: int
    end: int


@dataclass(frozen=True)
class Row:
    id: str
    text: str
    label: str
    surface: str
    source: str
    group: str
    attack_class: str = ""
    hard: str = ""
    plain: str = ""
    secret: str = ""
    lang: str = ""
    entities: tuple[Entity, ...] = field(default=())
    licence: str = ""
    set: str = ""  # name of the file that it came from
    turns: tuple[str, ...] = ()  # earlier messages of the user, oldest first: an attack over several of them

    @property
    def asked(self) -> Asked:
        return Asked(self.text, self.surface, self.turns)


def _entities(raw: list[object], text: str) -> tuple[Entity, ...]:
    found: list[Entity] = []
    for one in raw:
        if not isinstance(one, dict) or not {"type", "start", "end"} <= one.keys():
            raise ValueError("`entities` holds something without type, start and end")
        start, end = one["start"], one["end"]
        if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text)):
            raise ValueError(f"entity {one['type']}: start {start} and end {end} are not inside the text")
        begin = len(text[:start].encode("utf-8", "surrogatepass"))
        found.append(Entity(str(one["type"]), begin, begin + len(text[start:end].encode("utf-8", "surrogatepass"))))
    return tuple(found)


def _turns(raw: list[object]) -> tuple[str, ...]:
    if len(raw) > MAX_TURNS or not all(isinstance(one, str) and one for one in raw):
        raise ValueError(f"`turns` is not a list of at most {MAX_TURNS} texts")
    return tuple(str(one) for one in raw)


def parse_row(line: str) -> Row:
    """ValueError says what is wrong."""
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"longer than {MAX_LINE_BYTES} bytes")
    try:
        raw: Any = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(raw, dict):
        raise ValueError("not a JSON object")
    for name in REQUIRED:
        if not isinstance(raw.get(name), str):
            raise ValueError(f"no string `{name}`")
    for name, value in raw.items():
        if name not in REQUIRED and name not in OPTIONAL:
            raise ValueError(f"unknown field `{name}`; allowed: {', '.join((*REQUIRED, *OPTIONAL))}")
        if name in OPTIONAL and not isinstance(value, OPTIONAL[name]):
            raise ValueError(f"`{name}` is not of type {OPTIONAL[name].__name__}")
    if raw["label"] not in LABELS:
        raise ValueError(f"unknown label `{raw['label']}`; allowed: {', '.join(LABELS)}")
    if raw["surface"] not in SURFACES:
        raise ValueError(f"unknown surface `{raw['surface']}`; allowed: {', '.join(SURFACES)}")
    return Row(raw["id"], raw["text"], raw["label"], raw["surface"], raw["source"], str(raw.get("group", raw["source"])),
               raw.get("attack_class", ""), raw.get("hard", ""), raw.get("plain", ""), raw.get("secret", ""),
               raw.get("lang", ""), _entities(raw.get("entities", []), raw["text"]), raw.get("licence", ""), turns=_turns(raw.get("turns", [])))


def _load_file(path: Path, have: int) -> list[Row]:
    rows: list[Row] = []
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as lines:  # editors of Windows begin files with U+FEFF
            for line in lines:
                number += 1
                if line.strip():
                    rows.append(replace(parse_row(line), set=path.stem))
                if have + len(rows) > MAX_ROWS:
                    raise ValueError(f"more than {MAX_ROWS} rows")
    except UnicodeDecodeError as problem:
        raise BadData(f"{path}: not UTF-8: {problem}") from problem
    except ValueError as problem:
        raise BadData(f"{path}:{number}: {problem}") from problem
    except OSError as problem:
        raise BadData(f"{path}: {problem.strerror}") from problem
    return rows


def load(*places: Path) -> list[Row]:
    """All rows of the files, and of *.jsonl of the folders in name order. BadData when a place has none, or one is wrong."""
    rows: list[Row] = []
    for place in places:
        if not place.exists():
            raise BadData(f"{place}: no such directory" if place.suffix == "" else f"{place}: no such file")
        before = len(rows)
        for path in sorted(place.glob("*.jsonl")) if place.is_dir() else [place]:
            rows += _load_file(path, len(rows))
        if len(rows) == before:
            raise BadData(f"{place}: no rows" + (" in *.jsonl" if place.is_dir() else ""))
    return rows
