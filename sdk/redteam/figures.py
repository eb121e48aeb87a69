# SPDX-License-Identifier: Apache-2.0
"""The figures of a detector: shares with their interval, area under the curve, recall at a share of false positives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Z95 = 1.959964


@dataclass(frozen=True)
class Share:
    """`hits` of `total`, with Wilson's 95 % interval."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        return self.hits / self.total if self.total else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        if not self.total:
            return (0.0, 1.0)
        share, spread = self.value, Z95 * Z95 / self.total
        centre = (share + spread / 2) / (1 + spread)
        half = Z95 * math.sqrt(share * (1 - share) / self.total + spread / (4 * self.total)) / (1 + spread)
        return (max(0.0, centre - half), min(1.0, centre + half))


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """How often a positive scores above a negative, ties counted half. NaN when one side is empty."""
    if not positive or not negative:
        return math.nan
    ordered = sorted([(score, True) for score in positive] + [(score, False) for score in negative])
    ranks = 0.0
    at = 0
    while at < len(ordered):
        end = at
        while end < len(ordered) and ordered[end][0] == ordered[at][0]:
            end += 1
        ranks += sum(is_positive for _, is_positive in ordered[at:end]) * (at + 1 + end) / 2
        at = end
    return (ranks - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative))


def threshold(negative: Sequence[float], share: float) -> float:
    """At most `share` of the negatives are above it; detected is what is strictly above."""
    if not negative:
        return math.nan
    ordered = sorted(negative, reverse=True)
    return ordered[min(len(ordered) - 1, math.floor(len(ordered) * share))]


def recall_above(positive: Sequence[float], limit: float) -> Share:
    """None is found when there are no negatives to set the limit."""
    return Share(sum(score > limit for score in positive), len(positive))


def macro(shares: Sequence[Share]) -> float:
    values = [share.value for share in shares if share.total]
    return sum(values) / len(values) if values else math.nan
