# SPDX-License-Identifier: Apache-2.0
"""Trains the head of the semantic tier and says how good it is on sources that it was not trained on.

    ./dev model --train ../shared/data/detection/dev

The encoder stays as it is; the head is a ridge regression on its features, in closed form, so that the result is the same on
every run. Everything that is chosen here (strength of the ridge, weight of families, thresholds) is chosen on families left
out of training. Writes policies/semantic/head.json; `./dev model` puts it and the encoder into the file that programs load.
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
from splits import Row, folds, report, surface_kind

# In the order of `Kind` in sdk/core/detect/semantic.cpp.
KINDS = ("prompt", "fetched", "description", "arguments", "reply")
RIDGE = 0.5          # on standardised features
TEMPER = 0.5         # a family counts as its size to this power
MAX_OF_FAMILY = 2000  # windows of one family, class and kind of surface
FALSE_POSITIVES = 0.005  # share of benign rows per kind of surface, at the shipped threshold: half of what both may have
STEEPNESS = 4.0      # log odds per unit of calibrated score
MIN_BENIGN = 50      # rows of a kind that suffice to calibrate it by itself


@dataclass(frozen=True)
class Head:
    weights: Floats          # FEATURES
    gain: dict[str, float]   # by kind: calibrated score = gain * (weights . features) + bias; 0 is the median of benign rows,
    bias: dict[str, float]   # 1 their last percentile


class Trainer:
    """Sums of products by family, so that leaving one out costs a subtraction."""

    def __init__(self, rows: Sequence[Row], table: NDArray[np.float16], owner: NDArray[np.int32]) -> None:
        self.rows, self.owner = rows, owner
        self.is_attack = np.array([row.label != "benign" for row in rows])
        self.is_benign = ~self.is_attack
        self.kind = np.array([surface_kind(row.surface) for row in rows])
        self.family = np.array([row.family for row in rows])
        self.mean = table.mean(0, dtype=np.float64).astype(np.float32)
        self.deviation = table.std(0, dtype=np.float64).astype(np.float32) + np.float32(1e-3)
        self.table = table
        self.sums = self._sums()

    def _standard(self, windows: NDArray[np.int64]) -> Floats:
        x = (self.table[windows].astype(np.float32) - self.mean) / self.deviation
        return np.concatenate((x, np.ones((len(x), 1), np.float32)), axis=1)

    def _sums(self) -> dict[tuple[str, bool], tuple[Floats, Floats, int]]:
        """Of an attack in a long text we do not know which window holds it: only texts of one or two windows train."""
        count = np.bincount(self.owner, minlength=len(self.rows))
        order = np.random.default_rng(0).permutation(len(self.owner))
        chosen: dict[tuple[str, bool, str], list[int]] = {}
        for window in order:
            row = self.owner[window]
            if not (self.is_attack[row] and count[row] > 2):
                key = (str(self.family[row]), bool(self.is_attack[row]), str(self.kind[row]))
                chosen.setdefault(key, []).append(window)
        sums: dict[tuple[str, bool], tuple[Floats, Floats, int]] = {}
        for (family, attack, _), windows in sorted(chosen.items()):
            x = self._standard(np.array(windows[:MAX_OF_FAMILY]))
            before = sums.get((family, attack), (np.float32(0), np.float32(0), 0))
            sums[family, attack] = (before[0] + x.T @ x, before[1] + x.sum(0), before[2] + len(x))
        return sums

    def fit(self, without: set[str]) -> Head:
        """Trained on all families but these; calibrated on the benign rows that it was trained on."""
        used = {key: value for key, value in self.sums.items() if key[0] not in without}
        totals = {attack: sum(value[2] ** TEMPER for key, value in used.items() if key[1] == attack) for attack in (False, True)}
        matrix = np.zeros((FEATURES + 1, FEATURES + 1), np.float32)
        target = np.zeros(FEATURES + 1, np.float32)
        for (_, attack), (products, total, size) in used.items():
            weight = size ** (TEMPER - 1) / totals[attack]
            matrix += np.float32(weight) * products
            target += np.float32(weight if attack else -weight) * total
        matrix[np.diag_indices(FEATURES)] += np.float32(RIDGE)
        solution = np.linalg.solve(matrix, target)
        weights = (solution[:-1] / self.deviation).astype(np.float32)
        head = Head(weights, {}, {})
        scores = self.raw_scores(head)
        known = self.is_benign & ~np.isin(self.family, sorted(without))
        for kind in KINDS:
            mine = known & (self.kind == kind)
            middle, high = np.quantile(scores[mine if mine.sum() >= MIN_BENIGN else known], [0.5, 0.99])
            head.gain[kind] = float(1 / (high - middle))
            head.bias[kind] = float(-middle / (high - middle))
        return head

    def raw_scores(self, head: Head) -> Floats:
        """Of each row that of its worst window."""
        scores = np.full(len(self.rows), -np.inf, np.float32)
        for at in range(0, len(self.owner), 8192):
            part = self.table[at:at + 8192].astype(np.float32) @ head.weights
            np.maximum.at(scores, self.owner[at:at + 8192], part)
        return scores

    def scores(self, head: Head) -> Floats:
        gain = np.array([head.gain[kind] for kind in self.kind], np.float32)
        bias = np.array([head.bias[kind] for kind in self.kind], np.float32)
        return self.raw_scores(head) * gain + bias

    def left_out_scores(self) -> Floats:
        """Each row by the head that has not seen its family."""
        scores = np.zeros(len(self.rows), np.float32)
        for fold in folds(self.rows):
            scores[fold.test] = self.scores(self.fit({self.rows[i].family for i in fold.test}))[fold.test]
        return scores


def thresholds(trainer: Trainer, scores: Floats) -> dict[str, float]:
    """Calibrated scores that FALSE_POSITIVES of the benign rows of a kind reach, judged by heads that do not know them."""
    found = {}
    for kind in KINDS:
        mine = trainer.is_benign & (trainer.kind == kind)
        chosen = scores[mine if mine.sum() >= MIN_BENIGN else trainer.is_benign]
        found[kind] = float(np.quantile(chosen, 1 - FALSE_POSITIVES))
    return found


def write_head(path: Path, head: Head, limits: dict[str, float], record: dict[str, object]) -> None:
    scale = float(np.abs(head.weights).max()) / 32767
    numbers = np.rint(head.weights / scale).astype("<i2")
    document = {
        "record": record,
        "kinds": {kind: {"gain": STEEPNESS * head.gain[kind], "bias": STEEPNESS * (head.bias[kind] - limits[kind])}
                  for kind in KINDS},
        "scale": scale,
        "weights": base64.b64encode(numbers.tobytes()).decode(),
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled JSON lines")
    parser.add_argument("--encoder", type=Path, default=Path("build/semantic/encoder.bin"), help="made by ./dev model --train")
    parser.add_argument("--wheels", type=Path, default=Path("build/semantic/wheels"), help="packages that add rows")
    parser.add_argument("--cache", type=Path, default=Path("build/semantic"), help="where features are kept")
    parser.add_argument("--output", type=Path, default=Path("policies/semantic/head.json"))
    args = parser.parse_args()

    encoder_bytes = args.encoder.read_bytes()
    version = hashlib.sha256(encoder_bytes).hexdigest()
    rows = semantic_data.rows(args.data, args.wheels)
    encoder = Encoder(container.unpack(encoder_bytes))
    table, owner = semantic_features.features(rows, encoder, version, args.cache)
    trainer = Trainer(rows, table, owner)
    scores = trainer.left_out_scores()
    np.savez(args.cache / "left-out.npz", ids=np.array([row.id for row in rows]), scores=scores)
    figures = report(rows, [float(score) for score in scores])
    print(figures)
    sources = {row.source for row in rows}
    record = {
        "encoder": f"{PACKAGE} {PACKAGE_VERSION} (PyPI, Apache-2.0): Google's universal-sentence-encoder-multilingual 3",
        "encoder_sha256": version,
        "rows": len(rows), "attacks": int(trainer.is_attack.sum()), "sources": len(sources),
        "packages": [f"{name} {number} ({licence})" for name, number, licence in semantic_data.TRAINING_PACKAGES],
        "ridge": RIDGE, "temper": TEMPER, "false_positives": FALSE_POSITIVES,
        "recall_on_left_out_families": {str(share): round(value, 4) for share, value in figures.macro.items()},
        "licence": "Apache-2.0",
    }
    write_head(args.output, trainer.fit(set()), thresholds(trainer, scores), record)


if __name__ == "__main__":
    main()
