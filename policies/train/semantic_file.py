# SPDX-License-Identifier: Apache-2.0
"""Writes the container that sdk/core/detect/semantic_file.hpp reads; the format is described there."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
BYTES, FLOAT, BYTE, NIBBLE = range(4)
MAGIC = b"AISPMSEM"
VERSION = 1


@dataclass(frozen=True)
class Section:
    name: str
    kind: int
    rows: int
    columns: int
    data: bytes


def raw(name: str, data: bytes) -> Section:
    return Section(name, BYTES, 1, len(data), data)


def floats(name: str, values: Floats) -> Section:
    table = np.atleast_2d(np.asarray(values, "<f4"))
    return Section(name, FLOAT, *table.shape, table.tobytes())


def quantise_columns(values: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Signed bytes and one scale a column."""
    scale = np.maximum(np.abs(values).max(0), 1e-12).astype(np.float32) / np.float32(127)
    return np.clip(np.rint(values / scale), -127, 127).astype(np.int8), scale


def byte_columns(name: str, values: Floats) -> list[Section]:
    quantised, scale = quantise_columns(values)
    return [Section(name, BYTE, *quantised.shape, quantised.tobytes()), floats(name + ".scale", scale)]


def quantise_rows(values: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """Numbers 0 to 15 for -8 to 7 and one scale a row: of ten scales the one with the smallest squared error."""
    largest = np.maximum(np.abs(values).max(1, keepdims=True), 1e-12)
    best = np.zeros_like(largest)
    error = np.full_like(largest, np.inf)
    for share in np.linspace(0.55, 1.0, 10, dtype=np.float32):
        scale = largest * share / np.float32(7)
        missed = ((np.clip(np.rint(values / scale), -8, 7) * scale - values) ** 2).sum(1, keepdims=True)
        better = missed < error
        best[better], error[better] = scale[better], missed[better]
    return (np.clip(np.rint(values / best), -8, 7) + 8).astype(np.uint8), best.astype(np.float32)


def nibble_rows(name: str, values: Floats) -> list[Section]:
    quantised, scale = quantise_rows(values)
    packed = (quantised[:, 0::2] | (quantised[:, 1::2] << 4)).astype(np.uint8)
    return [Section(name, NIBBLE, *quantised.shape, packed.tobytes()), floats(name + ".scale", scale)]


def pack(sections: list[Section]) -> bytes:
    """The whole file; sections are aligned to 16 bytes."""
    offset = 16 + 40 * len(sections)
    head, body = [MAGIC, struct.pack("<II", VERSION, len(sections))], []
    for section in sections:
        gap = -offset % 16
        body += [bytes(gap), section.data]
        offset += gap
        name = section.name.encode()
        if len(name) > 23:
            raise ValueError(f"{section.name}: longer than 23 bytes")
        head.append(struct.pack("<24sIIII", name, section.kind, section.rows, section.columns, offset))
        offset += len(section.data)
    return b"".join(head + body)


def unpack(data: bytes) -> dict[str, Section]:
    """The sections of a file that pack() wrote."""
    magic, version, count = struct.unpack_from("<8sII", data)
    if magic != MAGIC or version != VERSION:
        raise ValueError("not a semantic model of version 1")
    found = {}
    for i in range(count):
        padded, kind, rows, columns, offset = struct.unpack_from("<24sIIII", data, 16 + 40 * i)
        name = padded.rstrip(b"\0").decode()
        size = {BYTES: columns, FLOAT: rows * columns * 4, BYTE: rows * columns, NIBBLE: rows * columns // 2}[kind]
        found[name] = Section(name, kind, rows, columns, data[offset:offset + size])
    return found


def values(sections: dict[str, Section], name: str) -> Floats:
    """The numbers of a section as C++ sees them."""
    section = sections[name]
    shape = (section.rows, section.columns)
    if section.kind == FLOAT:
        return np.frombuffer(section.data, "<f4").reshape(shape).copy()
    scale = values(sections, name + ".scale")
    if section.kind == BYTE:
        return np.frombuffer(section.data, np.int8).reshape(shape).astype(np.float32) * scale
    packed = np.frombuffer(section.data, np.uint8).reshape(section.rows, -1)
    table = np.empty(shape, np.float32)
    table[:, 0::2] = (packed & 15).astype(np.float32) - 8
    table[:, 1::2] = (packed >> 4).astype(np.float32) - 8
    return table * scale
