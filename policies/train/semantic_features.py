# SPDX-License-Identifier: Apache-2.0
"""Features of every window of every row, kept on disk: they cost minutes, all that follows costs seconds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from semantic_encoder import Encoder
from splits import Row

MAX_WINDOWS = 16       # of one row; of longer ones the first, the last and some between
BATCH_TOKENS = 4096


def _chosen(windows: list[list[int]]) -> list[list[int]]:
    if len(windows) <= MAX_WINDOWS:
        return windows
    return [windows[i] for i in np.unique(np.linspace(0, len(windows) - 1, MAX_WINDOWS).astype(int))]


def features(rows: Sequence[Row], encoder: Encoder, version: str, folder: Path) -> tuple[NDArray[np.float16], NDArray[np.int32]]:
    """One row of features a window, and the index of the text that it belongs to."""
    digest = hashlib.sha256(version.encode())
    for row in rows:
        digest.update(row.text.encode() + b"\0")
    cache = folder / f"features-{digest.hexdigest()[:16]}.npz"
    if cache.exists():
        with np.load(cache) as kept:
            return kept["features"], kept["owner"]
    windows: list[list[int]] = []
    owner: list[int] = []
    for i, row in enumerate(rows):
        chosen = _chosen(encoder.windows(row.text))
        windows += chosen
        owner += [i] * len(chosen)
    print(f"{len(rows)} rows, {len(windows)} windows, {sum(map(len, windows))} tokens", flush=True)
    # Windows of like length together would not help: batches are flat.
    parts, at = [], 0
    while at < len(windows):
        end, tokens = at, 0
        while end < len(windows) and (end == at or tokens + len(windows[end]) <= BATCH_TOKENS):
            tokens += len(windows[end])
            end += 1
        parts.append(encoder.features(windows[at:end]).astype(np.float16))
        at = end
    table, index = np.concatenate(parts), np.asarray(owner, np.int32)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(cache, features=table, owner=index)
    return table, index
