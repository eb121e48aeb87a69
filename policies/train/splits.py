# SPDX-License-Identifier: Apache-2.0
"""Which rows may train a model that another row judges: the only split that says anything about texts not seen yet.

Rows of one origin share templates, carriers and habits, so that a model which has seen one knows the others: an n-gram model
finds 84 % of held-out rows and 19 % of held-out origins. Hence a row is
judged only by a model that has seen no row of its family.

    rows = load(folder)
    for fold in folds(rows):                 # one per family with attacks; families without are spread over them
        model.fit(rows[i] for i in fold.train)
        scores[fold.test] = model.score(rows[i] for i in fold.test)
    print(report(rows, scores))
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

# The four classes that the bars of recall are about. `extraction` and `injection` are one class in most sources.
ATTACKS = frozenset({"injection", "jailbreak", "extraction", "exfiltration"})
# Attacks by other means; they may train the classifier, but no bar is measured on them.
RELATED = frozenset({"tool_poisoning", "memory_poisoning"})
# Families too small to stand alone are left out together.
MIN_FAMILY = 40
FALSE_POSITIVES = (0.01, 0.001)


@dataclass(frozen=True)
class Row:
    """One labelled text. `family` is what is left out together."""

    id: str
    text: str
    label: str
    surface: str
    source: str
    family: str
    hard: str = ""
    plain: str = ""  # the text before it was obfuscated

    @property
    def is_attack(self) -> bool:
        return self.label in ATTACKS

    @property
    def is_benign(self) -> bool:
        return self.label == "benign"


@dataclass(frozen=True)
class Fold:
    """Indexes into the rows. `name` is the family of attacks that is left out."""

    name: str
    train: list[int]
    test: list[int]


def family_of(group: str) -> str:
    """Groups that are one origin: obfuscated copies, the parts of one project, what was written by us."""
    group = group.removeprefix("obf:")
    if group.startswith("own"):
        return "own"
    if group.startswith("gitleaks"):
        return "gitleaks"
    return "repo" if group.startswith("repo:") else group


def load(folder: Path, labels: frozenset[str] | None = None) -> list[Row]:
    """All rows of the folder's *.jsonl in name order; with `labels` only those and the benign ones."""
    rows: list[Row] = []
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                raw = json.loads(line)
                if labels is not None and raw["label"] != "benign" and raw["label"] not in labels:
                    continue
                rows.append(Row(raw["id"], raw["text"], raw["label"], raw["surface"], raw["source"],
                                family_of(raw.get("group", raw["source"])), raw.get("hard", ""), raw.get("plain", "")))
    return rows


def folds(rows: Sequence[Row], smallest: int = MIN_FAMILY) -> list[Fold]:
    """One fold per family with at least `smallest` attacks; all smaller ones are one fold. Every row is tested exactly once.

    Families without attacks go to the fold that their name's hash says, so that benign rows too are judged by models that have
    not seen their family.
    """
    attacks: dict[str, int] = {}
    for row in rows:
        attacks[row.family] = attacks.get(row.family, 0) + row.is_attack
    large = sorted(name for name, count in attacks.items() if count >= smallest)
    small = sorted(name for name, count in attacks.items() if 0 < count < smallest)
    names = large + (["small"] if small else [])
    if len(names) < 2:
        raise ValueError("leaving a source out needs attacks of at least two families")

    def home(family: str) -> str:
        if family in large:
            return family
        if family in small:
            return "small"
        return names[int.from_bytes(hashlib.sha256(family.encode()).digest()[:4], "big") % len(names)]

    homes = [home(row.family) for row in rows]
    return [Fold(name, [i for i, place in enumerate(homes) if place != name],
                 [i for i, place in enumerate(homes) if place == name]) for name in names]


def threshold(benign: Iterable[float], share: float) -> float:
    """The smallest score that at most `share` of the benign ones exceed: detected is what is strictly above it."""
    ordered = sorted(benign, reverse=True)
    return ordered[min(len(ordered) - 1, math.floor(len(ordered) * share))] if ordered else math.inf


@dataclass(frozen=True)
class Report:
    """Recall of ATTACKS on families that the judging model has not seen."""

    macro: dict[float, float]                 # by share of false positives: mean over families
    families: dict[str, dict[float, float]]   # family -> the same
    sizes: dict[str, int]

    def __str__(self) -> str:
        lines = [f"{'left-out family':<22}{'rows':>6}" + "".join(f"{f'@{share:.1%} FP':>12}" for share in self.macro)]
        for name in sorted(self.families):
            figures = self.families[name]
            lines.append(f"{name:<22}{self.sizes[name]:>6}" + "".join(f"{figures[share]:>12.1%}" for share in self.macro))
        lines.append(f"{'macro':<28}" + "".join(f"{figure:>12.1%}" for figure in self.macro.values()))
        return "\n".join(lines)


def surface_kind(surface: str) -> str:
    """Thresholds are per kind of surface: what a user writes, what is fetched, what a tool says of itself, arguments, replies."""
    return {"user_prompt": "prompt", "system_prompt": "prompt", "tool_description": "description", "tool_call": "arguments",
            "llm_output": "reply"}.get(surface, "fetched")


def report(rows: Sequence[Row], scores: Sequence[float], per_surface: bool = True,
           shares: Sequence[float] = FALSE_POSITIVES) -> Report:
    """Recall at thresholds that the benign rows set (each scored by a model that has not seen its family)."""
    plain = [i for i, row in enumerate(rows) if not row.plain]
    kinds = [surface_kind(row.surface) if per_surface else "" for row in rows]
    limits = {share: {kind: threshold((scores[i] for i in plain if rows[i].is_benign and kinds[i] == kind), share)
                      for kind in set(kinds)} for share in shares}
    families: dict[str, dict[float, float]] = {}
    sizes: dict[str, int] = {}
    for name in sorted({row.family for row in rows if row.is_attack}):
        mine = [i for i in plain if rows[i].family == name and rows[i].is_attack]
        if len(mine) < 10:
            continue
        sizes[name] = len(mine)
        families[name] = {share: sum(scores[i] > limits[share][kinds[i]] for i in mine) / len(mine) for share in shares}
    macro = {share: sum(figures[share] for figures in families.values()) / max(1, len(families)) for share in shares}
    return Report(macro, families, sizes)
