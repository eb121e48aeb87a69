# SPDX-License-Identifier: Apache-2.0
"""What detection says of one text."""

from __future__ import annotations

from dataclasses import dataclass, replace

MEDIUM = 3  # model::Severity
HIGH = 4


@dataclass(frozen=True)
class Finding:
    """begin and end in bytes of the UTF-8 text."""

    rule: str
    category: str
    severity: int
    confidence: float
    begin: int
    end: int
    entity: str = ""  # type of personal data, as in placeholders

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
    trick: str = "none"


@dataclass(frozen=True)
class Judged:
    """What the semantic tier says: confidence alone, and of both tiers together; each is 0.5 at its threshold."""

    alone: float
    joint: float


@dataclass(frozen=True)
class Verdict:
    """All findings of one text. `refused`: the engine did not scan it to the end; its callers then deny."""

    found: tuple[Finding, ...] = ()
    refused: str = ""
    classifier: Classified = Classified(0, 0.0, 0)
    semantic: Judged | None = None  # where that tier did not judge

    def rules_alone(self) -> Verdict:
        return replace(self, classifier=Classified(0, 0.0, 0), semantic=None)

    def classifier_alone(self) -> Verdict:
        return replace(self, found=(), semantic=None)

    def semantic_alone(self) -> Verdict:
        own = self.semantic.alone if self.semantic else 0.0
        return Verdict(refused=self.refused, semantic=Judged(own, own))

    def tiers_alone(self) -> Verdict:
        """Both tiers of the classifier without rules."""
        return replace(self, found=())

    def suspects(self) -> bool:
        """Where both tiers judged, what they say together counts, and what tier 1 is sure of."""
        if self.semantic is None:
            return self.classifier.level >= 1
        return self.semantic.joint >= 0.5 or self.classifier.level >= 2

    def flags(self, kind: str) -> bool:
        """Somebody would be told: severity medium or above, or a classifier suspects."""
        if kind == "attack" and self.suspects():
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
            best["classifier"] = self.semantic.joint if self.semantic else self.classifier.confidence
        doubt = 1.0
        for confidence in best.values():
            doubt *= 1 - confidence
        return 1 - doubt
