# SPDX-License-Identifier: Apache-2.0
"""Trains the classifier that judges in line (sdk/core/detect/classifier.hpp), and says how good it is on sources left out.

    policies/train/setup.sh                                       packages of pinned versions into build/train
    ninja -C build/release feature_dump
    build/train/bin/python policies/train/tier1.py --packages build/train/data [--write]

Without --write it only says how good it would be. The features come from the very code that judges. A text's windows are pairs of
neighbouring blocks; its score is that of its highest window, less a correction for their
number. Which window of a long attack is the attack is found by the model of the round before.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import struct
import subprocess
import sys
import tempfile
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import augment
import extra
import numpy as np
import splits
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from splits import Row

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "detection" / "dev"
KINDS = ("prompt", "fetched", "description", "arguments", "reply")  # as in classifier.cpp
POSITIVE = splits.ATTACKS | splits.RELATED
SALTS = np.array([0x9e3779b9, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f, 0x165667b1], np.uint32)  # classifier.cpp: kSurfaceSalts
WORD, MEANING, MEANING_PAIR, MEANING_TRIPLE, SHAPE = range(5)  # FeatureKind
FEATURES = 5000
SLOTS = 8192
SCRIPTS = ("augment.py", "extra.py", "splits.py", "tier1.py")
WEIGHTS = ROOT / "sdk" / "core" / "detect" / "classifier_weights.bin"
SCALE = 32  # weights are stored as 1/32 of a log odds, -127..127


@dataclass(frozen=True)
class Settings:
    """Chosen by leave-source-out macro recall at 1 % false positives, never by row splits."""

    min_families: int = 4      # a feature that fewer sources have is a habit of theirs
    min_windows: int = 12
    inverse_penalty: float = 0.3
    positive_share: float = 0.4
    benign_windows: int = 4    # of one text
    rounds: int = 2
    correction: float = 0.5    # times log(windows)
    crossed: bool = True       # meanings count per kind of surface, too


@dataclass
class Corpus:
    """Rows, their windows as sparse 0/1 rows over `hashes`, and where each row's windows are."""

    rows: list[Row]
    windows: sparse.csr_matrix
    owner: np.ndarray      # row of each window
    first: np.ndarray
    count: np.ndarray
    hashes: np.ndarray
    positive: np.ndarray
    trainable: np.ndarray
    family: np.ndarray
    families: list[str]


def read_blocks(program: Path, rows: list[Row]) -> list[list[np.ndarray]]:
    """Per row its blocks, each an array of (kind, hash) pairs."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as asked, tempfile.TemporaryFile() as answered:
        for row in rows:
            asked.write(json.dumps({"text": row.text.encode("utf-8", "replace").decode()}) + "\n")
        asked.seek(0)
        subprocess.run([program], stdin=asked, stdout=answered, check=True)
        answered.seek(0)
        raw = np.frombuffer(answered.read(), dtype="<u4")
    blocks: list[list[np.ndarray]] = []
    at = 0
    for _ in rows:
        own: list[np.ndarray] = []
        at += 1
        for _ in range(int(raw[at - 1])):
            size = int(raw[at])
            own.append(raw[at + 1:at + 1 + 2 * size].reshape(size, 2))
            at += 1 + 2 * size
        blocks.append(own)
    return blocks


def row_windows(blocks: list[np.ndarray], surface: str, settings: Settings) -> list[np.ndarray]:
    salt = SALTS[KINDS.index(splits.surface_kind(surface))]
    sets: list[np.ndarray] = []
    for block in blocks:
        hashes = block[:, 1]
        if settings.crossed:
            meanings = np.isin(block[:, 0] >> 24, (MEANING, MEANING_PAIR))
            hashes = np.concatenate([hashes, block[meanings, 1] ^ salt])
        sets.append(np.unique(hashes))
    return sets if len(sets) < 2 else [np.union1d(a, b) for a, b in zip(sets, sets[1:], strict=False)]


def build(program: Path, rows: list[Row], settings: Settings) -> Corpus:
    owner: list[int] = []
    windows: list[np.ndarray] = []
    for i, (row, blocks) in enumerate(zip(rows, read_blocks(program, rows), strict=True)):
        own = row_windows(blocks, row.surface, settings)
        owner += [i] * len(own)
        windows += own
    place = np.array(owner)
    hashes, inverse = np.unique(np.concatenate(windows), return_inverse=True)
    ends = np.r_[0, np.cumsum([len(window) for window in windows])]
    matrix = sparse.csr_matrix((np.ones(len(inverse), np.float32), inverse, ends), shape=(len(windows), len(hashes)))
    first = np.searchsorted(place, np.arange(len(rows)))
    families = sorted({row.family for row in rows})
    corpus = Corpus(rows, matrix, place, first, np.searchsorted(place, np.arange(len(rows)), side="right") - first, hashes,
                    np.array([row.label in POSITIVE for row in rows]),
                    np.array([row.hard != "no_override_wording" and not row.plain for row in rows]),
                    np.array([families.index(row.family) for row in rows]), families)
    keep = select(corpus, corpus.trainable, settings)
    corpus.windows, corpus.hashes = matrix[:, keep].tocsr(), hashes[keep]
    return corpus


def select(corpus: Corpus, mask: np.ndarray, settings: Settings) -> np.ndarray:
    """Features that enough families have."""
    windows = np.flatnonzero(mask[corpus.owner])
    family = corpus.family[corpus.owner[windows]]
    fold = sparse.csr_matrix((np.ones(len(windows), np.float32), (family, np.arange(len(windows)))),
                             shape=(len(corpus.families), len(windows)))
    own = corpus.windows[windows]
    having = np.asarray(((fold @ own) > 0).sum(0)).ravel()
    return np.flatnonzero((having >= settings.min_families) & (np.asarray(own.sum(0)).ravel() >= settings.min_windows))


def _weights(corpus: Corpus, windows: np.ndarray, settings: Settings) -> np.ndarray:
    """Families count by the root of their size, attacks together by their share."""
    rows = corpus.owner[windows]
    weights = np.zeros(len(rows))
    for side, share in ((True, settings.positive_share), (False, 1 - settings.positive_share)):
        mine = corpus.positive[rows] == side
        sizes = np.bincount(corpus.family[rows[mine]], minlength=len(corpus.families)).astype(float)
        each = 1 / np.sqrt(np.maximum(sizes, 1))[corpus.family[rows[mine]]]
        weights[mine] = each / each.sum() * share
    return weights * len(rows)


def fit(corpus: Corpus, mask: np.ndarray, columns: np.ndarray, settings: Settings) -> tuple[np.ndarray, float]:
    """Weights of `columns` and the bias."""
    dice = np.random.RandomState(0)
    chosen = np.flatnonzero(mask & (corpus.count > 0))
    attacks, benign = chosen[corpus.positive[chosen]], chosen[~corpus.positive[chosen]]
    matrix = corpus.windows[:, columns]
    first, count = corpus.first, corpus.count
    fixed = [np.arange(first[r], first[r] + count[r]) for r in attacks if count[r] <= 3]
    fixed += [first[r] + (np.arange(count[r]) if count[r] <= settings.benign_windows else
                          dice.choice(count[r], settings.benign_windows, False)) for r in benign]
    model: LogisticRegression | None = None
    for _ in range(settings.rounds):
        used = list(fixed)
        if model is not None:
            scores = matrix @ model.coef_[0]
            used += [first[r] + np.argsort(-scores[first[r]:first[r] + count[r]])[:2] for r in attacks if count[r] > 3]
            used += [first[r] + np.argsort(-scores[first[r]:first[r] + count[r]])[:1] for r in benign
                     if count[r] > settings.benign_windows]
        windows = np.unique(np.concatenate(used))
        model = LogisticRegression(C=settings.inverse_penalty, solver="liblinear", max_iter=50, tol=1e-2, random_state=0)
        model.fit(matrix[windows], corpus.positive[corpus.owner[windows]], sample_weight=_weights(corpus, windows, settings))
    assert model is not None
    return model.coef_[0], float(model.intercept_[0])


def prune(corpus: Corpus, mask: np.ndarray, settings: Settings) -> tuple[np.ndarray, np.ndarray, float]:
    """The FEATURES columns that matter most, fitted again and rounded as they will be stored."""
    columns = select(corpus, mask, settings)
    weights, _ = fit(corpus, mask, columns, replace(settings, rounds=1))
    matter = np.abs(weights) * np.sqrt(np.asarray(corpus.windows[:, columns].sum(0)).ravel())
    columns = np.sort(columns[np.argsort(-matter)[:FEATURES]])
    weights, bias = fit(corpus, mask, columns, settings)
    return columns, np.clip(np.round(weights * SCALE), -127, 127) / SCALE, round(bias * SCALE) / SCALE


def score(corpus: Corpus, columns: np.ndarray, weights: np.ndarray, bias: float, settings: Settings) -> np.ndarray:
    """Per row: the highest window less the correction; a text without words scores like nothing."""
    highest = np.full(len(corpus.rows), -30.0)
    np.maximum.at(highest, corpus.owner, corpus.windows[:, columns] @ weights + bias)
    return highest - settings.correction * np.log(np.maximum(corpus.count, 1))


def gather(packages: Path | None) -> tuple[list[Row], int]:
    """Labelled rows, then those that only train; and where the latter begin."""
    rows = splits.load(DATA, POSITIVE | {"pii", "secret"})
    labelled = len(rows)
    harmless = extra.debian()
    rows += harmless + augment.written([row.text for row in harmless if row.family in ("debian-readme", "debian-man")])
    if packages is not None:
        rows += extra.jailbreaks(packages) + extra.roles(packages)
    return rows, labelled


def leave_out(corpus: Corpus, labelled: int, settings: Settings) -> np.ndarray:
    """Scores of the labelled rows by models that have not seen their family."""
    scores = np.full(labelled, -30.0)
    for fold in splits.folds(corpus.rows[:labelled]):
        mask = np.zeros(len(corpus.rows), bool)
        mask[fold.train] = True
        mask[labelled:] = [fold.name not in extra.SHARED_JAILBREAKS or row.family != "pyrit" for row in corpus.rows[labelled:]]
        mask &= corpus.trainable
        scores[fold.test] = score(corpus, *prune(corpus, mask, settings), settings)[fold.test]
    return scores


def limits(rows: list[Row], scores: np.ndarray, share: float) -> list[float]:
    """Per kind of surface the score that `share` of its harmless texts exceed when their family is left out.

    A kind with few harmless texts or few families of them gets the limit of all where that is higher.
    """
    plain = [i for i, row in enumerate(rows) if row.is_benign and not row.plain]
    kinds = [splits.surface_kind(row.surface) for row in rows]
    whole = splits.threshold([float(scores[i]) for i in plain], share)
    own = [splits.threshold([float(scores[i]) for i in plain if kinds[i] == kind], share) for kind in KINDS]
    return [limit if kind in ("prompt", "fetched") else max(limit, whole) for kind, limit in zip(KINDS, own, strict=True)]


def pack(corpus: Corpus, columns: np.ndarray, weights: np.ndarray, bias: float, suspect: list[float], sure: list[float],
         settings: Settings) -> bytes:
    """The file that classifier.cpp describes."""
    table = [0] * SLOTS
    # What matters most is found first.
    for at in np.argsort(-np.abs(weights), kind="stable"):
        weight = round(float(weights[at]) * SCALE)
        key = int(corpus.hashes[columns[at]])
        if weight == 0:
            continue
        slot = key % SLOTS
        while table[slot] != 0 and table[slot] >> 8 != key >> 8:
            slot = (slot + 1) % SLOTS
        if table[slot] == 0:
            table[slot] = (key >> 8 << 8) | (weight & 0xFF)
    head = [round(bias * SCALE), round(settings.correction * SCALE), *(round(one * SCALE) for one in suspect),
            *(round(one * SCALE) for one in sure)]
    return struct.pack(f"<{len(head)}i", *head) + struct.pack(f"<{SLOTS}I", *table)


def digest(paths: list[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(path.name.encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def code_digest() -> str:
    """Of what makes features, without comments and layout; tests/eval/test_classifier.py compares it."""
    total = hashlib.sha256()
    for name in ("classifier_features.cpp", "classifier_letters.hpp", "classifier_lexicon.hpp"):
        code = (ROOT / "sdk" / "core" / "detect" / name).read_text(encoding="utf-8")
        total.update(name.encode() + b"\0" + re.sub(r"//[^\n]*|\s+", "", code).encode())
    return total.hexdigest()


def write(corpus: Corpus, labelled: int, scores: np.ndarray, figures: splits.Report, settings: Settings) -> None:
    """Weights from all rows, thresholds from families left out, and the record of both."""
    rows = corpus.rows[:labelled]
    columns, weights, bias = prune(corpus, corpus.trainable, settings)
    suspect, sure = limits(rows, scores, 0.01), limits(rows, scores, 0.001)
    content = pack(corpus, columns, weights, bias, suspect, sure, settings)
    WEIGHTS.write_bytes(content)
    families: dict[str, int] = {}
    for row in corpus.rows:
        families[row.family] = families.get(row.family, 0) + 1
    record = {
        "sha256": hashlib.sha256(content).hexdigest(), "licence": "Apache-2.0", "features": int(np.count_nonzero(weights)),
        "made_by": "policies/train/tier1.py", "settings": asdict(settings), "texts": dict(sorted(families.items())),
        "labelled_data_sha256": digest(sorted(DATA.glob("*.jsonl"))),
        "scripts_sha256": digest([Path(__file__).parent / name for name in SCRIPTS]),
        "features_sha256": code_digest(),
        "thresholds": {"suspect": dict(zip(KINDS, suspect, strict=True)), "sure": dict(zip(KINDS, sure, strict=True))},
        "left_out": {"macro": {str(share): round(value, 4) for share, value in figures.macro.items()},
                     "families": {name: {str(share): round(value, 4) for share, value in one.items()}
                                  for name, one in figures.families.items()}}}
    WEIGHTS.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")
    print(f"wrote {WEIGHTS}: {record['features']} features")


def main() -> int:
    warnings.filterwarnings("ignore", category=FutureWarning)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, default=ROOT / "build" / "release" / "tests" / "feature_dump")
    parser.add_argument("--packages", type=Path, help="folder of the packages that setup.sh unpacked")
    parser.add_argument("--write", action="store_true", help="train on everything and write the shipped weights")
    parser.add_argument("--scores", type=Path, help="write the scores of left-out rows here, {id: score} as JSON")
    args = parser.parse_args()
    settings = Settings()
    rows, labelled = gather(args.packages)
    corpus = build(args.program, rows, settings)
    print(f"{labelled} labelled rows, {len(rows) - labelled} more, {corpus.windows.shape[0]} windows, "
          f"{len(corpus.hashes)} features", flush=True)
    scores = leave_out(corpus, labelled, settings)
    figures = splits.report(rows[:labelled], scores)
    print(json.dumps(asdict(settings)))
    print(figures)
    if args.scores:
        args.scores.write_text(json.dumps({row.id: round(float(s), 3) for row, s in zip(rows, scores, strict=False)}))
    if args.write:
        write(corpus, labelled, scores, figures, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
