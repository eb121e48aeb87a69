# SPDX-License-Identifier: Apache-2.0
"""What the shipped engine says of a text: runs eval_scan and reads its lines."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

MEDIUM = 3  # model::Severity
HIGH = 4
SCAN_SECONDS = 1800


@dataclass(frozen=True)
class Finding:
    """begin and end in bytes of the UTF-8 text."""

    rule: str
    category: str
    severity: int
    confidence: float
    begin: int
    end: int

    @property
    def kind(self) -> str:
        return self.category if self.category in ("secret", "pii") else "attack"


@dataclass(frozen=True)
class Classified:
    """What tier 1 of the classifier says. level: 1 suspect, 2 sure; confidence is 0.5 where suspect begins; begin and end in bytes."""

    level: int
    confidence: float
    score: int
    begin: int = 0
    end: int = 0


@dataclass(frozen=True)
class Verdict:
    """All findings of one text. `refused`: the engine did not scan it to the end; its callers then deny."""

    found: tuple[Finding, ...] = ()
    refused: str = ""
    classifier: Classified = Classified(0, 0.0, 0)
    semantic: float = 0.0  # confidence of the semantic tier, 0.5 at its threshold; 0 where it did not judge

    def rules_alone(self) -> Verdict:
        return replace(self, classifier=Classified(0, 0.0, 0))

    def classifier_alone(self) -> Verdict:
        return replace(self, found=())

    def flags(self, kind: str) -> bool:
        """Somebody would be told: severity medium or above, or a classifier suspects."""
        if kind == "attack" and (self.classifier.level >= 1 or self.semantic >= 0.5):
            return True
        return bool(self.refused) or any(one.kind == kind and one.severity >= MEDIUM for one in self.found)

    def blocks(self, kind: str) -> bool:
        """The default policy would deny: severity high or above, or the classifier is sure."""
        return bool(self.refused) or (kind == "attack" and self.classifier.level >= 2) or any(one.kind == kind and one.severity >= HIGH for one in self.found)

    def score(self, kind: str) -> float:
        """0..1: how sure all findings of the kind are together, each rule counted once."""
        if self.refused:
            return 1.0
        best: dict[str, float] = {}
        for one in self.found:
            if one.kind == kind:
                best[one.rule] = max(best.get(one.rule, 0.0), one.confidence)
        if kind == "attack":
            best["classifier"] = self.classifier.confidence
            best["semantic"] = self.semantic
        doubt = 1.0
        for confidence in best.values():
            doubt *= 1 - confidence
        return 1 - doubt


def _read(line: str) -> Verdict:
    raw = json.loads(line)
    if "error" in raw:
        return Verdict(refused=raw["error"])
    return Verdict(tuple(Finding(**one) for one in raw["found"]), classifier=Classified(**raw["classifier"]),
                   semantic=raw.get("semantic", {}).get("confidence", 0.0))


class ScanFailed(Exception):
    """eval_scan's own words."""


def scan(program: Path, packs: Path, texts: Sequence[tuple[str, str]], model: Path | None = None) -> list[Verdict]:
    """One verdict per (text, surface), in order; with `model` the semantic tier judges too. Lone surrogates become U+FFFD."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as asked, tempfile.TemporaryFile("w+", encoding="utf-8") as answered:
        for text, surface in texts:
            clean = text.encode("utf-8", "replace").decode("utf-8")
            asked.write(json.dumps({"text": clean, "surface": surface}, ensure_ascii=False) + "\n")
        asked.seek(0)
        done = subprocess.run([program, packs, *([model] if model else [])], stdin=asked, stdout=answered, stderr=subprocess.PIPE, text=True,
                              timeout=SCAN_SECONDS, check=False)
        if done.returncode != 0:
            raise ScanFailed(done.stderr.strip() or f"{program} exited {done.returncode}")
        answered.seek(0)
        verdicts = [_read(line) for line in answered]
    if len(verdicts) != len(texts):
        raise ScanFailed(f"{program} gave {len(verdicts)} verdicts on {len(texts)} texts")
    return verdicts
