# SPDX-License-Identifier: Apache-2.0
"""What it costs that some rules need tier 1's support (`support:` of a rule), on families of attacks that tier 1 has not seen.

    ninja -C build/release eval_scan feature_dump
    build/train/bin/python policies/train/support.py --packages build/train/data

A match of such a rule counts only where tier 1 gives it and 200 bytes before and after it a score of 0 or more
(sdk/core/detect/inspect.hpp). Shipped weights have seen all attacks, so the surroundings are judged here by weights that
were trained without their family. Printed: attacks in fetched texts that rules alone find, and those of them that go.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import splits
import tier1

ROOT = tier1.ROOT
sys.path[:0] = [str(ROOT / "sdk" / "redteam"), str(ROOT / "tests" / "eval")]
from rows import Asked  # noqa: E402
from scan import scan  # noqa: E402

AROUND = 200  # bytes: kSupportBytes


def packs_without_support(folder: Path, out: Path) -> frozenset[str]:
    """Copies the packs so that every match counts; gives the ids of the rules that need support."""
    ids: set[str] = set()
    for path in sorted(folder.glob("*.yaml")):
        kept: list[str] = []
        rule = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            text = line.strip()
            if text.startswith("- id: "):
                rule = text.removeprefix("- id: ")
            if text.startswith("support: ["):
                ids.add(rule)
            else:
                kept.append(line)
        (out / path.name).write_text("\n".join(kept) + "\n", encoding="utf-8")
    return frozenset(ids)


def is_fetched_attack(row: splits.Row) -> bool:
    return row.is_attack and not row.plain and splits.surface_kind(row.surface) == "fetched"


def main() -> int:
    warnings.filterwarnings("ignore", category=FutureWarning)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="folder of the packages that setup.sh unpacked")
    args = parser.parse_args()
    tests = ROOT / "build" / "release" / "tests"
    rows, labelled = tier1.gather(args.packages)
    fetched = [i for i in range(labelled) if is_fetched_attack(rows[i])]
    with tempfile.TemporaryDirectory() as folder:
        needing = packs_without_support(ROOT / "policies" / "detect", Path(folder))
        verdicts = scan(tests / "eval_scan", Path(folder), [Asked(rows[i].text, rows[i].surface) for i in fetched])
    pieces: list[splits.Row] = []
    around: list[dict[str, list[int]]] = []  # of each row: rule -> its pieces
    for i, verdict in zip(fetched, verdicts, strict=True):
        raw = rows[i].text.encode("utf-8", "replace")
        own: dict[str, list[int]] = {}
        for one in verdict.found:
            if one.kind != "attack" or one.severity < 3:
                continue
            own.setdefault(one.rule, []).append(len(pieces))
            text = raw[max(0, one.begin - AROUND):one.end + AROUND].decode("utf-8", "ignore")
            pieces.append(replace(rows[i], id=f"{rows[i].id}#{len(pieces)}", text=text, plain="a piece: judged only"))
        around.append(own)
    judged = rows[:labelled] + pieces
    settings = tier1.Settings()
    corpus = tier1.build(tests / "feature_dump", judged + rows[labelled:], settings)
    scores = tier1.leave_out(corpus, len(judged), settings)
    suspect = dict(zip(tier1.KINDS, tier1.limits(rows[:labelled], scores[:labelled], 0.01), strict=True))["fetched"]
    alone: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    for i, own in zip(fetched, around, strict=True):
        if not own or scores[i] >= suspect:
            continue
        alone[rows[i].family] += 1
        stays = any(rule not in needing or np.max(scores[labelled + np.array(places)]) >= 0 for rule, places in own.items())
        lost[rows[i].family] += not stays
    sizes = Counter(rows[i].family for i in range(labelled) if rows[i].is_attack and not rows[i].plain)
    large = [name for name, size in sizes.items() if size >= 10]
    for name in sorted(alone):
        print(f"{name:<22}{sizes[name]:>6} attacks, {alone[name]:>4} by rules alone, {lost[name]:>4} lost")
    mean = sum(lost[name] / sizes[name] for name in large) / len(large)
    print(f"mean over {len(large)} families: {mean:.2%} of the attacks lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
