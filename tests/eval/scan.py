# SPDX-License-Identifier: Apache-2.0
"""What the shipped engine says of texts: runs eval_scan and reads its lines."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rows import Asked
from verdicts import Classified, Finding, Judged, Verdict

SCAN_SECONDS = 1800


def _read(line: str) -> Verdict:
    raw = json.loads(line)
    if "error" in raw:
        return Verdict(refused=raw["error"])
    semantic = raw.get("semantic")
    return Verdict(tuple(Finding(**one) for one in raw["found"]), classifier=Classified(**raw["classifier"]),
                   semantic=Judged(semantic["confidence"], semantic["joint"]) if semantic else None)


class ScanFailed(Exception):
    """eval_scan's own words."""


def scan(program: Path, packs: Path, texts: Sequence[Asked], model: Path | None = None) -> list[Verdict]:
    """One verdict per (text, surface), in order; with `model` the semantic tier judges too. Lone surrogates become U+FFFD."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as asked, tempfile.TemporaryFile("w+", encoding="utf-8") as answered:
        for one in texts:
            text, surface = "\n\n".join((*one.turns, one.text)), one.surface
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
