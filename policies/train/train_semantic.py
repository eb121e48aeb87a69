# SPDX-License-Identifier: Apache-2.0
"""Trains the heads of the semantic tier, joins it with tier 1, and says how good that is on sources that were left out.

    ./dev model --train ../shared/data/detection/dev

The encoder stays as it is; each kind of surface has a head of its own, a ridge regression on the encoder's features, in closed
form, so that the result is the same on every run. What is judged on a kind counts fully in its head, the rest by
SHARE_OF_OTHERS. Everything that is chosen here (strength of the ridge, weight of families, of the tiers, thresholds) is chosen
on families left out of training. `--tier1` names the left-out scores that tier1.py wrote: how both tiers are weighed is then
chosen for each family on the others. Writes policies/semantic/head.json; `./dev model` puts it and the encoder into the file
that programs load.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import semantic_data
import semantic_features
import semantic_file as container
from numpy.typing import NDArray
from semantic_encoder import FEATURES, PACKAGE, PACKAGE_VERSION, Encoder
from semantic_file import Floats
from splits import Row, folds, report, surface_kind, threshold

# In the order of `Kind` in sdk/core/detect/semantic.cpp.
KINDS = ("prompt", "fetched", "description", "arguments", "reply")
RIDGE = 0.2            # on standardised features
TEMPER = 0.5           # a family counts as its size to this power
SHARE_OF_OTHERS = 0.3  # what a row of another kind of surface counts in a head
MAX_OF_FAMILY = 1500   # windows of one family, class and kind of surface
FALSE_POSITIVES = 0.005  # share of benign rows per kind of surface at its own threshold: half of what it and tier 1 may have
JOINT_FALSE_POSITIVES = 0.008  # at the threshold of both together; families to come may have more
STEEPNESS = 4.0        # log odds per unit of calibrated score
# Added to the threshold of both tiers together, in log odds, where the harmless texts at hand are not like those out there:
# nearly all descriptions of tools among them are of functions of programs. Of 330 tools of coding agents and MCP servers 23 %
# were flagged without it.
JOINT_MARGINS = {"description": 2.8}
MIN_BENIGN = 50        # rows of a kind that suffice to calibrate it by itself
WEIGHTS = tuple(i / 10 for i in range(1, 10))  # of the semantic tier beside tier 1
MIN_KIND_FAMILIES = 3  # with attacks, for a kind to have a weight of its own

Key = tuple[str, bool, str]  # family, attack, kind


@dataclass(frozen=True)
class Head:
    weights: dict[str, Floats]  # by kind: FEATURES
    gain: dict[str, float]      # by kind: calibrated score = gain * (weights . features) + bias; 0 is the median of benign rows,
    bias: dict[str, float]      # 1 their last percentile


def scale_of(scores: Floats, known: NDArray[np.bool_], kinds: NDArray[np.str_]) -> tuple[dict[str, float], dict[str, float]]:
    """Gain and bias by kind that put the median of the `known` harmless rows at 0 and their last percentile at 1."""
    gain, bias = {}, {}
    for kind in KINDS:
        mine = known & (kinds == kind)
        middle, high = np.quantile(scores[mine if mine.sum() >= MIN_BENIGN else known], [0.5, 0.99])
        gain[kind], bias[kind] = float(1 / (high - middle)), float(-middle / (high - middle))
    return gain, bias


def scaled(scores: Floats, gain: dict[str, float], bias: dict[str, float], kinds: NDArray[np.str_]) -> Floats:
    return np.asarray(scores * np.array([gain[kind] for kind in kinds]) + np.array([bias[kind] for kind in kinds]))


class Trainer:
    """Sums of products by family, so that leaving one out costs a subtraction. The first `judged` rows are judged, too."""

    def __init__(self, rows: Sequence[Row], judged: int, table: NDArray[np.float16], owner: NDArray[np.int32]) -> None:
        self.rows, self.owner, self.judged = rows, owner, judged
        self.is_attack = np.array([row.label != "benign" for row in rows])
        self.is_benign = ~self.is_attack & (np.arange(len(rows)) < judged)
        self.kind = np.array([surface_kind(row.surface) for row in rows])
        self.family = np.array([row.family for row in rows])
        own = table[owner < judged]
        self.mean = own.mean(0, dtype=np.float64).astype(np.float32)
        self.deviation = own.std(0, dtype=np.float64).astype(np.float32) + np.float32(1e-3)
        self.table = table
        self.sums = self._sums()

    def _standard(self, windows: NDArray[np.int64]) -> Floats:
        x = (self.table[windows].astype(np.float32) - self.mean) / self.deviation
        return np.concatenate((x, np.ones((len(x), 1), np.float32)), axis=1)

    def _sums(self) -> dict[Key, tuple[Floats, Floats, int]]:
        """Of an attack in a long text we do not know which window holds it: only texts of one or two windows train."""
        count = np.bincount(self.owner, minlength=len(self.rows))
        order = np.random.default_rng(0).permutation(len(self.owner))
        chosen: dict[Key, list[int]] = {}
        for window in order:
            row = self.owner[window]
            if not (self.is_attack[row] and count[row] > 2):
                chosen.setdefault((str(self.family[row]), bool(self.is_attack[row]), str(self.kind[row])), []).append(window)
        sums: dict[Key, tuple[Floats, Floats, int]] = {}
        for key, windows in sorted(chosen.items()):
            x = self._standard(np.array(windows[:MAX_OF_FAMILY]))
            sums[key] = (x.T @ x, x.sum(0), len(x))
        return sums

    def fit(self, without: set[str]) -> Head:
        """Trained on all families but these; calibrated on the benign rows that it was trained on."""
        used = {key: value for key, value in self.sums.items() if key[0] not in without}
        sizes: dict[tuple[str, bool], int] = {}
        for (family, attack, _), (_, _, size) in used.items():
            sizes[family, attack] = sizes.get((family, attack), 0) + size
        totals = {side: sum(size ** TEMPER for (_, attack), size in sizes.items() if attack == side) for side in (False, True)}
        matrix = {kind: np.zeros((FEATURES + 1, FEATURES + 1), np.float32) for kind in KINDS}
        target = {kind: np.zeros(FEATURES + 1, np.float32) for kind in KINDS}
        for (family, attack, kind), (products, total, _) in used.items():
            weight = sizes[family, attack] ** (TEMPER - 1) / totals[attack]
            matrix[kind] += np.float32(weight) * products
            target[kind] += np.float32(weight if attack else -weight) * total
        weights = {}
        for kind in KINDS:
            share = {other: np.float32(1 if other == kind else SHARE_OF_OTHERS) for other in KINDS}
            mixed = np.add.reduce([share[other] * matrix[other] for other in KINDS])
            mixed[np.diag_indices(FEATURES + 1)] += np.float32(RIDGE)
            solution = np.linalg.solve(mixed, np.add.reduce([share[other] * target[other] for other in KINDS]))
            weights[kind] = (solution[:-1] / self.deviation).astype(np.float32)
        scores = self.raw_scores(weights)
        known = self.is_benign & ~np.isin(self.family, sorted(without))
        return Head(weights, *scale_of(scores, known, self.kind))

    def raw_scores(self, weights: dict[str, Floats]) -> Floats:
        """Of each row that of its worst window, by the head of its kind."""
        scores = np.full(len(self.rows), -np.inf, np.float32)
        heads = np.stack([weights[kind] for kind in KINDS], axis=1)
        column = np.array([KINDS.index(kind) for kind in self.kind])
        for at in range(0, len(self.owner), 8192):
            owner = self.owner[at:at + 8192]
            part = self.table[at:at + 8192].astype(np.float32) @ heads
            np.maximum.at(scores, owner, part[np.arange(len(owner)), column[owner]])
        return scores

    def left_out_scores(self) -> Floats:
        """Each judged row by the head that has not seen its family."""
        scores = np.zeros(self.judged, np.float32)
        for fold in folds(self.rows[:self.judged]):
            head = self.fit({self.rows[i].family for i in fold.test})
            scores[fold.test] = scaled(self.raw_scores(head.weights), head.gain, head.bias, self.kind)[fold.test]
        return scores


@dataclass(frozen=True)
class Joint:
    """Both tiers as one: weight * semantic + (1 - weight) * tier 1, each calibrated."""

    weight: dict[str, float]  # by kind
    gain: dict[str, float]    # of tier 1's score
    bias: dict[str, float]
    scores: Floats            # each row with the weights that were chosen without its family


def choose_weights(rows: Sequence[Row], first: Floats, second: Floats) -> dict[str, float]:
    """By kind what finds most at 1 % and, half as important, at 0.1 % false positives; kinds of few families share one."""
    def best(some: list[int]) -> float:
        def value(weight: float) -> float:
            found = report([rows[i] for i in some], ((1 - weight) * first[some] + weight * second[some]).tolist()).macro
            return found[0.01] + found[0.001] / 2
        return max(WEIGHTS, key=value)

    common = best(list(range(len(rows))))
    weights = {}
    for kind in KINDS:
        mine = [i for i, row in enumerate(rows) if surface_kind(row.surface) == kind]
        families = {rows[i].family for i in mine if rows[i].is_attack}
        weights[kind] = best(mine) if len(families) >= MIN_KIND_FAMILIES else common
    return weights


def join(rows: Sequence[Row], first: Floats, second: Floats) -> Joint:
    """`first` and `second` are left-out scores of both tiers."""
    kinds = np.array([surface_kind(row.surface) for row in rows])
    benign = np.array([row.is_benign for row in rows])
    gain, bias = scale_of(first, benign, kinds)
    one = scaled(first, gain, bias, kinds)
    two = scaled(second, *scale_of(second, benign, kinds), kinds)
    scores = np.zeros(len(rows))
    for fold in folds(rows):
        weights = choose_weights([rows[i] for i in fold.train], one[fold.train], two[fold.train])
        print(f"both tiers, without {fold.name}: {weights}", flush=True)
        weight = np.array([weights[kind] for kind in kinds[fold.test]])
        scores[fold.test] = (1 - weight) * one[fold.test] + weight * two[fold.test]
    return Joint(choose_weights(rows, one, two), gain, bias, scores)


def limits(rows: Sequence[Row], scores: Floats, share: float) -> dict[str, float]:
    """The score that `share` of the benign rows of a kind exceed, judged by heads that do not know them."""
    benign = np.array([row.is_benign for row in rows])
    kinds = np.array([surface_kind(row.surface) for row in rows])
    found = {}
    for kind in KINDS:
        mine = benign & (kinds == kind)
        found[kind] = threshold(scores[mine if mine.sum() >= MIN_BENIGN else benign].tolist(), share)
    return found


def unseen_false_positives(rows: Sequence[Row], scores: Floats) -> float:
    """Share of benign rows above thresholds that were set without their families."""
    wrong, total = 0, 0
    for fold in folds(rows):
        found = limits([rows[i] for i in fold.train], scores[fold.train], JOINT_FALSE_POSITIVES)
        mine = [i for i in fold.test if rows[i].is_benign]
        wrong += sum(bool(scores[i] > found[surface_kind(rows[i].surface)]) for i in mine)
        total += len(mine)
    return wrong / max(1, total)


def write_head(path: Path, head: Head, own: dict[str, float], joint: Joint | None, joined: dict[str, float],
               record: dict[str, object]) -> None:
    """`own` and `joined` are the thresholds of the tier alone and of both."""
    scale = max(float(np.abs(weights).max()) for weights in head.weights.values()) / 32767
    kinds: dict[str, dict[str, float | str]] = {}
    for kind in KINDS:
        numbers = np.rint(head.weights[kind] / scale).astype("<i2")
        kinds[kind] = {"gain": STEEPNESS * head.gain[kind], "bias": STEEPNESS * (head.bias[kind] - own[kind])}
        if joint is not None:
            second = joint.weight[kind]
            first = 1 - second
            kinds[kind] |= {
                "joint.first": STEEPNESS * first * joint.gain[kind], "joint.second": STEEPNESS * second * head.gain[kind],
                "joint.bias": STEEPNESS * (first * joint.bias[kind] + second * head.bias[kind] - joined[kind])
                - JOINT_MARGINS.get(kind, 0.0)}
        kinds[kind]["weights"] = base64.b64encode(numbers.tobytes()).decode()
    path.write_text(json.dumps({"record": record, "scale": scale, "kinds": kinds}, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled JSON lines")
    parser.add_argument("--encoder", type=Path, default=Path("build/semantic/encoder.bin"), help="made by ./dev model --train")
    parser.add_argument("--wheels", type=Path, default=Path("build/semantic/wheels"), help="packages that add rows")
    parser.add_argument("--cache", type=Path, default=Path("build/semantic"), help="where features are kept")
    parser.add_argument("--tier1", type=Path, help="scores of left-out rows (tier1.py --scores); without, no joint verdict")
    parser.add_argument("--output", type=Path, default=Path("policies/semantic/head.json"))
    args = parser.parse_args()

    encoder_bytes = args.encoder.read_bytes()
    version = hashlib.sha256(encoder_bytes).hexdigest()
    labelled, more = semantic_data.rows(args.data, args.wheels)
    rows = labelled + more
    encoder = Encoder(container.unpack(encoder_bytes))
    table, owner = semantic_features.features(labelled, encoder, version, args.cache)
    other, its_owner = semantic_features.features(more, encoder, version, args.cache)
    trainer = Trainer(rows, len(labelled), np.concatenate((table, other)), np.concatenate((owner, its_owner + len(labelled))))
    scores = trainer.left_out_scores()
    np.savez(args.cache / "left-out.npz", ids=np.array([row.id for row in labelled]), scores=scores)
    figures = report(labelled, [float(score) for score in scores])
    print("semantic tier alone", figures, sep="\n", flush=True)
    record: dict[str, object] = {
        "encoder": f"{PACKAGE} {PACKAGE_VERSION} (PyPI, Apache-2.0): Google's universal-sentence-encoder-multilingual 3",
        "encoder_sha256": version,
        "rows": len(rows), "attacks": int(trainer.is_attack.sum()), "sources": len({row.source for row in rows}),
        "packages": [f"{name} {number} ({licence})" for name, number, licence in semantic_data.TRAINING_PACKAGES],
        "ridge": RIDGE, "temper": TEMPER, "share_of_other_kinds": SHARE_OF_OTHERS, "false_positives": FALSE_POSITIVES,
        "joint_false_positives": JOINT_FALSE_POSITIVES, "joint_margins": JOINT_MARGINS,
        "recall_on_left_out_families": {str(share): round(value, 4) for share, value in figures.macro.items()},
        "licence": "Apache-2.0",
    }
    joint, joined = None, {}
    if args.tier1 is not None:
        first = json.loads(args.tier1.read_text(encoding="utf-8"))
        both = [i for i, row in enumerate(labelled) if row.id in first]
        some = [labelled[i] for i in both]
        joint = join(some, np.array([first[row.id] for row in some]), scores[both])
        joined = limits(some, joint.scores, JOINT_FALSE_POSITIVES)
        figures = report(some, [float(score) for score in joint.scores])
        print("both tiers", figures, sep="\n")
        wrong = unseen_false_positives(some, joint.scores)
        print(f"weights of the semantic tier {joint.weight}; set without a family, thresholds flag {wrong:.2%} of its rows")
        record["joint"] = {"weight": joint.weight, "false_positives_of_unseen": round(wrong, 4),
                           "recall_on_left_out_families": {str(share): round(one, 4) for share, one in figures.macro.items()},
                           "families": {name: round(one[0.01], 4) for name, one in figures.families.items()}}
    write_head(args.output, trainer.fit(set()), limits(labelled, scores, FALSE_POSITIVES), joint, joined, record)


if __name__ == "__main__":
    main()
