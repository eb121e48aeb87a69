# SPDX-License-Identifier: Apache-2.0
"""One run: texts, judge, figures, report."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gate
from evaluate import evaluate, kind_of
from judge import Judge
from page import render
from rows import Asked, Row
from verdicts import Verdict

MAX_IDS = 200


def describe_corpus(rows: Sequence[Row]) -> dict[str, Any]:
    """RT-002: the sets with their licences, and one hash over all texts and labels."""
    total = hashlib.sha256()
    sets: dict[str, dict[str, Any]] = {}
    for row in rows:
        total.update(json.dumps([row.id, row.text, row.label, row.surface, row.plain, *row.turns], ensure_ascii=True).encode() + b"\n")
        one = sets.setdefault(row.set, {"name": row.set, "rows": 0, "licences": [], "labels": {}, "surfaces": {}})
        one["rows"] += 1
        licence = row.licence or "not stated"
        if licence not in one["licences"]:
            one["licences"].append(licence)
        for table, name in (("labels", row.label), ("surfaces", row.surface)):
            one[table][name] = one[table].get(name, 0) + 1
    return {"sha256": total.hexdigest(), "rows": len(rows), "sets": list(sets.values())}


class _Listener:
    """Passes texts on to the judge and keeps the verdicts on the first lot, the rows as they are."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.first: list[Verdict | None] | None = None

    def __call__(self, texts: Sequence[Asked]) -> list[Verdict | None]:
        verdicts = self._judge(texts)
        if self.first is None:
            self.first = verdicts
        return verdicts


def perform(rows: Sequence[Row], judge: Judge, head: dict[str, Any]) -> dict[str, Any]:
    """The report but for its gate. `head`: gateway, via, via_words."""
    started, begin = datetime.now(UTC), time.monotonic()
    listener = _Listener(judge)
    figures = evaluate(rows, listener)
    del figures["layers"]  # which layer found it is known inside the engine only
    pairs = [(row, verdict) for row, verdict in zip(rows, listener.first or [], strict=True) if verdict]
    return {
        "format": gate.FORMAT, **head, "started": started.isoformat(timespec="seconds"), "seconds": round(time.monotonic() - begin, 3),
        "corpus": describe_corpus(rows), "asked": judge.asked, "asked_again": judge.asked_again, "unjudged": dict(judge.unjudged.most_common()),
        "false_positives": [row.id for row, verdict in pairs if row.label == "benign" and verdict.flags("attack")][:MAX_IDS],
        "missed": [row.id for row, verdict in pairs if row.label != "benign" and not verdict.flags(kind_of(row))][:MAX_IDS],
        "figures": figures}


def add_gate(report: dict[str, Any], before: dict[str, Any], max_drop: float, max_false_rise: float) -> list[gate.Change]:
    """Notes the comparison in the report; gives what fell."""
    changes = gate.compare(before, report["figures"], max_drop, max_false_rise)
    fallen = [change for change in changes if change.fell]
    report["gate"] = {"passed": not fallen, "max_drop": max_drop, "max_false_rise": max_false_rise,
                      "changes": [vars(change) for change in changes]}
    return fallen


def _replace(path: Path, text: str) -> None:
    """Whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def write(report: dict[str, Any], prefix: Path) -> tuple[Path, Path]:
    """PREFIX.json and PREFIX.html; OSError where that cannot be written."""
    files = prefix.with_name(prefix.name + ".json"), prefix.with_name(prefix.name + ".html")
    _replace(files[0], json.dumps(report, indent=1) + "\n")
    _replace(files[1], render(report))
    return files
