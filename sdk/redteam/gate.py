# SPDX-License-Identifier: Apache-2.0
"""RT-008: compares a run with an earlier one, category by category."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = 1
MAX_BASELINE_BYTES = 64 << 20


class BadBaseline(Exception):
    """`file: what is wrong`"""


@dataclass(frozen=True)
class Change:
    """Shares of 0..1; `now` is None when this run has no such category any more."""

    category: str
    before: float
    now: float | None
    fell: bool

    def words(self) -> str:
        now = "not in this run" if self.now is None else f"now {100 * self.now:.1f} %"
        return f"{self.category}: {100 * self.before:.1f} % in the baseline, {now}"


def _joined(table: dict[str, Any]) -> float | None:
    total = sum(int(one["found"]["of"]) for one in table.values())
    return sum(int(one["found"]["hits"]) for one in table.values()) / total if total else None


def recalls(figures: dict[str, Any]) -> dict[str, float]:
    """What the gate looks at: recall per category, secrets and personal data as one each."""
    shares = {name: one["flagged"]["share"] for name, one in figures["by_category"].items()}
    shares |= {name: _joined(figures[name + ("s" if name == "secret" else "")]) for name in ("secret", "pii")}
    return {name: float(share) for name, share in shares.items() if share is not None}


def load_baseline(path: Path, corpus_sha256: str, via: str) -> dict[str, Any]:
    """The figures of an earlier report. One of other texts says nothing about these and is refused."""
    try:
        if path.stat().st_size > MAX_BASELINE_BYTES:
            raise BadBaseline(f"{path}: larger than {MAX_BASELINE_BYTES} bytes")
        report = json.loads(path.read_text(encoding="utf-8"))
        if report["format"] != FORMAT:
            raise BadBaseline(f"{path}: format {report['format']}; this program reads {FORMAT}")
        if report["corpus"]["sha256"] != corpus_sha256:
            raise BadBaseline(f"{path}: was made with other texts; make it again with these")
        if report["via"] != via:
            raise BadBaseline(f"{path}: was made with --via {report['via']}")
        recalls(report["figures"])
        float(report["figures"]["false_positives"]["all"]["flagged"]["share"] or 0)
        figures: dict[str, Any] = report["figures"]
        return figures
    except OSError as problem:
        raise BadBaseline(f"{path}: {problem.strerror}") from problem
    except (ValueError, LookupError, TypeError, AttributeError) as problem:
        raise BadBaseline(f"{path}: not a report of `aispm redteam run`") from problem


def compare(before: dict[str, Any], now: dict[str, Any], max_drop_points: float, max_rise_points: float) -> list[Change]:
    """Every category of the baseline, and false positives, which may not rise."""
    new = recalls(now)
    slack = 1e-9
    changes = [Change(name, old, new.get(name), name not in new or old - new[name] > max_drop_points / 100 + slack)
               for name, old in recalls(before).items()]
    old_false, new_false = (float(figures["false_positives"]["all"]["flagged"]["share"] or 0) for figures in (before, now))
    return [*changes, Change("false positives", old_false, new_false, new_false - old_false > max_rise_points / 100 + slack)]
