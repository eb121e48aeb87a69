# SPDX-License-Identifier: Apache-2.0
"""PII by type of entity, and the makers of texts to measure on. DET-030, DET-003."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from evaluate import evaluate
from rows import load, parse_row
from verdicts import Finding, Verdict

HERE = Path(__file__).resolve().parent


def found(rule: str, entity: str, begin: int, end: int) -> Finding:
    return Finding(rule, "pii", 2, 0.6, begin, end, entity)


def test_a_type_counts_as_found_only_with_the_right_type_on_its_place() -> None:
    text = "call 0301234567 or jo@example.org, Jo"
    entities = [{"type": "PHONE_NUMBER", "start": 5, "end": 15}, {"type": "EMAIL_ADDRESS", "start": 19, "end": 33}, {"type": "PERSON", "start": 35, "end": 37}]
    row = {"id": "a", "text": text, "label": "pii", "surface": "user_prompt", "source": "s"}
    rows = [parse_row(json.dumps(row | {"entities": entities})), parse_row(json.dumps(row | {"id": "b", "label": "benign"}))]
    verdicts = [Verdict((found("pii.phone", "PHONE", 8, 12), found("pii.crypto", "CRYPTO", 20, 24))), Verdict((found("pii.phone", "PHONE", 0, 4),))]
    table = evaluate(rows, lambda texts: verdicts[:len(texts)] if len(texts) == 2 else [Verdict()] * len(texts))["pii"]
    assert table["PHONE_NUMBER"]["found"]["share"] == 1
    assert (table["PHONE_NUMBER"]["right"]["hits"], table["PHONE_NUMBER"]["right"]["of"]) == (1, 2)  # the harmless text counts against it
    assert (table["EMAIL_ADDRESS"]["found"]["hits"], table["EMAIL_ADDRESS"]["seen"]["hits"]) == (0, 1)
    assert table["PERSON"]["needs_model"] and not table["EMAIL_ADDRESS"]["needs_model"]


def test_harmless_rows_come_by_kind_and_are_the_same_each_time(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "README.md").write_text("Words.\n" * 400)
    (source / "a.py").write_text("x = 1\n")
    (source / "go.sum").write_text("golang.org/x/text v0.3.0 h1:abc=\n")
    (source / "binary.py").write_bytes(b"\0\1\2")
    (source / "picture.png").write_bytes(b"\x89PNG")
    for name in ("one", "two"):
        subprocess.run([sys.executable, HERE / "make_harmless.py", tmp_path / name, source], check=True, capture_output=True)
    rows = load(tmp_path / "one")
    assert {row.source for row in rows} == {"prose", "code", "lock file"}
    assert all(row.label == "benign" and 0 < len(row.text) <= 1500 for row in rows)
    assert (tmp_path / "one" / "harmless.jsonl").read_bytes() == (tmp_path / "two" / "harmless.jsonl").read_bytes()


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, HERE / "make_harmless.py", tmp_path / "out", tmp_path / "nope"], capture_output=True, text=True)
    assert done.returncode == 1 and "no such directory" in done.stderr
